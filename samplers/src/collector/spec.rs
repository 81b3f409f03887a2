//! What a collector is told, and how it fails.
use crate::error::Cause;
use rlcore::segment::SegmentError;
use rlcore::slice::ResetMode;
use rlcore::slice::SliceError;
use rlcore::{EnvFactory, EnvRank, EnvSpaces};
use serde::{Deserialize, Serialize};

/// What a collector does, the same for every sampler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CollectorSpec {
    /// The environments.
    pub(crate) env: EnvFactory,
    /// Their spaces, as an example had them: the memory was laid out from these.
    pub(crate) spaces: EnvSpaces,
    /// Environment of the first column; the others follow.
    pub(crate) first_rank: EnvRank,
    /// Columns.
    pub(crate) columns: usize,
    /// What a finished episode does.
    pub(crate) mode: ResetMode,
    /// Of the run.
    pub(crate) seed: u64,
    /// For `DiscountedReturn`.
    pub(crate) discount: f64,
    /// Recurrent state is recorded every this many steps.
    pub(crate) state_interval: usize,
}

impl CollectorSpec {
    /// Global number of a column's environment.
    pub(crate) fn rank(&self, column: usize) -> usize {
        self.first_rank.offset(column).0
    }

    /// An error where a column (first) gave something that is not a number (second).
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
    /// Somebody's fault.
    Cause(Cause),
    /// No memory.
    Memory(SegmentError),
}

impl From<SegmentError> for CollectorError {
    fn from(e: SegmentError) -> Self {
        Self::Memory(e)
    }
}

impl CollectorError {
    /// As a cause that can be sent.
    pub(crate) fn into_cause(self) -> Cause {
        match self {
            Self::Cause(cause) => cause,
            Self::Memory(e) => Cause::Protocol(e.to_string()),
        }
    }
}
