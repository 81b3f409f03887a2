//! Settings of the epsilon-greedy agent that acts by values, in the configuration of a run.
use super::DqnAgentConfig;
use crate::AgentError;
use crate::agent::AgentFactory;
use crate::epsilon::EpsilonConfig;
use crate::exploration::EpsilonGreedy;
use crate::model::{MakeQModel, QNet};
use crate::settings::AgentSettings;
use rlcore::BatchSpec;
use rlcore::config::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Settings of a [`DqnAgent`](super::DqnAgent) with epsilon-greedy exploration. The algorithm decides when epsilon falls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(bound = "M: JsonSchema + Default + Serialize")]
pub struct DqnAgentSettings<M = QNet> {
    /// The network.
    pub model: M,
    /// Exploration.
    pub epsilon: EpsilonConfig,
}

impl<M: MakeQModel + Settings> AgentSettings for DqnAgentSettings<M> {
    type Model = Box<dyn MakeQModel>;

    fn model(&self) -> Box<dyn MakeQModel> {
        Box::new(self.model.clone())
    }

    fn check(&self, spec: BatchSpec) -> Result<(), String> {
        self.epsilon.check(spec)
    }

    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory, AgentError> {
        AgentFactory::new(&DqnAgentConfig {
            model: self.model.clone(),
            exploration: EpsilonGreedy {
                epsilon: self.epsilon.clone(),
                start_steps: annealing.start,
                end_steps: annealing.end,
            },
        })
    }
}
