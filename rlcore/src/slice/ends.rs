//! Handling of the ends of episodes, shared by all slices.
//!
//! - A truncated episode that did not terminate keeps its true last observation in `final_observation`: row `k` of the column
//!   for its `k`-th in this batch. The block has as many rows as `EnvSpaces::truncates_every` allows; more truncations are an error.
//! - A reset without `terminated` or `truncated` is an error.
//! - [`ResetMode::AtOnce`]: an environment that asks for a reset is reset in the same step, after its last observation was kept.
use super::{ResetMode, SliceError};
use crate::cells::{CellRef, Tree};
use crate::env::{EnvError, Step};
use std::ops::Range;

/// See the file's documentation. Columns count from the slice's first.
#[derive(Debug)]
pub struct Ends<'a> {
    mode: ResetMode,
    finals: &'a mut Tree,
    used: &'a mut [usize],
    /// Column of `finals` that corresponds to column 0 of the slice.
    first: usize,
}

impl<'a> Ends<'a> {
    /// `finals`: the block's part `final_observation`, `[rows, columns]`; `used`: how many of its rows each column has used in
    /// this batch.
    pub fn new(mode: ResetMode, finals: &'a mut Tree, used: &'a mut [usize]) -> Self {
        Self { mode, finals, used, first: 0 }
    }

    /// When an environment is reset after the end of an episode.
    pub fn mode(&self) -> ResetMode {
        self.mode
    }

    /// Number of rows of `final_observation` that a column has used in this batch, which is the index of the next one.
    pub fn used(&self, column: usize) -> usize {
        self.used[column]
    }

    pub(super) fn part(&mut self, columns: Range<usize>) -> Ends<'_> {
        let first = self.first + columns.start;
        Ends { mode: self.mode, finals: &mut *self.finals, used: &mut self.used[columns], first }
    }

    /// Called when a step of `column` was done or asks for a reset; `seen` is its observation. Returns whether it must be reset now.
    pub fn end(
        &mut self,
        column: usize,
        step: Step,
        seen: CellRef<'_>,
    ) -> Result<bool, SliceError> {
        let row = self.used[column];
        let reset = self.end_written(column, step)?;
        if self.used[column] > row {
            self.finals.cell_mut(row, self.first + column).copy_from(seen);
        }
        Ok(reset)
    }

    /// As [`Ends::end`], for a slice that has already written the last observation to row [`Ends::used`], and has already reset the
    /// environment if necessary.
    pub fn end_written(&mut self, column: usize, step: Step) -> Result<bool, SliceError> {
        let failed = |text| Err(SliceError { column, error: EnvError::new(text) });
        if step.reset && !step.done() {
            return failed("asks for a reset without terminated or truncated");
        }
        if step.truncated && !step.terminated {
            if self.used[column] >= self.finals.rows() {
                return failed("truncated more often than its spaces declare (truncates_every)");
            }
            self.used[column] += 1;
        }
        Ok(step.reset && self.mode == ResetMode::AtOnce)
    }
}
