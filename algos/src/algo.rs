//! What a runner asks of an algorithm: learn from a batch, show the weights that agents act with, save everything.
use crate::replay::ReplayError;
use agents::AgentError;
use agents::params::Params;
use rlcore::block::Columns;
use rlcore::checkpoint::NamedArray;

/// Values logged of a batch's updates, by rlpyt's names; each becomes Average, Std, Median, Min and Max.
pub type OptInfo = Vec<(&'static str, Vec<f64>)>;

/// Why an algorithm stopped.
#[derive(Debug, thiserror::Error)]
pub enum AlgoError {
    /// NaN or infinity.
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
        /// Global environment steps.
        env_steps: u64,
        /// The first bad transition, if one is.
        worst: String,
    },
    /// The replay refused.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The model refused.
    #[error(transparent)]
    Model(#[from] AgentError),
    /// Settings that contradict each other.
    #[error("{0}")]
    Config(String),
    /// A saved state of another algorithm or configuration.
    #[error("the saved state of the algorithm does not fit: {0}")]
    State(String),
}

/// A saved state: large things as arrays, the rest as JSON (integers only, so that it is exact).
#[derive(Debug)]
pub struct Saved<'a> {
    /// Named arrays.
    pub arrays: Vec<NamedArray<'a>>,
    /// Counters.
    pub values: serde_json::Value,
}

/// Learns from batches.
pub trait Algo: Send {
    /// Takes in a batch and makes the updates that are due. `env_steps`: global environment steps, this batch included.
    fn optimize(&mut self, samples: &Columns, env_steps: u64) -> Result<OptInfo, AlgoError>;

    /// Updates made so far.
    fn updates(&self) -> u64;

    /// Another number wherever [`Algo::params`] has changed, running statistics included.
    fn version(&self) -> u64 {
        self.updates()
    }

    /// Transitions in one update, for the replay ratio.
    fn batch_size(&self) -> usize;

    /// The weights that agents act with.
    fn params(&self) -> &Params;

    /// As [`Algo::params`], to start from given weights.
    fn params_mut(&mut self) -> &mut Params;

    /// Everything that a resumed run needs.
    fn save(&self) -> Result<Saved<'_>, AlgoError>;

    /// Takes back what [`Algo::save`] gave.
    fn load(&mut self, saved: &Saved<'_>) -> Result<(), AlgoError>;

    /// The next batch does not continue the last: environments started anew on resume.
    fn cut(&mut self) {}
}
