//! What a sampler lends to an agent, without a sampler.
use crate::model::ModelInput;
use crate::{ActIo, Agent, AgentError, Phase, Seen};
use rlcore::cells::Tree;
use rlcore::seed::{Rng, rng};
use rlcore::{DType, EnvRank, EnvSpaces, LeafSpec};
use tch::Tensor;

/// Rank of the environment of column 0.
const FIRST: usize = 40;

/// Everything that a sampler lends, for `n` columns.
pub(crate) struct Stand {
    pub(crate) observation: Tree,
    pub(crate) prev_action: Tree,
    pub(crate) prev_reward: Vec<f32>,
    pub(crate) action: Tree,
    pub(crate) info: Tree,
    pub(crate) state: Tree,
    pub(crate) rng: Vec<Rng>,
}

/// The leaves of a tree's only row, copied.
pub(crate) fn tensors(tree: &Tree) -> Vec<Tensor> {
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
    pub(crate) fn new(spaces: &EnvSpaces, agent: &impl Agent, first: usize, n: usize) -> Self {
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
    pub(crate) fn observe(&mut self, first: usize, t: usize) {
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

    pub(crate) fn act(&mut self, agent: &mut impl Agent, phase: Phase) -> Result<(), AgentError> {
        let (observation, prev_action) = (tensors(&self.observation), tensors(&self.prev_action));
        let (reward, state) = (Tensor::from_slice(&self.prev_reward), tensors(&self.state));
        let tensors = ModelInput {
            observation: &observation,
            prev_action: &prev_action,
            prev_reward: &reward,
            state: &state,
            reset: None,
        };
        let mut io = ActIo {
            seen: Seen {
                first_rank: EnvRank(FIRST),
                observation: self.observation.row(0),
                prev_action: self.prev_action.row(0),
                prev_reward: &self.prev_reward,
                tensors,
            },
            action: self.action.row_mut(0),
            info: self.info.row_mut(0),
            state: self.state.row_mut(0),
            rng: &mut self.rng,
        };
        agent.act(&mut io, phase)
    }

    pub(crate) fn value(&self, agent: &mut impl Agent) -> Vec<f32> {
        let (observation, prev_action) = (tensors(&self.observation), tensors(&self.prev_action));
        let (reward, state) = (Tensor::from_slice(&self.prev_reward), tensors(&self.state));
        let mut out = vec![0.0; self.prev_reward.len()];
        let tensors = ModelInput {
            observation: &observation,
            prev_action: &prev_action,
            prev_reward: &reward,
            state: &state,
            reset: None,
        };
        let seen = Seen {
            first_rank: EnvRank(FIRST),
            observation: self.observation.row(0),
            prev_action: self.prev_action.row(0),
            prev_reward: &self.prev_reward,
            tensors,
        };
        agent.value(&seen, &mut out).unwrap();
        out
    }
}
