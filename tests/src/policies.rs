//! Policies for bit-identity: what a row gets must not depend on the other rows of its batch.
use agents::model::{MakeQModel, QModel, action_count};
use agents::nn::{Mlp, flatten};
use agents::params::{ParamBuilder, Params};
use agents::{ActIo, Agent, AgentContext, AgentError, DqnAgentConfig, MakeAgent, Phase, ValueIo};
use rlcore::block::AgentSchema;
use rlcore::seed::Rng;
use rlcore::seed::{Role, rng, seed_of};
use rlcore::{DType, EnvSpaces, LeafSpec};
use serde::{Deserialize, Serialize};
use tch::Tensor;

fn draw(rng: &mut Rng, n: u64) -> u64 {
    use rand::RngExt;
    rng.random_range(0..n)
}

/// Acts on everything that it is shown, byte by byte, with plain slices: observation, previous action and reward, recurrent
/// state, phase and random stream. It draws nothing from the others' rows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct SlicePolicy {}

/// See [`SlicePolicy`].
#[derive(Debug)]
pub struct SliceAgent {
    actions: u64,
    mask: Option<usize>,
}

impl MakeAgent for SlicePolicy {
    type Agent = SliceAgent;

    fn make(&self, context: &AgentContext) -> Result<SliceAgent, AgentError> {
        Ok(SliceAgent {
            actions: action_count(&context.spaces)? as u64,
            mask: context.spaces.action_mask,
        })
    }
}

fn hash(mut h: u64, bytes: &[u8]) -> u64 {
    for b in bytes {
        h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    h
}

impl Agent for SliceAgent {
    fn schema(&self) -> AgentSchema {
        AgentSchema {
            info: vec![LeafSpec::array("seen", DType::I64, &[2])],
            state: vec![
                LeafSpec::array("count", DType::F32, &[2]),
                LeafSpec::scalar("hash", DType::I64),
            ],
        }
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        for c in 0..io.rng.len() {
            let mut state = io.state.cell(c);
            let carried = state.i64(1)[0];
            let mut h = hash(0xcbf2_9ce4_8422_2325, &carried.to_le_bytes());
            for leaf in 0..io.observation.leaves() {
                h = hash(h, io.observation.cell(c).bytes(leaf));
            }
            h = hash(h, io.prev_action.cell(c).bytes(0));
            h = hash(h, &io.prev_reward[c].to_le_bytes());
            h = hash(h, &state.f32(0)[0].to_le_bytes());
            if let Phase::Sample { env_steps } = phase {
                h = hash(h, &env_steps.to_le_bytes());
            }
            state.f32(0)[0] += 1.0;
            state.i64(1)[0] = h as i64;
            io.info.cell(c).i64(0).copy_from_slice(&[h as i64, carried]);
            let pick = (h ^ draw(&mut io.rng[c], 1 << 40)) % self.actions;
            let pick = match self.mask {
                Some(leaf) => {
                    let allowed = io.observation.cell(c).u8(leaf);
                    let n = allowed.len() as u64;
                    (0..n).map(|i| (pick + i) % n).find(|a| allowed[*a as usize] != 0).unwrap_or(0)
                }
                None => pick,
            };
            io.action.cell(c).i64(0)[0] = pick as i64;
        }
        Ok(())
    }

    fn value(&mut self, io: &ValueIo<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        for (c, v) in out.iter_mut().enumerate() {
            *v = (hash(1, io.observation.cell(c).bytes(0)) >> 40) as f32;
        }
        Ok(())
    }
}

/// A multi-layer perceptron whose inputs are rounded to eighths: with weights of [`grid_weights`] every sum is exact in f32,
/// in whatever order it is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GridMlp {}

struct GridModel(Mlp);

impl MakeQModel for GridMlp {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let inputs = spaces.observation.leaves("o").iter().map(LeafSpec::elems).sum();
        Ok(Box::new(GridModel(Mlp::new(builder, inputs, &[16, 16], action_count(spaces)?))))
    }
}

impl QModel for GridModel {
    fn forward(&self, params: &Params, observation: &[Tensor]) -> Tensor {
        let x = (flatten(observation) * 8.0).round() / 8.0;
        self.0.forward(params, &x)
    }
}

/// The real DQN agent over [`GridMlp`], with an epsilon for each environment.
pub fn grid_dqn() -> DqnAgentConfig<GridMlp> {
    let epsilon = agents::epsilon::EpsilonConfig {
        eps_final: 0.5,
        eps_final_min: Some(0.01),
        ..Default::default()
    };
    DqnAgentConfig { model: GridMlp {}, epsilon, eps_start_steps: 100, eps_steps: 2000 }
}

/// Multiples of 1/8 within +-1/2.
pub fn grid_weights(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = rng(seed_of(seed, Role::Init, 0));
    (0..count).map(|_| (draw(&mut rng, 9) as f32 - 4.0) / 8.0).collect()
}
