//! The settings of a collector, and its error.
use crate::error::Cause;
use rlcore::segment::SegmentError;
use rlcore::slice::ResetMode;
use rlcore::slice::SliceError;
use rlcore::{EnvFactory, EnvRank, EnvSpaces};
use serde::{Deserialize, Serialize};

/// Settings of a collector, the same under every sampler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CollectorSpec {
    /// The environments.
    pub(crate) env: EnvFactory,
    /// Their spaces, taken from an example environment; the memory was laid out from these.
    pub(crate) spaces: EnvSpaces,
    /// Env rank of the first column; ranks of the others are consecutive.
    pub(crate) first_rank: EnvRank,
    /// Number of columns.
    pub(crate) columns: usize,
    /// What a finished episode does.
    pub(crate) mode: ResetMode,
    /// Seed of the run.
    pub(crate) seed: u64,
    /// Discount of the logged `DiscountedReturn`.
    pub(crate) discount: f64,
    /// The recurrent state is recorded every `state_interval` steps.
    pub(crate) state_interval: usize,
}

impl CollectorSpec {
    /// Global number of a column's environment.
    pub(crate) fn rank(&self, column: usize) -> usize {
        self.first_rank.offset(column).0
    }

    /// Returns an error for `(column, description)` of a value that is not finite.
    pub(super) fn not_finite(&self, found: Option<(usize, String)>) -> Result<(), CollectorError> {
        let error = |(column, what)| {
            CollectorError::Cause(Cause::Gave { env_rank: self.rank(column), what })
        };
        found.map_or(Ok(()), |found| Err(error(found)))
    }

    pub(super) fn env_failed(&self, e: SliceError) -> CollectorError {
        CollectorError::Cause(Cause::Env {
            env_rank: self.rank(e.column),
            text: e.error.to_string(),
        })
    }
}

/// Why a collector stopped.
#[derive(Debug)]
pub(crate) enum CollectorError {
    /// An environment or the agent failed.
    Cause(Cause),
    /// Memory could not be allocated.
    Memory(SegmentError),
}

impl From<SegmentError> for CollectorError {
    fn from(e: SegmentError) -> Self {
        Self::Memory(e)
    }
}

impl CollectorError {
    /// Converts this error into a cause that can be sent to the master.
    pub(crate) fn into_cause(self) -> Cause {
        match self {
            Self::Cause(cause) => cause,
            Self::Memory(e) => Cause::Protocol(e.to_string()),
        }
    }
}
