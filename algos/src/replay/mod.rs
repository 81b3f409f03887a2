//! What is remembered of past batches, and how it is drawn.
//!
//! A [`Ring`] of `[T_ring, B]` steps under one time cursor holds what happened, [`NStep`] the
//! n-step return that starts at each of its steps, and [`UniformReplay`] draws from them. After
//! rlpyt's `replays/n_step.py` and `replays/non_sequence/uniform.py`; each file says where it
//! differs.
mod column;
mod finals;
#[cfg(test)]
mod golden;
mod n_step;
mod ring;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod uniform;

pub use n_step::{NStep, Window};
pub use ring::{Outcome, Ring, StepRecord};
pub use state::RingMeta;
pub use uniform::{Batch, ReplaySettings, UniformReplay};

use rlcore::DType;

/// What a replay refuses.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// Too few steps for the n-step window around the cursor, or for one batch of samples.
    #[error(
        "replay_size {size} over {columns} environments is {rows} time steps, but {need} are \
         needed (n_step {n_step}, {batch} steps a batch): raise replay_size to at least {}", need * columns
    )]
    TooSmall {
        /// Steps of one environment that the ring has.
        rows: usize,
        /// Transitions that were asked for.
        size: usize,
        /// Environments.
        columns: usize,
        /// Steps of one environment that the ring needs.
        need: usize,
        /// Length of the return.
        n_step: usize,
        /// Time steps of one append.
        batch: usize,
    },
    /// No window at all, or one that the horizon's type cannot count.
    #[error("n_step is {0}: choose 1 to 65535")]
    BadNStep(usize),
    /// A truncated step without its last observation: bootstrapping would use the next episode's
    /// first.
    #[error(
        "column {column} truncated {truncated} times in one batch, but the block keeps {capacity} \
         final observations a column: let the environment declare `truncates_every`"
    )]
    NoFinalObservation {
        /// Column of the block.
        column: usize,
        /// Truncated steps of that column in the batch.
        truncated: usize,
        /// Rows of `final_observation`.
        capacity: usize,
    },
    /// Nothing in the ring may start a window yet.
    #[error(
        "nothing to draw: {filled} time steps are stored, the first {n_step}-step return needs {} \
         (skipped steps are never drawn): raise min_steps_learn", n_step + 2
    )]
    NothingToDraw {
        /// Time steps stored.
        filled: usize,
        /// Length of the return.
        n_step: usize,
    },
    /// A saved array does not fit this ring.
    #[error(
        "saved replay: `{name}` should be {dtype:?} {shape:?}, found {found}: resume with the \
         settings it was saved with"
    )]
    BadArray {
        /// Name of the array.
        name: String,
        /// Element type that fits.
        dtype: DType,
        /// Shape that fits.
        shape: Vec<usize>,
        /// What was there instead.
        found: String,
    },
    /// A saved ring of another extent.
    #[error(
        "saved replay: {saved:?} does not fit a ring of {rows} x {columns}: resume with the \
         replay_size it was saved with"
    )]
    BadMeta {
        /// What was saved.
        saved: RingMeta,
        /// Time steps of this ring.
        rows: usize,
        /// Columns of this ring.
        columns: usize,
    },
}
