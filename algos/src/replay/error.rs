//! The errors of replays.
use super::{Key, ReplayMeta};
use rlcore::LeafSpec;
use rlcore::block::Part;
use rlcore::checkpoint::CheckpointError;
use rlcore::memory::readable;

/// Why a replay could not be built, appended to, drawn from, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A ring that is too short for the n-step window around the cursor, or for one batch of samples.
    #[error(
        "replay_size {size} over {columns} environments is {rows} time steps, but {need} are \
         needed (n_step {n_step}, {batch} steps per batch): raise replay_size to at least {}",
        need.saturating_mul(*columns)
    )]
    TooSmall {
        /// Time steps of the ring.
        rows: usize,
        /// The size in transitions that was asked for.
        size: usize,
        /// Environments.
        columns: usize,
        /// Time steps that the ring needs.
        need: usize,
        /// Length of the return.
        n_step: usize,
        /// Time steps of one append.
        batch: usize,
    },
    /// A return over no steps, or over more than `u16` can count.
    #[error("n_step is {0}: choose 1 to 65535")]
    BadNStep(usize),
    /// Too little memory for a part of the replay.
    #[error("no memory for {} of the replay: lower replay_size", readable(*bytes))]
    NoMemory {
        /// Bytes of that part.
        bytes: u64,
    },
    /// A batch or ring whose time steps are no multiple of the interval at which a leaf is stored.
    #[error(
        "`{leaf}` is stored every {every} time steps, but {of} has {steps} time steps: make that a \
         multiple of {every}, or store the leaf at an interval that divides it"
    )]
    Interval {
        /// Name of the leaf.
        leaf: String,
        /// Time steps between two of its rows.
        every: usize,
        /// Time steps of the batch or ring.
        steps: usize,
        /// `a batch` or `the ring`.
        of: &'static str,
    },
    /// A block that recorded a leaf at another interval than that at which the leaf is stored.
    #[error(
        "`{leaf}` is stored every {every} time steps, which is {rows} rows in {steps} time steps, \
         but the block recorded {found}: record it at the interval at which it is stored"
    )]
    OtherInterval {
        /// Name of the leaf.
        leaf: String,
        /// Time steps between two of its rows.
        every: usize,
        /// Time steps of the block.
        steps: usize,
        /// Rows of the leaf that the block must have.
        rows: usize,
        /// Rows of the leaf that the block has.
        found: usize,
    },
    /// A block without a leaf that is stored.
    #[error(
        "the block has no leaf `{}` ({} {:?}) in its part {part:?}, which has {}: record it, or \
         store another leaf",
        leaf.name, leaf.dtype, leaf.shape, listed(there)
    )]
    NotRecorded {
        /// Part of the block.
        part: Part,
        /// The leaf that is stored.
        leaf: LeafSpec,
        /// The leaves that the part has.
        there: Vec<LeafSpec>,
    },
    /// A block with other columns than the ring, or more time steps.
    #[error(
        "a block of {steps} time steps of {columns} environments does not fit a replay of {rows} \
         time steps of {wanted}"
    )]
    OtherBlock {
        /// Time steps of the block.
        steps: usize,
        /// Environments of the block.
        columns: usize,
        /// Time steps of the ring.
        rows: usize,
        /// Environments of the ring.
        wanted: usize,
    },
    /// A truncated step without its final observation: it would bootstrap from the first observation
    /// of the next episode.
    #[error(
        "column {column} truncated {truncated} times in one batch, but the block keeps {capacity} \
         final observations per column: let the environment declare `truncates_every`"
    )]
    NoFinalObservation {
        /// Column of the block.
        column: usize,
        /// Truncated steps of that column in the batch.
        truncated: usize,
        /// Rows of `final_observation`.
        capacity: usize,
    },
    /// A ring in which no step can be drawn yet.
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
    /// A key whose step has been overwritten.
    #[error(
        "the step of key {}, generation {}, has been overwritten: gather what was drawn before the \
         next append", key.cell, key.generation
    )]
    Overwritten {
        /// The key.
        key: Key,
    },
    /// A saved replay of another size or format.
    #[error(
        "the saved replay holds {} time steps of {} environments (format {}), this one {rows} time steps of {columns} environments \
         (format {format}): continue with the number of environments, the replay size and the program it was saved with",
        saved.rows, saved.columns, saved.format
    )]
    BadMeta {
        /// What was saved.
        saved: ReplayMeta,
        /// The format that this program reads.
        format: u32,
        /// Time steps of this ring.
        rows: usize,
        /// Columns of this ring.
        columns: usize,
    },
    /// A saved byte that is no outcome.
    #[error("saved replay: array `outcome` holds a {byte}, but outcomes are 0 to 3")]
    BadOutcome {
        /// The first such byte.
        byte: u8,
    },
    /// Truncated steps in the saved replay of an environment that declares no truncation.
    #[error(
        "saved replay: {truncated} of its steps were truncated, but this environment declares no \
         truncation: resume with the environment it was saved with"
    )]
    NoTruncation {
        /// Truncated steps.
        truncated: usize,
    },
    /// A saved array that is missing, does not fit or cannot be read.
    #[error("saved replay: {0}")]
    Saved(#[from] CheckpointError),
}

fn listed(leaves: &[LeafSpec]) -> String {
    if leaves.is_empty() {
        return "none".to_owned();
    }
    let one = |leaf: &LeafSpec| format!("`{}` ({} {:?})", leaf.name, leaf.dtype, leaf.shape);
    leaves.iter().map(one).collect::<Vec<_>>().join(", ")
}
