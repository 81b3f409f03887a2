//! What a run's configuration says of its agent, and what an algorithm is told of it.
use crate::AgentError;
use crate::agent::AgentFactory;
use rlcore::BatchSpec;
use std::ops::Range;

/// An agent as it stands in the configuration of a run. [`MakeAgent`](crate::MakeAgent) is what travels to worker processes:
/// often the same type, but for what the algorithm decides, such as the end of exploration.
pub trait AgentSettings {
    /// What an algorithm trains: `Box<dyn MakeQModel>` for an agent that acts by values, `Box<dyn PgSettings>` for one that
    /// draws from a policy, or a type of your own for an agent and an algorithm that are made for each other. An algorithm
    /// fits every agent that has the model that it asks for.
    type Model: 'static;

    /// See [`AgentSettings::Model`].
    fn model(&self) -> Self::Model;

    /// Says which setting cannot be, by its full key, and what to change.
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        Ok(())
    }

    /// Builds the agent anywhere. `annealing`: the environment steps of all replicas during which the algorithm wants
    /// exploration to fall to its final value.
    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory, AgentError>;
}
