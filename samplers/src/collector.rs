//! The one collector loop: agent and environments take turns over one slice of columns, straight into the sample block.
//!
//! Follows `rlpyt/samplers/collectors.py` and the six files beside it; differs: one loop for all; previous action and reward
//! are null after every `done`; what waits shows its true reset observation at the next batch; terminated, truncated, reset
//! and valid are kept apart.
mod life;
mod scan;
mod spec;

use self::scan::{nan_in, not_finite, others};
pub use self::spec::{CollectorError, CollectorSpec};
use crate::error::Cause;
use crate::watchdog::NOBODY;
use agents::{ActIo, Agent, Phase, ValueIo};
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout, flag};
use rlcore::cells::Tree;
use rlcore::env::{EnvContext, SliceError};
use rlcore::envs::columns::{EnvSlice, ResetMode, StepIo};
use rlcore::progress::Progress;
use rlcore::seed::{self, Rng};
use rlcore::segment::Segment;
use rlcore::tensor::RowTensors;
use rlcore::traj::Trackers;
use rlcore::{BatchSpec, EnvSpaces};

/// One slice of columns with everything that belongs to its environments.
pub struct Collector {
    spec: CollectorSpec,
    spaces: EnvSpaces,
    envs: Box<dyn EnvSlice>,
    columns: Columns,
    observation_tensors: Vec<RowTensors>,
    prev_action_tensors: Vec<RowTensors>,
    prev_reward_tensors: Vec<RowTensors>,
    /// Recurrent state, one row; in a segment so that agents see it as tensors.
    state: Tree,
    state_tensors: RowTensors,
    rng: Vec<Rng>,
    trackers: Trackers,
    /// Action and reward of the last step, for the next batch's first row.
    carried_action: Tree,
    /// One cell with the null action.
    null_action: Tree,
    carried_reward: Vec<f32>,
    /// The last step was `done`: the next one has no previous action and reward.
    fresh: Vec<u8>,
    /// Stepped in this batch.
    running: Vec<u8>,
    /// Ended while waiting: to be reset before the next batch.
    to_reset: Vec<u8>,
    /// Row of the observation that a waiting column holds on to.
    held: Vec<usize>,
    final_used: Vec<usize>,
    finished: Vec<usize>,
    /// Episodes that a column may still start; none for no limit.
    quota: Option<Vec<usize>>,
    notes: Vec<(usize, String)>,
    /// Memory to give back at the end.
    own_block: Option<Block>,
    state_segment: Option<&'static Segment>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.own_block.iter().for_each(Block::release);
        self.state_segment.iter().for_each(|s| s.release_pages());
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector({} columns from {:?})", self.spec.columns, self.spec.first_rank)
    }
}

impl Collector {
    /// Builds the environments. Nothing is reset yet.
    pub fn new(
        spec: CollectorSpec,
        columns: Columns,
        schema: &AgentSchema,
    ) -> Result<Self, CollectorError> {
        let n = spec.columns;
        let contexts: Vec<_> =
            (0..n).map(|c| EnvContext { env_rank: spec.first_rank.offset(c) }).collect();
        let envs = spec.env.build(&contexts).map_err(|e| spec.env_failed(e))?;
        let spaces = envs.spaces();
        let bytes = Block::beside_bytes(&schema.state, 1, n);
        let create = || Segment::create("recurrent state", bytes);
        let state_segment = (bytes > 0).then(create).transpose()?;
        let state = match state_segment {
            Some(segment) => Block::beside(segment, 0, &schema.state, 1, n),
            None => Tree::owned(&[], 1, n),
        };
        let mut null_action = Tree::owned(&spaces.action.leaves("action"), 1, 1);
        spaces.action.null(&mut null_action.cell_mut(0, 0));
        let state_tensors = state_segment.map_or(vec![], |_| state.row_tensors().remove(0));
        Ok(Self {
            trackers: Trackers::new(n, spec.discount, &spaces),
            observation_tensors: columns.observation.row_tensors(),
            prev_action_tensors: columns.prev_action.row_tensors(),
            prev_reward_tensors: columns.prev_reward.row_tensors(),
            carried_action: Tree::owned(&spaces.action.leaves("action"), 1, n),
            null_action,
            carried_reward: vec![0.0; n],
            fresh: vec![1; n],
            running: vec![1; n],
            to_reset: vec![0; n],
            held: vec![columns.observation.rows() - 1; n],
            final_used: vec![0; n],
            finished: vec![0; n],
            quota: None,
            notes: Vec::new(),
            own_block: None,
            state_segment,
            rng: (0..n).map(|c| seed::rng(c as u64)).collect(),
            spaces,
            envs,
            columns,
            state,
            state_tensors,
            spec,
        })
    }

    /// A collector with a block of its own, for evaluation.
    pub fn with_own_block(
        spec: CollectorSpec,
        t: usize,
        schema: &AgentSchema,
    ) -> Result<Self, CollectorError> {
        let example =
            spec.env.spaces().map_err(|error| spec.env_failed(SliceError { column: 0, error }))?;
        let layout = Layout::new(
            BatchSpec { t, b: spec.columns },
            &example,
            schema,
            BlockOptions::default(),
        );
        let block = Block::create(layout)?;
        let columns = block.columns(0..spec.columns);
        let mut collector = Self::new(spec, columns, schema)?;
        collector.own_block = Some(block);
        Ok(collector)
    }

    fn last_row(&self) -> usize {
        self.columns.observation.rows() - 1
    }

    fn t(&self) -> usize {
        self.columns.reward.rows()
    }

    fn reset(
        &mut self,
        column: usize,
        row: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let mut row = self.columns.observation.row_mut(row);
        self.envs.reset(column, &mut row, progress).map_err(|e| self.spec.env_failed(e))
    }

    /// Steps the running environments: actions and results in row `t`, observations in row `seen`.
    fn step_envs(
        &mut self,
        t: usize,
        seen: usize,
        mode: ResetMode,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let c = &mut self.columns;
        let [terminated, truncated, reset, valid] = c.flags.row_mut(t).split::<u8, 4>();
        terminated.fill(0);
        truncated.fill(0);
        reset.fill(0);
        valid.copy_from_slice(&self.running);
        let [reward] = c.reward.row_mut(t).split::<f32, 1>();
        reward.fill(0.0);
        c.env_info.row_mut(t).zero();
        let mut io = StepIo {
            running: &self.running,
            action: c.action.row(t),
            observation: c.observation.row_mut(seen),
            reward,
            terminated,
            truncated,
            reset,
            info: c.env_info.row_mut(t),
            final_observation: &mut c.final_observation,
            final_used: &mut self.final_used,
            progress,
        };
        self.envs.step(&mut io, mode).map_err(|e| self.spec.env_failed(e))?;
        let slots = self.final_used.iter().copied().max().unwrap_or(0);
        let cut = others(c.flags.row(t).get::<u8>(flag::TRUNCATED), 0).next();
        let finals = cut.and_then(|_| (0..slots).find_map(|s| nan_in(c.final_observation.row(s))));
        let reward = c.reward.row(t).get::<f32>(0);
        let found = nan_in(c.observation.row(seen)).or(finals).or_else(|| not_finite(reward));
        self.spec.not_finite(found)?;
        self.trackers.step(&self.running, reward, c.env_info.row(t));
        Ok(())
    }

    fn carry(&mut self, t: usize) {
        self.carried_action.row_mut(0).copy_from(self.columns.action.row(t));
        self.carried_reward.copy_from_slice(self.columns.reward.row(t).get::<f32>(0));
    }

    /// What the last batch left becomes this batch's first row.
    fn begin_batch(&mut self, progress: &Progress) -> Result<(), CollectorError> {
        let last = self.last_row();
        self.columns.observation.copy_row(last, 0);
        for c in 0..self.spec.columns {
            if self.to_reset[c] != 0 {
                self.reset(c, 0, progress)?;
                self.to_reset[c] = 0;
            }
        }
        // What came from a reset outside a step was not looked at yet.
        self.spec.not_finite(nan_in(self.columns.observation.row(0)))?;
        match &self.quota {
            Some(quota) => {
                self.running.iter_mut().zip(quota).for_each(|(r, q)| *r = u8::from(*q > 0));
            }
            None => self.running.fill(1),
        }
        self.held.fill(last);
        self.final_used.fill(0);
        self.finished.fill(0);
        Ok(())
    }

    /// Fills the block once.
    pub fn collect(
        &mut self,
        agent: &mut dyn Agent,
        phase: Phase,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        self.begin_batch(progress)?;
        let t_end = self.t();
        for t in 0..t_end {
            self.write_previous(t);
            if t.is_multiple_of(self.spec.state_interval) && self.state.row(0).leaves() > 0 {
                let row = t / self.spec.state_interval;
                self.columns.agent_state.row_mut(row).copy_from(self.state.row(0));
            }
            self.act(t, agent, phase, progress)?;
            self.step_envs(t, t + 1, self.spec.mode, progress)?;
            self.finish_step(t);
        }
        self.write_previous(t_end);
        self.carry(t_end - 1);
        for c in 0..self.spec.columns {
            if self.held[c] != t_end {
                self.columns.observation.copy_cell(c, self.held[c], t_end);
            }
        }
        self.bootstrap(agent)
    }

    fn write_previous(&mut self, t: usize) {
        let c = &mut self.columns;
        let (mut action, [reward]) =
            (c.prev_action.row_mut(t), c.prev_reward.row_mut(t).split::<f32, 1>());
        if t == 0 {
            action.copy_from(self.carried_action.row(0));
            reward.copy_from_slice(&self.carried_reward);
        } else {
            action.copy_from(c.action.row(t - 1));
            reward.copy_from_slice(c.reward.row(t - 1).get::<f32>(0));
        }
        for column in others(&self.fresh, 0) {
            action.cell(column).copy_from(self.null_action.cell(0, 0));
            reward[column] = 0.0;
        }
    }

    fn act(
        &mut self,
        t: usize,
        agent: &mut dyn Agent,
        phase: Phase,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        progress.tick(NOBODY);
        let c = &mut self.columns;
        let mut io = ActIo {
            first_rank: self.spec.first_rank,
            observation: c.observation.row(t),
            observation_tensors: &self.observation_tensors[t],
            prev_action: c.prev_action.row(t),
            prev_action_tensors: &self.prev_action_tensors[t],
            prev_reward: c.prev_reward.row(t).get::<f32>(0),
            prev_reward_tensor: &self.prev_reward_tensors[t][0],
            action: c.action.row_mut(t),
            info: c.agent_info.row_mut(t),
            state: self.state.row_mut(0),
            state_tensors: &self.state_tensors,
            rng: &mut self.rng,
        };
        agent
            .act(&mut io, phase)
            .map_err(|e| CollectorError::Cause(Cause::Agent(e.to_string())))?;
        for column in others(&self.running, 1) {
            c.action.cell_mut(t, column).copy_from(self.null_action.cell(0, 0));
            c.agent_info.cell_mut(t, column).zero();
            self.state.cell_mut(0, column).zero();
        }
        Ok(())
    }

    fn finish_step(&mut self, t: usize) {
        let c = &mut self.columns;
        let [terminated, truncated, reset, valid] = c.flags.row_mut(t).split::<u8, 4>();
        if t + 1 < c.observation.rows() - 1 {
            // A waiting column shows nothing; row T is filled with what it holds.
            for column in others(valid, 1) {
                c.observation.cell_mut(t + 1, column).zero();
            }
        }
        for ((fresh, terminated), truncated) in self.fresh.iter_mut().zip(terminated).zip(truncated)
        {
            *fresh = *terminated | *truncated;
        }
        // A waiting column stays as its last step left it.
        for column in others(valid, 1) {
            self.fresh[column] = 1;
        }
        for column in others(&self.fresh, 0) {
            if valid[column] == 0 {
                continue;
            }
            self.state.cell_mut(0, column).zero();
            let mut stop = self.spec.mode == ResetMode::Wait;
            if reset[column] != 0 {
                self.trackers
                    .finish(column, &mut c.trajectory.cell_mut(self.finished[column], column));
                self.finished[column] += 1;
                let rank = self.spec.first_rank.offset(column).0;
                self.notes.extend(self.envs.take_notes(column).into_iter().map(|n| (rank, n)));
                if let Some(quota) = &mut self.quota {
                    quota[column] -= 1;
                    stop |= quota[column] == 0;
                }
            }
            if stop {
                self.running[column] = 0;
                self.held[column] = t + 1;
                self.to_reset[column] =
                    u8::from(self.spec.mode == ResetMode::Wait && reset[column] != 0);
            }
        }
    }

    fn bootstrap(&mut self, agent: &mut dyn Agent) -> Result<(), CollectorError> {
        if self.columns.bootstrap_value.specs().is_empty() {
            return Ok(());
        }
        let t = self.last_row();
        let io = ValueIo {
            observation: self.columns.observation.row(t),
            observation_tensors: &self.observation_tensors[t],
            prev_action: self.columns.prev_action.row(t),
            prev_action_tensors: &self.prev_action_tensors[t],
            prev_reward: self.columns.prev_reward.row(t).get::<f32>(0),
            prev_reward_tensor: &self.prev_reward_tensors[t][0],
            state_tensors: &self.state_tensors,
        };
        let [out] = self.columns.bootstrap_value.row_mut(0).split::<f32, 1>();
        agent.value(&io, out).map_err(|e| CollectorError::Cause(Cause::Agent(e.to_string())))
    }

    /// Columns that still run; none when an evaluation is over.
    pub fn still_running(&self) -> usize {
        self.quota.as_ref().map_or(self.spec.columns, |q| q.iter().filter(|q| **q > 0).count())
    }

    /// Episodes that the quota still has.
    pub fn episodes_left(&self) -> usize {
        self.quota.as_ref().map_or(0, |q| q.iter().sum())
    }

    /// The block's columns, to read records from.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Free-form notes of finished episodes since the last call, with their env rank.
    pub fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }
}
