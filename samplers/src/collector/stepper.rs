//! The environments' half of a collector: steps one slice of columns and writes the results directly into the block.
use super::scan::{nan_in, not_finite, others};
use super::status::{ColumnStatus, Then, Turn};
use super::{CollectorError, CollectorSpec};
use crate::watchdog::NOBODY;
use rlcore::block::{Columns, flag};
use rlcore::cells::Tree;
use rlcore::env::{EnvContext, EnvError};
use rlcore::progress::Progress;
use rlcore::slice::{BlockRow, Ends, EnvSlice, ResetIo, ResetMode, SliceError, StepIo, Ticks};
use rlcore::traj::Trackers;
use rlcore::{EnvSpaces, SlicePlace};

/// The environments of a slice of columns, with their state other than that of acting.
pub(crate) struct Stepper {
    pub(super) spec: CollectorSpec,
    pub(super) spaces: EnvSpaces,
    pub(super) envs: Box<dyn EnvSlice>,
    /// The slot of the block that the current batch fills.
    slot: usize,
    pub(super) trackers: Trackers,
    /// A cell that holds the null action.
    null_action: Tree,
    /// Not zero if the last step was `done`, so that the next step has no previous action and reward.
    pub(super) fresh: Vec<u8>,
    /// Not zero for columns that are stepped.
    pub(super) running: Vec<u8>,
    /// Rows of `final_observation` that each column has used in this batch.
    pub(super) final_used: Vec<usize>,
    /// The other state of each column.
    pub(super) status: Vec<ColumnStatus>,
    notes: Vec<(usize, String)>,
}

/// A cell that holds the null action, which stands for no action.
pub(super) fn null_action(spaces: &EnvSpaces) -> Tree {
    let mut null = Tree::owned(&spaces.action.leaves("action"), 1, 1);
    spaces.action.null(&mut null.cell_mut(0, 0));
    null
}

/// T, the index of the row after the last step.
pub(super) fn last_row(c: &Columns) -> usize {
    c.observation.rows() - 1
}

/// Copies the last row of `last`, or of `tree` itself, to row 0 of `tree`.
fn continue_row(tree: &mut Tree, last: Option<&Tree>) {
    match last {
        Some(last) => tree.row_mut(0).copy_from(last.row(last.rows() - 1)),
        None => tree.copy_row(tree.rows() - 1, 0),
    }
}

impl Stepper {
    /// Builds the environments, whose columns lie in `place`, without resetting them. Ticks before each constructor.
    pub(crate) fn new(
        spec: CollectorSpec,
        place: &SlicePlace,
        progress: &Progress,
    ) -> Result<Self, CollectorError> {
        let n = spec.columns;
        let contexts: Vec<_> =
            (0..n).map(|c| EnvContext { env_rank: spec.first_rank.offset(c) }).collect();
        let envs = spec.env.build(&contexts, place, progress).map_err(|e| spec.env_failed(e))?;
        // What is constructed next is not an environment.
        progress.tick(NOBODY);
        let spaces = envs.spaces();
        if spaces != spec.spaces {
            let error = EnvError::new(
                "its spaces differ from those of the example environment, from which the memory was laid out: every environment of a run must have the same",
            );
            return Err(spec.env_failed(SliceError::new(0, error)));
        }
        Ok(Self {
            trackers: Trackers::new(n, spec.discount, &spaces),
            null_action: null_action(&spaces),
            fresh: vec![1; n],
            running: vec![1; n],
            final_used: vec![0; n],
            status: vec![ColumnStatus::NEW; n],
            notes: Vec::new(),
            spaces,
            envs,
            slot: 0,
            spec,
        })
    }

    /// Env rank of the first column.
    pub(crate) fn first_rank(&self) -> usize {
        self.spec.first_rank.0
    }

    pub(super) fn reset(
        &mut self,
        c: &mut Columns,
        column: usize,
        row: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let at = BlockRow { slot: self.slot, row };
        let observation = c.observation.row_mut(row);
        let mut io = ResetIo { at, observation, ticks: Ticks::new(progress) };
        self.envs.reset(column, &mut io).map_err(|e| self.spec.env_failed(e))
    }

    /// Steps the running environments: actions and results in row `t`, observations in row `t + 1`.
    pub(super) fn step_envs(
        &mut self,
        c: &mut Columns,
        t: usize,
        mode: ResetMode,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let seen = t + 1;
        let [terminated, truncated, reset, valid] = c.flags.row_mut(t).split::<u8, 4>();
        terminated.fill(0);
        truncated.fill(0);
        reset.fill(0);
        valid.copy_from_slice(&self.running);
        let [reward] = c.reward.row_mut(t).split::<f32, 1>();
        reward.fill(0.0);
        c.env_info.row_mut(t).zero();
        let mut io = StepIo {
            at: BlockRow { slot: self.slot, row: t },
            running: &self.running,
            action: c.action.row(t),
            observation: c.observation.row_mut(seen),
            reward,
            terminated,
            truncated,
            reset,
            info: c.env_info.row_mut(t),
            ends: Ends::new(mode, &mut c.final_observation, &mut self.final_used),
            ticks: Ticks::new(progress),
        };
        let stepped = self.envs.begin_step(&mut io).and_then(|()| self.envs.end_step(&mut io));
        stepped.map_err(|e| self.spec.env_failed(e))?;
        let cut = others(c.flags.row(t).get::<u8>(flag::TRUNCATED), 0).next();
        let finals = cut.and_then(|_| {
            let slots = self.final_used.iter().copied().max().unwrap_or(0);
            (0..slots).find_map(|s| nan_in(c.final_observation.row(s)))
        });
        let reward = c.reward.row(t).get::<f32>(0);
        let found = nan_in(c.observation.row(seen)).or(finals).or_else(|| not_finite(reward));
        self.spec.not_finite(found)?;
        self.trackers.step(&self.running, reward, c.env_info.row(t));
        Ok(())
    }

    /// Begins a batch in `c`, the columns of this slot of the block. The last row of the batch before becomes row 0; that batch lies in
    /// `last`, or in `c` if `last` is `None`.
    pub(crate) fn begin_batch(
        &mut self,
        slot: usize,
        c: &mut Columns,
        last: Option<&Columns>,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        self.slot = slot;
        continue_row(&mut c.observation, last.map(|l| &l.observation));
        continue_row(&mut c.prev_action, last.map(|l| &l.prev_action));
        continue_row(&mut c.prev_reward, last.map(|l| &l.prev_reward));
        for column in 0..self.spec.columns {
            if self.status[column].is_reset_next() {
                self.reset(c, column, 0, progress)?;
            }
        }
        // Observations of resets outside a step have not been checked yet.
        self.spec.not_finite(nan_in(c.observation.row(0)))?;
        let row = last_row(c);
        for (status, running) in self.status.iter_mut().zip(&mut self.running) {
            let runs = status.quota != Some(0);
            status.turn = if runs { Turn::Runs } else { Turn::Waits { row, then: Then::Continue } };
            status.finished = 0;
            *running = u8::from(runs);
        }
        self.final_used.fill(0);
        Ok(())
    }

    /// Steps the environments with the actions of row `t`.
    pub(crate) fn step(
        &mut self,
        c: &mut Columns,
        t: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        self.step_envs(c, t, self.spec.mode, progress)?;
        self.finish_step(c, t);
        self.write_previous(c, t);
        if t + 1 == last_row(c) {
            for (column, status) in self.status.iter().enumerate() {
                if let Turn::Waits { row, .. } = status.turn
                    && row != t + 1
                {
                    c.observation.copy_cell(column, row, t + 1);
                }
            }
        }
        Ok(())
    }

    fn finish_step(&mut self, c: &mut Columns, t: usize) {
        let [terminated, truncated, reset, valid] = c.flags.row_mut(t).split::<u8, 4>();
        if t + 1 < c.observation.rows() - 1 {
            // The observation of a waiting column is zero; row T will receive the observation that the column holds.
            for column in others(valid, 1) {
                c.observation.cell_mut(t + 1, column).zero();
            }
        }
        for ((fresh, terminated), truncated) in self.fresh.iter_mut().zip(terminated).zip(truncated)
        {
            *fresh = *terminated | *truncated;
        }
        // A waiting column stays `fresh`: its last step was `done`.
        for column in others(valid, 1) {
            self.fresh[column] = 1;
        }
        let mut ended = false;
        for column in others(&self.fresh, 0) {
            if valid[column] == 0 {
                continue;
            }
            let status = &mut self.status[column];
            let mut stop = self.spec.mode == ResetMode::Wait;
            if reset[column] != 0 {
                self.trackers.finish(column, &mut c.trajectory.cell_mut(status.finished, column));
                status.finished += 1;
                ended = true;
                if let Some(quota) = &mut status.quota {
                    *quota -= 1;
                    stop |= *quota == 0;
                }
            }
            if stop {
                let must_reset = self.spec.mode == ResetMode::Wait && reset[column] != 0;
                let then = if must_reset { Then::Reset } else { Then::Continue };
                status.turn = Turn::Waits { row: t + 1, then };
                self.running[column] = 0;
            }
        }
        if ended {
            let rank = |column| self.spec.first_rank.offset(column).0;
            let notes = self.envs.take_notes().into_iter();
            self.notes.extend(notes.map(|(column, note)| (rank(column), note)));
        }
    }

    /// Writes the previous action and reward for row `t + 1`.
    fn write_previous(&mut self, c: &mut Columns, t: usize) {
        let (mut action, [reward]) =
            (c.prev_action.row_mut(t + 1), c.prev_reward.row_mut(t + 1).split::<f32, 1>());
        action.copy_from(c.action.row(t));
        reward.copy_from_slice(c.reward.row(t).get::<f32>(0));
        for column in others(&self.fresh, 0) {
            action.cell(column).copy_from(self.null_action.cell(0, 0));
            reward[column] = 0.0;
        }
    }

    /// Writes the null action and zero reward into row T: the next step of `column` has no step before it.
    pub(super) fn no_previous(&self, c: &mut Columns, column: usize) {
        let last = last_row(c);
        let null = self.null_action.cell(0, 0);
        c.prev_action.cell_mut(last, column).copy_from(null);
        c.prev_reward.row_mut(last).get::<f32>(0)[column] = 0.0;
    }

    /// Free-form notes of finished episodes since the last call, with their env rank.
    pub(crate) fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Asks environments that lie outside this process to end, without waiting for them.
    pub(crate) fn begin_close(&mut self) {
        self.envs.begin_close();
    }

    /// Closes the environments; waits for those that were asked to end.
    pub(crate) fn close(&mut self) {
        self.envs.close();
    }
}
