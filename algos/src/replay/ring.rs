//! The ring of steps: `[T_ring, B]` under one time cursor, all environments in step.
//!
//! After rlpyt's `replays/n_step.py` (storage and cursor). Differences: terminated, truncated and
//! skipped are kept apart, a truncated step keeps its own last observation, and previous action and
//! reward are those of the step before, null after an episode's end (rlpyt does that for `prev_*`
//! in its non-sequence replay only).
use super::ReplayError;
use super::column::Column;
use super::finals::Finals;
use rlcore::LeafSpec;
use rlcore::block::{Columns, flag};
use serde::{Deserialize, Serialize};

/// How a step ended. One value, since terminated beats truncated and a skipped step is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Outcome {
    /// The next row continues the episode.
    Running = 0,
    /// The value of what follows is zero; also a lost life, which goes on without a reset.
    Terminated = 1,
    /// Cut off; what follows has the value of the step's own final observation.
    Truncated = 2,
    /// The step did not happen (its environment waited for a reset), or what followed it was lost:
    /// never drawn.
    Skipped = 3,
}

impl Outcome {
    /// From a saved byte.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Running, Self::Terminated, Self::Truncated, Self::Skipped]
            .get(byte as usize)
            .copied()
    }
}

/// What a step is, beside its observation and action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Reward of the step.
    pub reward: f32,
    /// How it ended.
    pub outcome: Outcome,
    /// Cell of the final observation; means something only where the outcome is `Truncated`.
    pub(crate) final_slot: u32,
}

const UNWRITTEN: StepRecord = StepRecord { reward: 0.0, outcome: Outcome::Running, final_slot: 0 };

/// The last `rows` time steps of `columns` environments. A cell is numbered `row * columns +
/// column`.
#[derive(Debug)]
pub struct Ring {
    pub(crate) observation: Vec<Column>,
    pub(crate) action: Vec<Column>,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) finals: Finals,
    pub(crate) cursor: usize,
    pub(crate) full: bool,
    rows: usize,
    columns: usize,
    skipped: usize,
    truncated: Vec<usize>,
}

impl Ring {
    /// An empty ring for these leaves of one observation and one action.
    pub fn new(observation: &[LeafSpec], action: &[LeafSpec], rows: usize, columns: usize) -> Self {
        Self {
            observation: Column::all(observation, rows * columns),
            action: Column::all(action, rows * columns),
            steps: vec![UNWRITTEN; rows * columns],
            finals: Finals::new(observation),
            cursor: 0,
            full: false,
            rows,
            columns,
            skipped: 0,
            truncated: vec![0; columns],
        }
    }

    /// Copies rows `0..steps` of a block that holds all columns of this ring. Its first row
    /// continues the last one appended, unless [`Ring::cut`] was called in between. Nothing is
    /// written where an error is returned.
    ///
    /// # Errors
    /// A truncated step whose final observation the block has no room for.
    ///
    /// # Panics
    /// More steps than rows, or a block of other leaves.
    pub fn append(&mut self, samples: &Columns, steps: usize) -> Result<(), ReplayError> {
        assert!(steps <= self.rows, "{steps} steps into a ring of {}", self.rows);
        assert_eq!(samples.reward.columns(), self.columns, "columns of the block");
        self.check_finals(samples, steps)?;
        self.truncated.fill(0);
        for t in 0..steps {
            let first = self.cursor * self.columns;
            for (leaf, column) in self.observation.iter_mut().enumerate() {
                column.write(first, samples.observation.row_bytes(leaf, t));
            }
            for (leaf, column) in self.action.iter_mut().enumerate() {
                column.write(first, samples.action.row_bytes(leaf, t));
            }
            let rewards = samples.reward.row(t).get::<f32>(0);
            for (column, reward) in rewards.iter().enumerate() {
                self.vacate(first + column);
                let outcome = outcome(samples, t, column);
                let final_slot = if outcome == Outcome::Truncated {
                    let k = self.truncated[column];
                    self.truncated[column] += 1;
                    self.finals.keep(samples.final_observation.cell(k, column))
                } else {
                    0
                };
                self.put(first + column, StepRecord { reward: *reward, outcome, final_slot });
            }
            self.advance();
        }
        Ok(())
    }

    fn check_finals(&self, samples: &Columns, steps: usize) -> Result<(), ReplayError> {
        let capacity = samples.final_observation.rows();
        for column in 0..self.columns {
            let truncated =
                (0..steps).filter(|t| outcome(samples, *t, column) == Outcome::Truncated).count();
            if truncated > capacity {
                return Err(ReplayError::NoFinalObservation { column, truncated, capacity });
            }
        }
        Ok(())
    }

    /// Writes a record, giving back what the old one held.
    pub(crate) fn put(&mut self, cell: usize, record: StepRecord) {
        self.vacate(cell);
        self.steps[cell] = record;
        self.skipped += usize::from(record.outcome == Outcome::Skipped);
    }

    fn vacate(&mut self, cell: usize) {
        let old = std::mem::replace(&mut self.steps[cell], UNWRITTEN);
        match old.outcome {
            Outcome::Truncated => self.finals.release(old.final_slot),
            Outcome::Skipped => self.skipped -= 1,
            Outcome::Running | Outcome::Terminated => {}
        }
    }

    fn advance(&mut self) {
        self.cursor += 1;
        if self.cursor == self.rows {
            self.cursor = 0;
            self.full = true;
        }
    }

    /// Says that the next append does not continue the last (environments were restarted, as on a
    /// resume whose environments cannot save their state): steps that were running when it happened
    /// lose what followed, and are skipped.
    pub fn cut(&mut self) {
        if self.filled() == 0 {
            return;
        }
        let first = self.row_of_age(0) * self.columns;
        for cell in first..first + self.columns {
            let record = self.steps[cell];
            if record.outcome == Outcome::Running {
                self.put(cell, StepRecord { outcome: Outcome::Skipped, ..record });
            }
        }
    }

    /// Time steps that the ring can hold.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Environments.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The row that is written next.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Time steps stored.
    pub fn filled(&self) -> usize {
        if self.full { self.rows } else { self.cursor }
    }

    /// Steps stored that are [`Outcome::Skipped`].
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The row of the newest step (age 0) or one `age` steps older.
    #[inline]
    pub fn row_of_age(&self, age: usize) -> usize {
        debug_assert!(age < self.filled());
        (self.cursor + self.rows - 1 - age) % self.rows
    }

    /// The row `steps` after `row`, both less than one turn.
    #[inline]
    pub fn ahead(&self, row: usize, steps: usize) -> usize {
        let sum = row + steps;
        if sum >= self.rows { sum - self.rows } else { sum }
    }

    /// Skipped steps among those of one age.
    pub(crate) fn skipped_in(&self, age: usize) -> usize {
        let first = self.row_of_age(age) * self.columns;
        let row = &self.steps[first..first + self.columns];
        row.iter().filter(|s| s.outcome == Outcome::Skipped).count()
    }

    /// One step.
    #[inline]
    pub fn step(&self, row: usize, column: usize) -> StepRecord {
        self.steps[row * self.columns + column]
    }

    /// The row whose action and reward the agent knew when it acted at `row`; `None` at the start
    /// of an episode, where both are null. `row` is neither unwritten nor the oldest (its
    /// predecessor is gone).
    pub fn previous(&self, row: usize, column: usize) -> Option<usize> {
        let before = if row == 0 { self.rows - 1 } else { row - 1 };
        (self.step(before, column).outcome == Outcome::Running).then_some(before)
    }
}

fn outcome(samples: &Columns, t: usize, column: usize) -> Outcome {
    let flags = samples.flags.cell(t, column);
    let is = |leaf: usize| flags.u8(leaf)[0] != 0;
    if !is(flag::VALID) {
        Outcome::Skipped
    } else if is(flag::TERMINATED) {
        Outcome::Terminated
    } else if is(flag::TRUNCATED) {
        Outcome::Truncated
    } else {
        Outcome::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::testing::{Step, empty_block, observation_specs, set_step};

    #[test]
    fn final_observations_are_given_back() {
        let mut ring = Ring::new(&observation_specs(), &[], 5, 2);
        let mut block = empty_block(&observation_specs(), &[], 3, 2);
        for t in 0..3 {
            for column in 0..2 {
                let step = Step { reward: 0.0, outcome: Outcome::Truncated };
                set_step(&mut block, t, column, step);
            }
        }
        for _ in 0..20 {
            ring.append(&block, 3).unwrap();
        }
        assert_eq!(ring.finals.cells, 10);
    }

    #[test]
    #[should_panic(expected = "6 steps into a ring of 5")]
    fn more_steps_than_rows_is_a_bug() {
        let mut ring = Ring::new(&[], &[], 5, 1);
        let _ = ring.append(&empty_block(&[], &[], 6, 1), 6);
    }
}
