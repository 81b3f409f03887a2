//! The state of one column in a stepper, in addition to the bytes that whole-row passes read.

/// The state of one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnStatus {
    pub(super) turn: Turn,
    /// Number of trajectories that were completed in this batch.
    pub(super) finished: usize,
    /// Number of episodes that may still be completed; `None`: no limit.
    pub(super) quota: Option<usize>,
}

/// Whether a column is stepped. `Stepper::running` holds the same information as bytes, for passes over whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The column is stepped.
    Runs,
    /// Its episode has ended, and the column waits for the next batch.
    Waits {
        /// Row of its last observation, which is copied to row T.
        row: usize,
        /// How the column begins the next batch.
        then: Then,
    },
}

/// How a waiting column begins the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The environment is reset.
    Reset,
    /// The environment continues without a reset.
    Continue,
}

impl ColumnStatus {
    pub(super) const NEW: Self = Self { turn: Turn::Runs, finished: 0, quota: None };

    /// Whether its environment is reset before the next batch.
    pub(super) fn is_reset_next(self) -> bool {
        matches!(self.turn, Turn::Waits { then: Then::Reset, .. })
    }
}
