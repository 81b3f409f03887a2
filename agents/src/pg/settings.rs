//! Settings that build policy-gradient agents, and tell an algorithm what they are made of.
use super::agent::{CategoricalPgAgent, GaussianPgAgent, PgAgent};
use super::evaluate::Evaluate;
use super::mlp::PgMlp;
use super::model::MakePgModel;
use crate::AgentError;
use crate::agent::{AgentContext, AgentOutline, MakeAgent};
use crate::dist::{Categorical, Distribution, Gaussian, GaussianConfig};
use rlcore::EnvSpaces;
use serde::{Deserialize, Serialize};

/// What agent and algorithm have to agree on.
pub trait PgSettings: MakeAgent {
    /// Says what contradicts itself, and what to change.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Settings of the model.
    type Model: MakePgModel;

    /// Settings of the model.
    fn model(&self) -> &Self::Model;

    /// The distribution over the actions of these spaces.
    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError>;
}

/// Builds [`CategoricalPgAgent`]s over any model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CategoricalPgAgentConfig<M = PgMlp> {
    /// The model.
    pub model: M,
    /// How actions are taken in evaluation.
    pub evaluate: Evaluate,
}

/// Builds [`GaussianPgAgent`]s over any model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GaussianPgAgentConfig<M = PgMlp> {
    /// The model.
    pub model: M,
    /// The distribution.
    pub gaussian: GaussianConfig,
    /// How actions are taken in evaluation.
    pub evaluate: Evaluate,
}

impl<M: MakePgModel + Default> MakeAgent for CategoricalPgAgentConfig<M> {
    type Agent = CategoricalPgAgent;

    fn make(&self, context: &AgentContext) -> Result<CategoricalPgAgent, AgentError> {
        PgAgent::new(Categorical::new(&context.spaces)?, &self.model, self.evaluate, context)
    }

    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        PgAgent::outline(&Categorical::new(&context.spaces)?, &self.model, context)
    }
}

impl<M: MakePgModel + Default> PgSettings for CategoricalPgAgentConfig<M> {
    type Model = M;

    fn model(&self) -> &M {
        &self.model
    }

    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError> {
        Ok(Box::new(Categorical::new(spaces)?))
    }
}

impl<M: MakePgModel + Default> MakeAgent for GaussianPgAgentConfig<M> {
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

impl<M: MakePgModel + Default> PgSettings for GaussianPgAgentConfig<M> {
    type Model = M;

    fn check(&self) -> Result<(), String> {
        self.gaussian.check()
    }

    fn model(&self) -> &M {
        &self.model
    }

    fn distribution(&self, spaces: &EnvSpaces) -> Result<Box<dyn Distribution>, AgentError> {
        Ok(Box::new(Gaussian::new(spaces, &self.gaussian)?))
    }
}
