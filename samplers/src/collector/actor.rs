//! The agent's half of a collector: chooses the actions of one slice of columns, and holds what belongs to each of their
//! environments on its behalf: the random stream and the recurrent state.
use super::CollectorError;
use super::scan::others;
use super::stepper::null_action;
use crate::error::Cause;
use crate::state::{ActState, column_bytes, set_column_bytes};
use agents::model::ModelInput;
use agents::{ActIo, Agent, AgentError, Phase, Seen};
use rlcore::block::{AgentSchema, Block, Columns, flag};
use rlcore::cells::Tree;
use rlcore::seed::{self, Rng, Role};
use rlcore::segment::{Segment, SegmentError};
use rlcore::tensor::RowTensors;
use rlcore::{EnvRank, EnvSpaces};
use tch::Tensor;

/// Acts for `columns.reward.columns()` environments from `first_rank` on.
pub(crate) struct Actor {
    first_rank: EnvRank,
    state_interval: usize,
    /// By slot.
    rows: Vec<RowViews>,
    /// The slot that the current batch fills.
    slot: usize,
    /// Recurrent state, one row; in a segment so that agents see it as tensors.
    state: Tree,
    state_tensors: RowTensors,
    state_segment: Option<&'static Segment>,
    pub(super) rng: Vec<Rng>,
    null_action: Tree,
    /// The observation's leaf that says which actions are allowed.
    mask: Option<usize>,
}

/// The rows of one slot as tensors, made once: what agents read of them.
pub(crate) struct RowViews {
    observation: Vec<RowTensors>,
    prev_action: Vec<RowTensors>,
    prev_reward: Vec<RowTensors>,
}

impl RowViews {
    /// The row tensors of these columns.
    pub(crate) fn of(c: &Columns) -> Self {
        Self {
            observation: c.observation.row_tensors(),
            prev_action: c.prev_action.row_tensors(),
            prev_reward: c.prev_reward.row_tensors(),
        }
    }

    /// What an agent sees of row `t` of these trees, of which `self` are the tensors.
    fn seen<'a>(
        &'a self,
        t: usize,
        first_rank: EnvRank,
        [observation, prev_action, prev_reward]: [&'a Tree; 3],
        state: &'a [Tensor],
    ) -> Seen<'a> {
        Seen {
            first_rank,
            observation: observation.row(t),
            prev_action: prev_action.row(t),
            prev_reward: prev_reward.row(t).get::<f32>(0),
            tensors: ModelInput {
                observation: &self.observation[t],
                prev_action: &self.prev_action[t],
                prev_reward: &self.prev_reward[t][0],
                state,
                reset: None,
            },
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.state_segment.iter().for_each(|s| s.release_pages());
    }
}

fn failed(e: AgentError) -> CollectorError {
    CollectorError::Cause(Cause::Agent(e.to_string()))
}

impl Actor {
    /// For `n` columns, which have `rows` in each slot; the recurrent state is recorded every `state_interval` steps.
    pub(crate) fn new(
        rows: Vec<RowViews>,
        n: usize,
        spaces: &EnvSpaces,
        schema: &AgentSchema,
        first_rank: EnvRank,
        state_interval: usize,
    ) -> Result<Self, SegmentError> {
        let bytes = Block::beside_bytes(&schema.state, 1, n);
        let create = || Segment::create("recurrent state", bytes);
        let state_segment = (bytes > 0).then(create).transpose()?;
        let state = match state_segment {
            Some(segment) => Block::beside(segment, 0, &schema.state, 1, n),
            None => Tree::owned(&[], 1, n),
        };
        Ok(Self {
            first_rank,
            state_interval,
            rows,
            slot: 0,
            state_tensors: state_segment.map_or(vec![], |_| state.row_tensors().remove(0)),
            state,
            state_segment,
            rng: (0..n).map(|c| seed::rng(c as u64)).collect(),
            null_action: null_action(spaces),
            mask: spaces.action_mask,
        })
    }

    /// Returns an error if the mask of a running column allows no action. The observation of a waiting column, mask included, is
    /// zero.
    fn check_masks(&self, t: usize, c: &Columns, running: &[u8]) -> Result<(), CollectorError> {
        let Some(leaf) = self.mask else { return Ok(()) };
        for column in others(running, 0) {
            if c.observation.cell(t, column).u8(leaf).iter().all(|allowed| *allowed == 0) {
                return Err(CollectorError::Cause(Cause::Gave {
                    env_rank: self.first_rank.offset(column).0,
                    what: "an action mask that allows no action: an observation that an action follows must allow at least one".into(),
                }));
            }
        }
        Ok(())
    }

    /// Seeds the acting streams of a training run.
    pub(crate) fn seed(&mut self, run: u64) {
        for (c, rng) in self.rng.iter_mut().enumerate() {
            *rng = seed::rng(seed::seed_of(run, Role::Act, self.first_rank.offset(c).0 as u64));
        }
        self.state.zero();
    }

    /// Seeds the acting streams of evaluation `number`.
    pub(super) fn seed_evaluation(&mut self, run: u64, number: u64) {
        for (c, rng) in self.rng.iter_mut().enumerate() {
            let rank = self.first_rank.offset(c).0 as u64;
            *rng = seed::rng(seed::seed_of_pair(run, Role::EvalAct, number, rank));
        }
        self.state.zero();
    }

    /// Selects the slot that the next batch fills.
    pub(crate) fn begin_batch(&mut self, slot: usize) {
        self.slot = slot;
    }

    /// Chooses the actions of row `t`; a column that does not run gets the null action.
    pub(crate) fn act(
        &mut self,
        t: usize,
        c: &mut Columns,
        running: &[u8],
        agent: &mut dyn Agent,
        phase: Phase,
    ) -> Result<(), CollectorError> {
        if t.is_multiple_of(self.state_interval) && self.state.row(0).leaves() > 0 {
            c.agent_state.row_mut(t / self.state_interval).copy_from(self.state.row(0));
        }
        self.check_masks(t, c, running)?;
        let trees = [&c.observation, &c.prev_action, &c.prev_reward];
        let mut io = ActIo {
            seen: self.rows[self.slot].seen(t, self.first_rank, trees, &self.state_tensors),
            action: c.action.row_mut(t),
            info: c.agent_info.row_mut(t),
            state: self.state.row_mut(0),
            rng: &mut self.rng,
        };
        agent.act(&mut io, phase).map_err(failed)?;
        for column in others(running, 1) {
            c.action.cell_mut(t, column).copy_from(self.null_action.cell(0, 0));
            c.agent_info.cell_mut(t, column).zero();
            self.state.cell_mut(0, column).zero();
        }
        Ok(())
    }

    /// Called after step `t`: zeroes the recurrent state of columns whose episode ended.
    pub(crate) fn finish_step(&mut self, t: usize, c: &Columns) {
        if self.state.row(0).leaves() == 0 {
            return;
        }
        let flags = c.flags.row(t);
        for leaf in [flag::TERMINATED, flag::TRUNCATED] {
            for column in others(flags.get::<u8>(leaf), 0) {
                self.state.cell_mut(0, column).zero();
            }
        }
    }

    /// Computes the value of row T, if the block records it.
    pub(crate) fn bootstrap(
        &mut self,
        c: &mut Columns,
        agent: &mut dyn Agent,
    ) -> Result<(), CollectorError> {
        if c.bootstrap_value.specs().is_empty() {
            return Ok(());
        }
        let t = c.observation.rows() - 1;
        let trees = [&c.observation, &c.prev_action, &c.prev_reward];
        let seen = self.rows[self.slot].seen(t, self.first_rank, trees, &self.state_tensors);
        let [out] = c.bootstrap_value.row_mut(0).split::<f32, 1>();
        agent.value(&seen, out).map_err(failed)
    }

    /// The state that a checkpoint keeps, one entry per column.
    pub(crate) fn save(&self) -> Vec<ActState> {
        let streams = self.rng.iter().enumerate();
        streams
            .map(|(c, rng)| ActState { state: column_bytes(&self.state, 0, c), rng: rng.clone() })
            .collect()
    }

    /// Restores the state that [`Actor::save`] returned. A column that starts a new episode has no recurrent state.
    pub(crate) fn load<'a>(&mut self, saved: impl Iterator<Item = (&'a ActState, Continues)>) {
        for (c, (saved, continues)) in saved.enumerate() {
            self.rng[c] = saved.rng.clone();
            match continues {
                Continues::Episode => set_column_bytes(&mut self.state, 0, c, &saved.state),
                Continues::Nothing => self.state.cell_mut(0, c).zero(),
            }
        }
    }
}

/// How a restored column continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continues {
    /// With the episode that was saved.
    Episode,
    /// With a new episode.
    Nothing,
}
