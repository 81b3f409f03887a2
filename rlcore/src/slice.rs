//! A slice of columns: environments that step together, as a collector sees them.
//!
//! Prefer to write an [`Env`](crate::env::Env): [`EnvColumns`](crate::envs::columns::EnvColumns) makes a slice of any environment. Write
//! your own slice for environments that can only be stepped together: a vectorised simulator, a device, a program in another language
//! ([`crate::foreign`]). Its settings implement [`MakeSlice`](crate::factory::MakeSlice), and
//! [`EnvFactory::slice`](crate::factory::EnvFactory::slice) makes them usable by every sampler.
//!
//! # The contract of a slice
//!
//! - A step is two calls, [`EnvSlice::begin_step`] and [`EnvSlice::end_step`], with the same [`StepIo`]. A slice that
//!   steps in another process or on a device starts the step in the first call and waits in the second, so that several slices of one
//!   worker step at the same time.
//! - A step concerns the columns whose `running` byte is not zero, and no others. Rewards, flags and info of the row are zero before the
//!   step. The result of each environment's step is passed to [`StepIo::record`], which writes reward and flags, keeps the true last
//!   observation of a truncated episode, and returns whether the environment must be reset now.
//! - If so, the slice first takes the environment's notes ([`EnvSlice::take_notes`] returns them later), then resets the environment into
//!   the same cell, so that the next step acts on the reset observation.
//! - Before every call of an environment the slice ticks its column ([`Ticks`]), so that a stalled environment can be distinguished from a
//!   slow batch, and named.
//!
//! ```text
//! for column in 0..io.running.len() where io.running[column] != 0 {
//!     io.ticks.tick(column);
//!     let step = simulator.step(column, io.action.cell(column), io.observation.cell(column), io.info.cell(column))?;
//!     if io.record(column, step)? {
//!         notes.extend(simulator.take_notes(column));
//!         simulator.reset(column, io.observation.cell(column))?;
//!     }
//! }
//! ```
mod ends;
mod several;
#[cfg(test)]
mod tests;

pub use self::ends::Ends;
pub use self::several::Several;
use crate::cells::{Row, RowMut};
use crate::env::{EnvError, EnvSpaces, Step};
use crate::progress::Progress;
use std::ops::Range;

/// When an environment is reset after the end of an episode.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// In the step that ended the episode; the next step acts on the reset observation.
    AtOnce,
    /// At the end of the batch; the steps until then are skipped and recorded as not valid.
    Wait,
}

/// A row of one slot of the block, in the numbering of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Slot of the block.
    pub slot: usize,
    /// Row within the slot.
    pub row: usize,
}

/// A failure in one column.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct SliceError {
    /// Column within the slice.
    pub column: usize,
    /// The error of the environment.
    pub error: EnvError,
}

impl SliceError {
    /// A failure of the environment in `column` of the slice.
    pub fn new(column: usize, error: impl Into<EnvError>) -> Self {
        Self { column, error: error.into() }
    }

    /// The same failure in a larger slice, in which this slice begins at column `first`.
    #[must_use]
    pub fn from_column(self, first: usize) -> Self {
        Self { column: first + self.column, ..self }
    }
}

/// Reports which column of a slice is about to be called.
#[derive(Clone, Copy, Debug)]
pub struct Ticks<'a> {
    progress: &'a Progress,
    first: usize,
}

impl<'a> Ticks<'a> {
    /// For a slice whose column 0 is column 0 of `progress`.
    pub fn new(progress: &'a Progress) -> Self {
        Self { progress, first: 0 }
    }

    /// Called before each call of the environment in `column`.
    #[inline]
    pub fn tick(self, column: usize) {
        self.progress.tick(self.first + column);
    }

    /// For a slice whose column 0 is `column` of this one.
    #[must_use]
    pub fn from_column(self, column: usize) -> Self {
        Self { first: self.first + column, ..self }
    }
}

/// One time step of a slice: rows of the sample block, all columns of the slice.
#[derive(Debug)]
pub struct StepIo<'a> {
    /// Row `t` of actions, rewards, flags and info. Observations go to row `t + 1` of the same slot.
    pub at: BlockRow,
    /// Not zero for columns to step; other columns must not be touched. Equal to the block's `valid` flags of row `t`.
    pub running: &'a [u8],
    /// Actions chosen for this step.
    pub action: Row<'a>,
    /// Receives the observations after the step.
    pub observation: RowMut<'a>,
    /// Rewards.
    pub reward: &'a mut [f32],
    /// `terminated` flags.
    pub terminated: &'a mut [u8],
    /// `truncated` flags.
    pub truncated: &'a mut [u8],
    /// `reset` flags: the environment must be reset (under [`ResetMode::AtOnce`]: was reset in this step).
    pub reset: &'a mut [u8],
    /// Numeric info.
    pub info: RowMut<'a>,
    /// Handles the ends of episodes.
    pub ends: Ends<'a>,
    /// Reports which column is being stepped.
    pub ticks: Ticks<'a>,
}

impl StepIo<'_> {
    /// Records the result of the step of `column`, after its observation was written. Returns `true` if the environment must be reset
    /// now, into the same cell, after its notes were taken.
    pub fn record(&mut self, column: usize, step: Step) -> Result<bool, SliceError> {
        self.reward[column] = step.reward as f32;
        self.terminated[column] = u8::from(step.terminated);
        self.truncated[column] = u8::from(step.truncated);
        self.reset[column] = u8::from(step.reset);
        if !step.done() && !step.reset {
            return Ok(false);
        }
        self.ends.end(column, step, self.observation.as_row().cell(column))
    }

    /// The step that is recorded for `column`.
    pub fn recorded(&self, column: usize) -> Step {
        Step {
            reward: f64::from(self.reward[column]),
            terminated: self.terminated[column] != 0,
            truncated: self.truncated[column] != 0,
            reset: self.reset[column] != 0,
        }
    }

    /// The same step for a range of the columns.
    pub fn part(&mut self, columns: Range<usize>) -> StepIo<'_> {
        StepIo {
            at: self.at,
            running: &self.running[columns.clone()],
            action: self.action.part(columns.clone()),
            observation: self.observation.part(columns.clone()),
            reward: &mut self.reward[columns.clone()],
            terminated: &mut self.terminated[columns.clone()],
            truncated: &mut self.truncated[columns.clone()],
            reset: &mut self.reset[columns.clone()],
            info: self.info.part(columns.clone()),
            ends: self.ends.part(columns.clone()),
            ticks: self.ticks.from_column(columns.start),
        }
    }
}

/// The row that a reset outside a step writes to.
#[derive(Debug)]
pub struct ResetIo<'a> {
    /// The row of the observations.
    pub at: BlockRow,
    /// The observations of that row, all columns of the slice.
    pub observation: RowMut<'a>,
    /// Reports which column is being reset.
    pub ticks: Ticks<'a>,
}

/// Environments that step together. See the module documentation for the contract.
pub trait EnvSlice: Send {
    /// Spaces of each environment.
    fn spaces(&self) -> EnvSpaces;

    /// Seeds one environment: its next reset begins from this seed.
    fn seed(&mut self, column: usize, seed: u64);

    /// Resets one environment into its cell. Notes of an unfinished episode are dropped.
    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError>;

    /// Starts the step, if another process or a device carries it out.
    fn begin_step(&mut self, _io: &mut StepIo<'_>) -> Result<(), SliceError> {
        Ok(())
    }

    /// Steps every running environment once, or waits until the step that was started is done.
    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError>;

    /// Free-form notes of episodes that ended since the last call, by column of the slice, in order of time.
    fn take_notes(&mut self) -> Vec<(usize, String)>;

    /// The state of every environment; `None` if it cannot save its state.
    fn save_states(&mut self, ticks: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError>;

    /// Restores one environment.
    fn load_state(
        &mut self,
        column: usize,
        state: &[u8],
        ticks: Ticks<'_>,
    ) -> Result<(), SliceError>;

    /// Asks environments that lie in another process or on a device to end, without waiting for them. Called for every slice of
    /// a worker before the first [`EnvSlice::close`], so that all of them end within one limit.
    fn begin_close(&mut self) {}

    /// Closes all environments; waits for those that [`EnvSlice::begin_close`] has asked to end.
    fn close(&mut self);
}
