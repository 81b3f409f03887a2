//! What a runner asks of an algorithm: take in a batch, learn from it, show the weights that agents act with, save everything.
use crate::error::AlgoError;
use crate::requires::Requires;
use agents::params::Params;
use rlcore::GlobalSteps;
use rlcore::block::Lease;
use rlcore::checkpoint::{ArraySource, NamedArray};
use rlcore::table::Values;

/// Values logged of a batch's updates, by rlpyt's names; each becomes Average, Std, Median, Min and Max.
pub type OptInfo = Vec<(&'static str, Vec<f64>)>;

/// A state to be saved: large things as arrays, the rest as JSON (integers only, so that it is exact).
#[derive(Debug)]
pub struct Saved<'a> {
    /// Named arrays.
    pub arrays: Vec<NamedArray<'a>>,
    /// Counters.
    pub values: serde_json::Value,
}

/// A saved state to be loaded.
#[derive(Clone)]
pub struct Restored<'a> {
    /// The arrays of [`Saved::arrays`]; they are read one at a time, straight into place.
    pub arrays: &'a dyn ArraySource,
    /// [`Saved::values`].
    pub values: serde_json::Value,
}

impl std::fmt::Debug for Restored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Restored({:?}, {})", self.arrays.names(), self.values)
    }
}

/// How much of an algorithm a checkpoint holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveScope {
    /// All that an exact continuation needs.
    Everything,
    /// Everything except the replay, which is empty after loading and is filled as at the start of a run before it is drawn
    /// from. The same as [`SaveScope::Everything`] for an algorithm
    /// without a replay.
    WithoutReplay,
}

/// Learns from batches.
///
/// A runner alternates [`Algo::take_in`] and [`Algo::learn`], or calls [`Algo::optimize`] for both. Cutting the updates of a
/// batch into several calls of `learn` changes no bit of their result.
pub trait Algo: Send {
    /// What the samples must hold. A runner compares it with the sampler before the first batch ([`Requires::check`]).
    fn requires(&self) -> &Requires;

    /// Takes in a batch. `now`: environment steps of all replicas, this batch included. An off-policy algorithm copies the
    /// batch and drops the lease; an on-policy algorithm keeps the lease until it has made the last update from the batch.
    ///
    /// # Errors
    /// Samples that lack what [`Algo::requires`] lists; an on-policy algorithm that has not finished its last batch.
    fn take_in(&mut self, samples: Lease, now: GlobalSteps) -> Result<(), AlgoError>;

    /// Updates that can be made now, without another batch. An early stop (`target_kl`) can end them sooner.
    fn due(&self) -> u64;

    /// Makes the updates that are due, at most `at_most`. Returns what is logged of them.
    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError>;

    /// Takes in a batch and makes all updates that are due.
    fn optimize(&mut self, samples: Lease, now: GlobalSteps) -> Result<OptInfo, AlgoError> {
        self.take_in(samples, now)?;
        self.learn(u64::MAX)
    }

    /// The values that the algorithm's schedules have now, under the names that the log gives them, such as `learningRate`; those of
    /// the last batch, where they change with each.
    fn schedules(&self) -> Values {
        Values::new()
    }

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

    /// The state that a resumed run needs, taken between batches.
    ///
    /// # Errors
    /// Updates that are still due ([`Algo::due`]): the position within a batch is not saved.
    fn save(&self, scope: SaveScope) -> Result<Saved<'_>, AlgoError>;

    /// Takes back what [`Algo::save`] gave, whatever its scope.
    ///
    /// # Errors
    /// Arrays that are missing or have another type or shape, found before anything is changed. Arrays that cannot be read
    /// after that may leave the replay in part replaced; parameters and optimiser are then unchanged.
    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError>;

    /// The next batch does not continue the last: environments started anew on resume.
    fn cut(&mut self) {}
}
