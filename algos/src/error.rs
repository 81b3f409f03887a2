//! The error of every algorithm.
use crate::replay::ReplayError;
use agents::AgentError;
use rlcore::GlobalSteps;
use rlcore::checkpoint::CheckpointError;

/// Why an algorithm could not be built, learn, save or load.
#[derive(Debug, thiserror::Error)]
pub enum AlgoError {
    /// A loss or gradient norm that is NaN or infinite.
    #[error(
        "the {what} of update {update} is {value} (batch of {batch} drawn after {env_steps} environment steps; {worst}): lower algo.learning_rate, or look at the rewards and observations"
    )]
    NotFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// Update number, from 0.
        update: u64,
        /// Its value.
        value: f64,
        /// Transitions in the batch.
        batch: usize,
        /// Environment steps of all replicas when the batch was taken in.
        env_steps: GlobalSteps,
        /// Which sample is the likely cause, in words.
        worst: String,
    },
    /// An error of the replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// An error of the model.
    #[error(transparent)]
    Model(#[from] AgentError),
    /// Settings that contradict each other.
    #[error("{0}")]
    Config(String),
    /// A sampler or an agent that does not fit the algorithm (see [`crate::Requires`]).
    #[error("{0}")]
    Samples(String),
    /// Replicas that could not average.
    #[error("averaging over replicas: {0}")]
    Average(String),
    /// A saved state of another algorithm or configuration.
    #[error("the saved state of the algorithm does not fit: {0}")]
    State(String),
    /// Arrays of a saved state that are missing, differ or cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
