//! A slice of columns: environments that step together, as a collector sees them.
//!
//! Write an [`Env`](crate::env::Env) first: [`EnvColumns`](crate::envs::columns::EnvColumns) makes a slice of any. A slice of your
//! own is for environments that are one thing: a vectorised simulator, a device, a program in another language
//! ([`crate::foreign`]). Its settings implement [`MakeSlice`](crate::factory::MakeSlice), and
//! [`EnvFactory::slice`](crate::factory::EnvFactory::slice) takes them to any sampler.
//!
//! # The contract of a slice
//!
//! - A step is two calls, [`EnvSlice::begin_step`] and [`EnvSlice::end_step`], with the same [`StepIo`]. Whoever works elsewhere
//!   hands the step over in the first and waits in the second, so that several slices of one worker are at work at once.
//! - A step touches the columns whose `running` byte is not zero, and no others. Rewards, flags and info of the row are zero
//!   before. What every step writes for its column is given to [`StepIo::record`], which writes reward and flags, keeps the true
//!   last observation of a truncated episode, and says whether the environment must be reset now.
//! - Where it must, the slice first takes the environment's notes ([`EnvSlice::take_notes`] hands them out later), then resets it
//!   into the same cell: the reset observation is what the next step sees.
//! - Before every call of an environment the slice ticks its column ([`Ticks`]): that is how a stalled environment is told from
//!   a slow batch, and which one it is.
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

/// What a finished episode does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// Resets in the step that ended it; the reset observation is what the next step sees.
    AtOnce,
    /// Waits for the end of the batch; skipped steps are recorded as not valid.
    Wait,
}

/// A row of one slot of the block, as a program that maps the segment finds it.
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
    /// The environment's words.
    pub error: EnvError,
}

impl SliceError {
    /// A failure of the environment in `column` of the slice.
    pub fn new(column: usize, error: impl Into<EnvError>) -> Self {
        Self { column, error: error.into() }
    }

    /// The same failure, seen from a slice in which this one begins at column `first`.
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
    /// For a slice whose column 0 is that of `progress`.
    pub fn new(progress: &'a Progress) -> Self {
        Self { progress, first: 0 }
    }

    /// The environment of `column` is about to be called.
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
    /// Columns to step: not zero; others are left alone. The block's `valid` flags of row `t` are the same.
    pub running: &'a [u8],
    /// Actions chosen for this step.
    pub action: Row<'a>,
    /// Where the observations after the step go.
    pub observation: RowMut<'a>,
    /// Rewards.
    pub reward: &'a mut [f32],
    /// Value ends.
    pub terminated: &'a mut [u8],
    /// Cut off.
    pub truncated: &'a mut [u8],
    /// Must be (and under [`ResetMode::AtOnce`] was) reset.
    pub reset: &'a mut [u8],
    /// Numeric info.
    pub info: RowMut<'a>,
    /// What an episode's end entails.
    pub ends: Ends<'a>,
    /// Reports which column is being stepped.
    pub ticks: Ticks<'a>,
}

impl StepIo<'_> {
    /// Records what the step of `column` returned, after its observation was written. True: the environment must be reset
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

    /// The step that was written for `column`.
    pub fn recorded(&self, column: usize) -> Step {
        Step {
            reward: f64::from(self.reward[column]),
            terminated: self.terminated[column] != 0,
            truncated: self.truncated[column] != 0,
            reset: self.reset[column] != 0,
        }
    }

    /// The same step for some of the columns.
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

/// Where a reset outside a step writes.
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

    /// Resets one environment into its cell. Its notes of an unfinished episode are dropped.
    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError>;

    /// Hands the step over, where another process or device does it.
    fn begin_step(&mut self, _io: &mut StepIo<'_>) -> Result<(), SliceError> {
        Ok(())
    }

    /// Steps every running environment once, or waits until the step handed over is done.
    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError>;

    /// Free-form notes of episodes that ended since the last call, by column of the slice, in order of time.
    fn take_notes(&mut self) -> Vec<(usize, String)>;

    /// The state of every environment, none where it cannot save itself.
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

    /// Ends all environments in order; waits for those that [`EnvSlice::begin_close`] has asked.
    fn close(&mut self);
}
