//! For tests: blocks of random steps, and a small model that remembers, or does not.
use super::{Method, PolicyGradient};
use crate::LearnContext;
use agents::AgentError;
use agents::dist::{Categorical, Distribution};
use agents::model::ModelInput;
use agents::nn::Linear;
use agents::norm::ObsNorm;
use agents::params::{ParamBuilder, Params};
use agents::pg::{MakePgModel, PgModel, PgOutput};
use rand::RngExt;
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout, Lease, flag};
use rlcore::{BatchSpec, DType, EnvSpaces, GlobalSteps, LeafSpec, Space, seed};
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub(crate) const ACTIONS: usize = 3;

pub(crate) fn spaces() -> EnvSpaces {
    let observation = Space::uniform_box(DType::F32, &[2], -1.0, 1.0);
    EnvSpaces {
        truncates_every: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: ACTIONS })
    }
}

/// Whether columns that end go on, or wait for the end of the batch.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    GoOn,
    Wait,
}

/// A batch of random steps, one in four an end of either kind, one of both at once.
pub(super) fn leased(spec: BatchSpec, ends: Ends, seed: u64) -> Lease {
    Lease::unslotted(block(spec, ends, seed))
}

/// The same, to be written.
pub(super) fn block(spec: BatchSpec, ends: Ends, seed: u64) -> Columns {
    let scalar = |name| LeafSpec::scalar(name, DType::F32);
    let schema = AgentSchema {
        info: vec![scalar("value"), LeafSpec::array("dist", DType::F32, &[ACTIONS])],
        state: vec![LeafSpec::array("h", DType::F32, &[1])],
    };
    block_of(schema, spec, ends, seed)
}

/// The same of an agent that records these leaves, all f32.
pub(crate) fn block_of(schema: AgentSchema, spec: BatchSpec, ends: Ends, seed: u64) -> Columns {
    let options = BlockOptions { state_interval: spec.t, bootstrap_value: true };
    let block = Block::create(Layout::new(spec, &spaces(), &schema, options)).unwrap();
    let mut c = block.columns(0..spec.b);
    let mut rng = seed::rng(seed);
    let mut fill = |values: &mut [f32]| values.fill_with(|| rng.random::<f32>() * 2.0 - 1.0);
    for t in 0..=spec.t {
        fill(c.observation.row_mut(t).get(0));
    }
    for k in 0..c.final_observation.rows() {
        fill(c.final_observation.row_mut(k).get(0));
    }
    for t in 0..spec.t {
        fill(c.reward.row_mut(t).get(0));
        fill(c.prev_reward.row_mut(t).get(0));
        (0..schema.info.len()).for_each(|leaf| fill(c.agent_info.row_mut(t).get(leaf)));
    }
    fill(c.bootstrap_value.row_mut(0).get(0));
    (0..schema.state.len()).for_each(|leaf| fill(c.agent_state.row_mut(0).get(leaf)));
    let mut waiting = vec![false; spec.b];
    for t in 0..spec.t {
        for (b, waits) in waiting.iter_mut().enumerate() {
            c.action.cell_mut(t, b).i64(0)[0] = rng.random_range(0..ACTIONS) as i64;
            c.prev_action.cell_mut(t, b).i64(0)[0] = rng.random_range(0..ACTIONS) as i64;
            let (terminated, truncated) = match rng.random_range(0..12) {
                _ if *waits => (0, 0),
                0 => (1, 0),
                1 | 2 => (0, 1),
                3 => (1, 1),
                _ => (0, 0),
            };
            let mut flags = c.flags.cell_mut(t, b);
            flags.u8(flag::VALID)[0] = u8::from(!*waits);
            flags.u8(flag::TERMINATED)[0] = terminated;
            flags.u8(flag::TRUNCATED)[0] = truncated;
            *waits |= ends == Ends::Wait && terminated + truncated > 0;
        }
    }
    c
}

/// Settings of the model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Toy {
    pub(super) remembers: bool,
    pub(super) normalises: bool,
}

struct ToyModel {
    settings: Toy,
    norm: Option<ObsNorm>,
    memory: Linear,
    head: Linear,
}

impl MakePgModel for Toy {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        let norm = self.normalises.then(|| ObsNorm::new(b, spaces));
        // Observation, action and reward before, memory.
        let memory = Linear::new(b, "memory", 2 + 1 + 1 + 1, 1);
        let head = Linear::new(b, "head", 2 + 1, dist.len() + 1);
        Ok(Box::new(ToyModel { settings: *self, norm, memory, head }))
    }
}

impl PgModel for ToyModel {
    fn state(&self) -> Vec<LeafSpec> {
        let h = LeafSpec::array("h", DType::F32, &[1]);
        if self.settings.remembers { vec![h] } else { vec![] }
    }

    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> PgOutput {
        let see = |x: &Tensor| {
            self.norm.as_ref().map_or_else(|| x.shallow_clone(), |n| n.normalise(p, x))
        };
        let answer = |x: Tensor, h: &Tensor| {
            let y = self.head.forward(p, &Tensor::cat(&[x, h.shallow_clone()], 1));
            (y.narrow(1, 0, ACTIONS as i64), y.select(1, ACTIONS as i64))
        };
        if !self.settings.remembers {
            assert!(input.prev_action.is_empty() && input.state.is_empty());
            let x = see(&input.observation[0]);
            let h = x.narrow(1, 0, 1).zeros_like();
            let (dist, value) = answer(x, &h);
            return PgOutput { dist, value, state: vec![] };
        }
        let mut h = input.state[0].shallow_clone();
        let (mut dist, mut value) = (vec![], vec![]);
        for t in 0..input.prev_reward.size()[0] {
            let kept = match input.reset {
                Some(reset) => &h * (reset.get(t).ones_like() - reset.get(t)).unsqueeze(1),
                None => h,
            };
            let x = see(&input.observation[0].get(t));
            let before = [
                x.shallow_clone(),
                input.prev_action[0].get(t).to_kind(tch::Kind::Float).unsqueeze(1),
                input.prev_reward.get(t).unsqueeze(1),
                kept,
            ];
            h = self.memory.forward(p, &Tensor::cat(&before, 1)).tanh();
            let (d, v) = answer(x, &h);
            dist.push(d);
            value.push(v);
        }
        PgOutput { dist: Tensor::stack(&dist, 0), value: Tensor::stack(&value, 0), state: vec![h] }
    }

    fn norm(&self) -> Option<&ObsNorm> {
        self.norm.as_ref()
    }
}

pub(crate) const SPEC: BatchSpec = BatchSpec { t: 12, b: 7 };

/// An algorithm over a model, for blocks of [`SPEC`] and a run of `n_steps`.
pub(super) fn algorithm<M: Method>(
    method: M,
    model: Toy,
    n_steps: u64,
) -> Result<PolicyGradient<M>, crate::AlgoError> {
    let spaces = spaces();
    let context = LearnContext::new(&spaces, SPEC, GlobalSteps(n_steps), 5);
    let categorical = Box::new(Categorical::new(&spaces).unwrap());
    PolicyGradient::new(method, &model, categorical, &context)
}
