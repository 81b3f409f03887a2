//! Settings of agents in the configuration of a run, and what an algorithm learns from them.
use crate::AgentError;
use crate::agent::AgentFactory;
use rlcore::BatchSpec;
use std::ops::Range;

/// Settings of an agent in the configuration of a run. [`MakeAgent`](crate::MakeAgent) is what is sent to worker processes: often the same
/// type, with the addition of what the algorithm decides, such as the end of exploration.
pub trait AgentSettings {
    /// What an algorithm trains: `Box<dyn MakeQModel>` for an agent that acts by values, `Box<dyn PgSettings>` for one that
    /// draws from a policy, or your own type for an agent and an algorithm that are made for each other. An algorithm fits
    /// every agent whose model is of the type that it takes.
    type Model: 'static;

    /// The model to be trained: see [`AgentSettings::Model`].
    fn model(&self) -> Self::Model;

    /// Checks the settings.
    ///
    /// # Errors
    /// A text that names the full key of the setting, its value and what to change.
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        Ok(())
    }

    /// A factory that builds the agent in any process. `annealing`: environment steps of all replicas during which exploration falls
    /// to its final value.
    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory, AgentError>;
}
