//! What a sampler lends to an agent, without a sampler.
use crate::{ActIo, Agent, AgentError, Phase, ValueIo};
use rlcore::cells::Tree;
use rlcore::seed::{Rng, rng};
use rlcore::{DType, EnvRank, EnvSpaces, LeafSpec};
use tch::Tensor;

/// Everything that a sampler lends, for `n` columns.
pub(super) struct Stand {
    pub(super) observation: Tree,
    pub(super) prev_action: Tree,
    pub(super) prev_reward: Vec<f32>,
    pub(super) action: Tree,
    pub(super) info: Tree,
    pub(super) state: Tree,
    pub(super) rng: Vec<Rng>,
}

/// The leaves of a tree's only row, copied.
pub(super) fn tensors(tree: &Tree) -> Vec<Tensor> {
    let leaf = |(i, spec): (usize, &LeafSpec)| {
        let mut size = vec![tree.columns() as i64];
        size.extend(spec.shape.iter().map(|d| *d as i64));
        match spec.dtype {
            DType::F32 => Tensor::from_slice(tree.row(0).get::<f32>(i)),
            DType::I64 => Tensor::from_slice(tree.row(0).get::<i64>(i)),
            _ => Tensor::from_slice(tree.row(0).get::<u8>(i)),
        }
        .reshape(size)
    };
    tree.specs().iter().enumerate().map(leaf).collect()
}

impl Stand {
    /// Column `c` has stream `c + first`.
    pub(super) fn new(spaces: &EnvSpaces, agent: &impl Agent, first: usize, n: usize) -> Self {
        let schema = agent.schema();
        let action = spaces.action.leaves("action");
        Self {
            observation: Tree::owned(&spaces.observation.leaves("observation"), 1, n),
            prev_action: Tree::owned(&action, 1, n),
            prev_reward: vec![0.0; n],
            action: Tree::owned(&action, 1, n),
            info: Tree::owned(&schema.info, 1, n),
            state: Tree::owned(&schema.state, 1, n),
            rng: (first..first + n).map(|c| rng(c as u64)).collect(),
        }
    }

    /// Numbers that differ by column and time.
    pub(super) fn observe(&mut self, first: usize, t: usize) {
        for (leaf, spec) in self.observation.specs().to_vec().iter().enumerate() {
            for c in 0..self.prev_reward.len() {
                let value = |i: usize| ((31 * t + 7 * (first + c) + 3 * i) as f32).sin();
                let mut cell = self.observation.cell_mut(0, c);
                match spec.dtype {
                    DType::F32 => (0..spec.elems()).for_each(|i| cell.f32(leaf)[i] = value(i)),
                    _ => (0..spec.elems()).for_each(|i| cell.u8(leaf)[i] = (value(i) > 0.0).into()),
                }
            }
        }
    }

    pub(super) fn act(&mut self, agent: &mut impl Agent, phase: Phase) -> Result<(), AgentError> {
        let (observation, prev_action) = (tensors(&self.observation), tensors(&self.prev_action));
        let (reward, state) = (Tensor::from_slice(&self.prev_reward), tensors(&self.state));
        let mut io = ActIo {
            first_rank: EnvRank(40),
            observation: self.observation.row(0),
            observation_tensors: &observation,
            prev_action: self.prev_action.row(0),
            prev_action_tensors: &prev_action,
            prev_reward: &self.prev_reward,
            prev_reward_tensor: &reward,
            action: self.action.row_mut(0),
            info: self.info.row_mut(0),
            state: self.state.row_mut(0),
            state_tensors: &state,
            rng: &mut self.rng,
        };
        agent.act(&mut io, phase)
    }

    pub(super) fn value(&self, agent: &mut impl Agent) -> Vec<f32> {
        let (observation, prev_action) = (tensors(&self.observation), tensors(&self.prev_action));
        let (reward, state) = (Tensor::from_slice(&self.prev_reward), tensors(&self.state));
        let io = ValueIo {
            observation: self.observation.row(0),
            observation_tensors: &observation,
            prev_action: self.prev_action.row(0),
            prev_action_tensors: &prev_action,
            prev_reward: &self.prev_reward,
            prev_reward_tensor: &reward,
            state_tensors: &state,
        };
        let mut out = vec![0.0; self.prev_reward.len()];
        agent.value(&io, &mut out).unwrap();
        out
    }
}
