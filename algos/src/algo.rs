//! The interface between a runner and an algorithm: take in a batch, learn from it, give out the weights that agents act with, save
//! and load everything.
use crate::error::AlgoError;
use crate::requires::Requires;
use agents::params::Params;
use rlcore::GlobalSteps;
use rlcore::block::Lease;
use rlcore::checkpoint::{ArraySource, NamedArray};
use rlcore::table::Values;

/// Values to log for the updates of a batch, under rlpyt's names. `progress.csv` has the average, standard deviation, median, minimum
/// and maximum of each.
pub type OptInfo = Vec<(&'static str, Vec<f64>)>;

/// A state to be saved: parameters, moments and replays as arrays, the rest as JSON (integers only, so that it is exact).
#[derive(Debug)]
pub struct Saved<'a> {
    /// Parameters, optimiser moments, replay.
    pub arrays: Vec<NamedArray<'a>>,
    /// Counters.
    pub values: serde_json::Value,
}

/// A saved state to be loaded.
#[derive(Clone)]
pub struct Restored<'a> {
    /// [`Saved::arrays`], read one at a time, straight into the memory that they are for.
    pub arrays: &'a dyn ArraySource,
    /// [`Saved::values`].
    pub values: serde_json::Value,
}

impl std::fmt::Debug for Restored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Restored({:?}, {})", self.arrays.names(), self.values)
    }
}

/// Which part of an algorithm's state a checkpoint holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveScope {
    /// Everything that an exact continuation needs.
    Everything,
    /// Everything except the replay, which is empty after loading and is filled as at the start of a run before it is drawn
    /// from. The same as [`SaveScope::Everything`] for an algorithm
    /// without a replay.
    WithoutReplay,
}

/// An algorithm that learns from batches of samples.
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

    /// Number of updates that can be made now, without another batch. An early stop (`target_kl`) can make them fewer.
    fn due(&self) -> u64;

    /// Makes the updates that are due, at most `at_most` of them. Returns the values to log.
    ///
    /// # Errors
    /// A loss or gradient that is not finite; a replica that cannot be averaged with.
    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError>;

    /// [`Algo::take_in`], then all updates that are due.
    ///
    /// # Errors
    /// Those of the two.
    fn optimize(&mut self, samples: Lease, now: GlobalSteps) -> Result<OptInfo, AlgoError> {
        self.take_in(samples, now)?;
        self.learn(u64::MAX)
    }

    /// The values that the algorithm's schedules have now, under the names that the log gives them, such as `learningRate`; those of
    /// the last batch, where they change with each.
    fn schedules(&self) -> Values {
        Values::new()
    }

    /// Number of updates made so far.
    fn updates(&self) -> u64;

    /// A number that differs whenever [`Algo::params`] differs, running statistics included: weights are published when it changes.
    fn version(&self) -> u64 {
        self.updates()
    }

    /// Transitions per update, for the logged replay ratio.
    fn batch_size(&self) -> usize;

    /// The weights that agents act with.
    fn params(&self) -> &Params;

    /// [`Algo::params`], mutable: to start from given weights.
    fn params_mut(&mut self) -> &mut Params;

    /// The state that a resumed run needs. Call it between batches, when no update is due.
    ///
    /// # Errors
    /// Updates that are still due ([`Algo::due`]): the position within a batch is not saved.
    fn save(&self, scope: SaveScope) -> Result<Saved<'_>, AlgoError>;

    /// Restores what [`Algo::save`] returned, of either scope.
    ///
    /// # Errors
    /// Arrays that are missing or have another type or shape; nothing is changed then. Arrays of the replay whose bytes cannot be
    /// read; the replay is then empty, parameters and optimiser are unchanged.
    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError>;

    /// Says that the next batch does not continue the last one: environments that cannot save their state start new episodes when
    /// a run is resumed.
    fn cut(&mut self) {}
}
