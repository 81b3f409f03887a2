//! The store of steps: named leaves, reward and outcome of each step, in a ring `[T_ring, B]` with one
//! time cursor for all environments.
//!
//! Follows rlpyt's `replays/n_step.py` (storage and cursor). Differences: terminated, truncated and
//! skipped steps are distinguished; a truncated step keeps its own final observation; previous action
//! and reward are null after an episode's end (in rlpyt only in the non-sequence replay).
use super::finals::Finals;
use super::leaf::{LeafStore, StoredLeaf, zeroed};
use super::outcome::{Outcome, outcomes};
use super::{Key, ReplayError};
use rlcore::BatchSpec;
use rlcore::block::{Columns, Part};

/// The last `rows` time steps of `columns` environments. A cell is numbered `row * columns +
/// column`.
#[derive(Debug)]
pub struct Store {
    pub(super) leaves: Vec<LeafStore>,
    /// Rewards `[rows * columns]`.
    pub(super) reward: Vec<f32>,
    /// Bytes of [`Outcome`] `[rows * columns]`.
    pub(super) outcome: Vec<u8>,
    /// `[rows * columns]`: the cell of the final observation, where the outcome is truncated. Empty
    /// where the environment never truncates.
    pub(super) final_slot: Vec<u32>,
    pub(super) finals: Option<Finals>,
    /// The row that is written next.
    pub(super) cursor: usize,
    /// How often the cursor has returned to row 0.
    pub(super) turn: u64,
    pub(super) skipped: usize,
    rows: usize,
    columns: usize,
    truncated: Vec<usize>,
}

/// Bytes per step, apart from the leaves: reward and outcome.
pub(super) const STEP_BYTES: usize = 5;
/// Bytes per step of the index of final observations.
pub(super) const SLOT_BYTES: usize = 4;

impl Store {
    /// An empty store of `rows` time steps of `spec.b` environments. `truncates`: whether final
    /// observations are kept; their leaves are those of [`Part::Observation`] among `leaves`.
    ///
    /// # Errors
    /// A leaf that is stored every k steps where `rows` or `spec.t` is no multiple of k; too little
    /// memory.
    pub fn new(
        spec: BatchSpec,
        rows: usize,
        leaves: Vec<StoredLeaf>,
        truncates: bool,
    ) -> Result<Self, ReplayError> {
        for StoredLeaf { spec: leaf, every, .. } in &leaves {
            for (of, steps) in [("a batch", spec.t), ("the ring", rows)] {
                if *every == 0 || !steps.is_multiple_of(*every) {
                    let (leaf, every) = (leaf.name.clone(), *every);
                    return Err(ReplayError::Interval { leaf, every, steps, of });
                }
            }
        }
        let (columns, cells) = (spec.b, rows.saturating_mul(spec.b));
        let observation = leaves.iter().filter(|l| l.part == Part::Observation).cloned().collect();
        let stores: Result<_, _> = leaves
            .into_iter()
            .map(|leaf| {
                let cells = (rows / leaf.every).saturating_mul(columns);
                LeafStore::new(leaf, cells)
            })
            .collect();
        Ok(Self {
            leaves: stores?,
            reward: zeroed(cells)?,
            outcome: zeroed(cells)?,
            final_slot: zeroed(if truncates { cells } else { 0 })?,
            finals: if truncates { Some(Finals::new(observation)?) } else { None },
            cursor: 0,
            turn: 0,
            skipped: 0,
            rows,
            columns,
            truncated: vec![0; columns],
        })
    }

    /// Copies all steps of a block that holds all columns of this store. Its first row continues
    /// the last one appended, unless [`Store::cut`] was called in between. Returns the number of
    /// time steps.
    ///
    /// # Errors
    /// Those of [`Store::check`]; nothing is written then.
    pub fn append(&mut self, samples: &Columns) -> Result<usize, ReplayError> {
        let steps = self.check(samples)?;
        self.write(samples, steps);
        Ok(steps)
    }

    /// Checks that a block can be appended, and returns its number of time steps.
    ///
    /// # Errors
    /// More steps than rows, a block of other columns or without a stored leaf, or a truncated step
    /// whose final observation the block has no room for.
    pub fn check(&self, samples: &Columns) -> Result<usize, ReplayError> {
        let (steps, columns) = (samples.reward.rows(), samples.reward.columns());
        if steps > self.rows || columns != self.columns {
            let (rows, wanted) = (self.rows, self.columns);
            return Err(ReplayError::OtherBlock { steps, columns, rows, wanted });
        }
        for leaf in &self.leaves {
            leaf.check(samples, steps)?;
        }
        let finals = &samples.final_observation;
        let capacity = match &self.finals {
            Some(kept) if kept.fit(finals.specs()) => finals.rows(),
            _ => 0,
        };
        let mut truncated = vec![0; columns];
        for t in 0..steps {
            for (count, outcome) in truncated.iter_mut().zip(outcomes(samples, t)) {
                *count += usize::from(outcome == Outcome::Truncated);
            }
        }
        match truncated.iter().position(|count| *count > capacity) {
            Some(column) => {
                let truncated = truncated[column];
                Err(ReplayError::NoFinalObservation { column, truncated, capacity })
            }
            None => Ok(steps),
        }
    }

    /// Writes a block that passed [`Store::check`].
    pub(super) fn write(&mut self, samples: &Columns, steps: usize) {
        for leaf in &mut self.leaves {
            leaf.append(samples, steps, self.cursor, self.rows);
        }
        self.truncated.fill(0);
        for t in 0..steps {
            let first = self.cursor * self.columns;
            let rewards = samples.reward.row(t).get::<f32>(0);
            self.reward[first..first + self.columns].copy_from_slice(rewards);
            for (column, outcome) in outcomes(samples, t).enumerate() {
                let cell = first + column;
                self.vacate(cell);
                if let (Outcome::Truncated, Some(finals)) = (outcome, &mut self.finals) {
                    let k = self.truncated[column];
                    self.truncated[column] += 1;
                    self.final_slot[cell] = finals.keep(samples.final_observation.cell(k, column));
                }
                self.outcome[cell] = outcome as u8;
                self.skipped += usize::from(outcome == Outcome::Skipped);
            }
            self.cursor += 1;
            if self.cursor == self.rows {
                self.cursor = 0;
                self.turn += 1;
            }
        }
    }

    /// Frees the final observations of the time steps that are about to be overwritten.
    fn vacate(&mut self, cell: usize) {
        match self.outcome_at(cell) {
            Outcome::Truncated => {
                if let Some(finals) = &mut self.finals {
                    finals.release(self.final_slot[cell]);
                }
            }
            Outcome::Skipped => self.skipped -= 1,
            Outcome::Running | Outcome::Terminated => {}
        }
    }

    /// Says that the next append does not continue the last one: the environments were reset, such as
    /// on a resume with environments that cannot save their state. The successors of the newest steps
    /// are lost, so those of them that did not end an episode are skipped from now on.
    pub fn cut(&mut self) {
        if self.filled() == 0 {
            return;
        }
        let first = self.row_of_age(0) * self.columns;
        for outcome in &mut self.outcome[first..first + self.columns] {
            if *outcome == Outcome::Running as u8 {
                *outcome = Outcome::Skipped as u8;
                self.skipped += 1;
            }
        }
    }

    /// Removes all steps.
    pub fn clear(&mut self) {
        self.outcome.fill(Outcome::Running as u8);
        self.finals.iter_mut().for_each(|finals| finals.reset(0));
        (self.cursor, self.turn, self.skipped) = (0, 0, 0);
    }

    /// Time steps that the ring can hold.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of environments.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The row that is written next.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether every row holds a step.
    pub fn is_full(&self) -> bool {
        self.turn > 0
    }

    /// Number of time steps stored.
    pub fn filled(&self) -> usize {
        if self.is_full() { self.rows } else { self.cursor }
    }

    /// Number of time steps ever appended. Step s, counted from 0, is or was at row `s % rows`.
    pub fn head(&self) -> u64 {
        self.turn * self.rows as u64 + self.cursor as u64
    }

    /// Number of stored steps that are [`Outcome::Skipped`].
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The key of a cell that holds a step.
    #[inline]
    pub fn key(&self, cell: usize) -> Key {
        debug_assert!(cell < self.filled() * self.columns);
        let this_turn = cell < self.cursor * self.columns;
        Key { cell, generation: if this_turn { self.turn } else { self.turn.wrapping_sub(1) } }
    }

    /// Whether the cell still holds the step that the key was made for.
    #[inline]
    pub fn holds(&self, key: Key) -> bool {
        key.cell < self.filled() * self.columns && self.key(key.cell) == key
    }

    /// The row of the newest step (age 0) or one `age` steps older.
    #[inline]
    pub fn row_of_age(&self, age: usize) -> usize {
        debug_assert!(age < self.filled());
        (self.cursor + self.rows - 1 - age) % self.rows
    }

    /// The row that is `steps` time steps after `row`; `steps` is below the number of rows.
    #[inline]
    pub fn ahead(&self, row: usize, steps: usize) -> usize {
        let sum = row + steps;
        if sum >= self.rows { sum - self.rows } else { sum }
    }

    /// Reward of the step in a cell.
    #[inline]
    pub fn reward_at(&self, cell: usize) -> f32 {
        self.reward[cell]
    }

    /// How the step in a cell ended.
    #[inline]
    pub fn outcome_at(&self, cell: usize) -> Outcome {
        Outcome::of_byte(self.outcome[cell])
    }

    /// The cell of a truncated step's final observation.
    #[inline]
    pub(super) fn final_slot_at(&self, cell: usize) -> u32 {
        self.final_slot.get(cell).copied().unwrap_or(0)
    }

    /// The row of the previous action and reward for the step at `row`; `None` at the start of an
    /// episode, where both are null. `row` must hold a step other than the oldest, whose predecessor
    /// has been overwritten.
    pub fn previous(&self, row: usize, column: usize) -> Option<usize> {
        let before = if row == 0 { self.rows - 1 } else { row - 1 };
        let outcome = self.outcome_at(before * self.columns + column);
        (outcome == Outcome::Running).then_some(before)
    }

    /// The bytes of one cell of the leaf `name` of `part` at time step `row`; for a leaf that is
    /// stored every k steps, those of the last stored step up to `row`. `None` where the leaf is
    /// not stored.
    pub fn bytes_of(&self, part: Part, name: &str, row: usize, column: usize) -> Option<&[u8]> {
        let leaf = self.part(part).find(|leaf| leaf.leaf.spec.name == name)?;
        Some(leaf.cell(row / leaf.leaf.every * self.columns + column))
    }

    /// The stored leaves of one part, in the order in which they were given.
    pub(super) fn part(&self, part: Part) -> impl Iterator<Item = &LeafStore> {
        self.leaves.iter().filter(move |leaf| leaf.leaf.part == part)
    }

    /// Bytes of memory in use.
    pub fn bytes(&self) -> u64 {
        let leaves: u64 = self.leaves.iter().map(LeafStore::taken).sum();
        let finals = self.finals.as_ref().map_or(0, Finals::taken);
        let steps = self.reward.len() * STEP_BYTES + self.final_slot.len() * SLOT_BYTES;
        leaves + finals + steps as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::testing::{Step, empty_block, set_step, spaces};
    use crate::replay::transitions::stored;

    fn store(rows: usize, b: usize) -> Store {
        Store::new(BatchSpec { t: 1, b }, rows, stored(&spaces()), true).unwrap()
    }

    #[test]
    fn final_observations_are_given_back() {
        let mut store = store(5, 2);
        let mut block = empty_block(&spaces(), 3, 2);
        for t in 0..3 {
            for column in 0..2 {
                let step = Step { reward: 0.0, outcome: Outcome::Truncated };
                set_step(&mut block, t, column, step);
            }
        }
        for _ in 0..20 {
            store.append(&block).unwrap();
        }
        assert_eq!(store.finals.unwrap().cells, 10);
    }

    #[test]
    fn blocks_that_do_not_fit_change_nothing() {
        let mut store = store(5, 2);
        for (t, b) in [(6, 2), (3, 1)] {
            let text = store.append(&empty_block(&spaces(), t, b)).unwrap_err().to_string();
            assert!(text.contains(&format!("{t} time steps of {b} environments")), "{text}");
        }
        let mut other = spaces();
        other.action = rlcore::Space::uniform_box(rlcore::DType::F32, &[2], -1.0, 1.0);
        let text = store.append(&empty_block(&other, 1, 2)).unwrap_err().to_string();
        let says = "no leaf `action` (i64 []) in its part Action, which has `action` (f32 [2])";
        assert!(text.contains(says), "{text}");
        assert_eq!(store.head(), 0);
    }
}
