//! What a stepper knows of each of its columns, beside the bytes that whole-row passes read.

/// One column between two batches and within one.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnStatus {
    pub(super) turn: Turn,
    /// Trajectories that were completed in this batch.
    pub(super) finished: usize,
    /// Episodes that may still be completed; none: no limit.
    pub(super) quota: Option<usize>,
}

/// Whether a column is stepped. `running` holds the same as bytes, for passes over whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is stepped.
    Runs,
    /// Its episode ended and it waits for the next batch with the observation in this row.
    Waits {
        /// Row of the observation that it keeps until then.
        row: usize,
        /// What happens before the next batch.
        then: Then,
    },
}

/// How a waiting column begins the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Its environment is reset.
    Reset,
    /// Its environment goes on as it is.
    Continue,
}

impl ColumnStatus {
    pub(super) const NEW: Self = Self { turn: Turn::Runs, finished: 0, quota: None };

    /// Whether its environment is reset before the next batch.
    pub(super) fn is_reset_next(self) -> bool {
        matches!(self.turn, Turn::Waits { then: Then::Reset, .. })
    }
}
