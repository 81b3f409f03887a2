//! Settings of policy-gradient agents, from which the algorithm learns their model and distribution too.
use super::agent::{CategoricalPgAgent, GaussianPgAgent, PgAgent};
use super::evaluate::Evaluate;
use super::mlp::PgMlp;
use super::model::MakePgModel;
use crate::AgentError;
use crate::agent::{AgentContext, AgentFactory, AgentOutline, MakeAgent};
use crate::dist::{Categorical, Distribution, Gaussian, GaussianConfig};
use crate::settings::AgentSettings;
use rlcore::config::Settings;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What an agent and its algorithm must agree on.
pub trait PgSettings {
    /// Settings of the model.
    fn model(&self) -> &dyn MakePgModel;

    /// The distribution over the actions of these spaces.
    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError>;
}

/// Settings of a [`CategoricalPgAgent`] over any model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(bound = "M: JsonSchema + Default + Serialize")]
pub struct CategoricalPgAgentConfig<M = PgMlp> {
    /// The model.
    pub model: M,
    /// How actions are taken in evaluation.
    pub evaluate: Evaluate,
}

/// Settings of a [`GaussianPgAgent`] over any model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(bound = "M: JsonSchema + Default + Serialize")]
pub struct GaussianPgAgentConfig<M = PgMlp> {
    /// The model.
    pub model: M,
    /// The distribution.
    pub gaussian: GaussianConfig,
    /// How actions are taken in evaluation.
    pub evaluate: Evaluate,
}

impl<M: MakePgModel + Settings + Default> MakeAgent for CategoricalPgAgentConfig<M> {
    type Agent = CategoricalPgAgent;

    fn make(&self, context: &AgentContext) -> Result<CategoricalPgAgent, AgentError> {
        PgAgent::new(Categorical::new(&context.spaces)?, &self.model, self.evaluate, context)
    }

    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        PgAgent::outline(&Categorical::new(&context.spaces)?, &self.model, context)
    }
}

impl<M: MakePgModel> PgSettings for CategoricalPgAgentConfig<M> {
    fn model(&self) -> &dyn MakePgModel {
        &self.model
    }

    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError> {
        Ok(Box::new(Categorical::new(spaces)?))
    }
}

impl<M: MakePgModel + Settings + Default> MakeAgent for GaussianPgAgentConfig<M> {
    type Agent = GaussianPgAgent;

    fn make(&self, context: &AgentContext) -> Result<GaussianPgAgent, AgentError> {
        let dist = Gaussian::new(&context.spaces, &self.gaussian)?;
        PgAgent::new(dist, &self.model, self.evaluate, context)
    }

    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        let dist = Gaussian::new(&context.spaces, &self.gaussian)?;
        PgAgent::outline(&dist, &self.model, context)
    }
}

impl<M: MakePgModel> PgSettings for GaussianPgAgentConfig<M> {
    fn model(&self) -> &dyn MakePgModel {
        &self.model
    }

    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError> {
        Ok(Box::new(Gaussian::new(spaces, &self.gaussian)?))
    }
}

impl<M: MakePgModel + Settings + Default> AgentSettings for CategoricalPgAgentConfig<M> {
    type Model = Box<dyn PgSettings>;

    fn model(&self) -> Box<dyn PgSettings> {
        Box::new(self.clone())
    }

    fn factory(&self, _annealing: Range<u64>) -> Result<AgentFactory, AgentError> {
        AgentFactory::new(self)
    }
}

impl<M: MakePgModel + Settings + Default> AgentSettings for GaussianPgAgentConfig<M> {
    type Model = Box<dyn PgSettings>;

    fn model(&self) -> Box<dyn PgSettings> {
        Box::new(self.clone())
    }

    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        self.gaussian.check().map_err(|e| format!("agent.{e}"))
    }

    fn factory(&self, _annealing: Range<u64>) -> Result<AgentFactory, AgentError> {
        AgentFactory::new(self)
    }
}
