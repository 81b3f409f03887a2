//! Networks on a grid: inputs, weights and recurrent state are multiples of 1/8, so that every f32 sum is exact in any order, and a
//! row does not depend on the number of rows in its batch.
use agents::dist::Distribution;
use agents::model::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use agents::nn::{Flatten, Linear, Mlp};
use agents::params::{ParamBuilder, Params};
use agents::pg::{DistHead, MakePgModel, PgModel, PgOutput};
use agents::{AgentError, DqnAgentConfig, EpsilonGreedy};
use rlcore::{DType, EnvSpaces, LeafSpec};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// A multi-layer perceptron whose inputs are rounded to eighths: with weights of [`grid_weights`](super::grid_weights) every sum is exact in f32,
/// in whatever order it is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GridMlp {}

struct GridModel(Flatten, Mlp);

impl MakeQModel for GridMlp {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let flatten = Flatten::new(&spaces.observation);
        let mlp = Mlp::new(builder, flatten.features(), &[16, 16], action_count(spaces)?);
        Ok(Box::new(GridModel(flatten, mlp)))
    }
}

impl QModel for GridModel {
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput {
        let x = (self.0.forward(input.observation) * 8.0).round() / 8.0;
        self.1.forward(params, &x).into()
    }
}

/// The real DQN agent over [`GridMlp`], with an epsilon for each environment.
pub fn grid_dqn() -> DqnAgentConfig<GridMlp> {
    let epsilon = agents::epsilon::EpsilonConfig {
        eps_final: 0.5,
        eps_final_min: Some(0.01),
        ..Default::default()
    };
    let exploration = EpsilonGreedy { epsilon, start_steps: 100, end_steps: 2000 };
    DqnAgentConfig { model: GridMlp {}, exploration }
}

/// A policy-gradient model, feed-forward or with memory. The memory is an LSTM's step with piecewise linear gates, rounded.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct GridPg {
    /// Size of the recurrent state; 0 for a feed-forward model.
    pub memory: usize,
}

struct GridPgModel {
    flatten: Flatten,
    trunk: Linear,
    memory: Option<(Linear, i64)>,
    policy: DistHead,
    value: Linear,
}

const WIDTH: usize = 16;

/// Within +-4, in eighths.
fn grid(x: &Tensor) -> Tensor {
    (x.clamp(-4.0, 4.0) * 8.0).round() / 8.0
}

impl MakePgModel for GridPg {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        let flatten = Flatten::new(&spaces.observation);
        let action: usize = spaces.action.leaves("a").iter().map(LeafSpec::elems).sum();
        // Features, previous action and reward, and what was put out last.
        let seen = WIDTH + action + 1 + self.memory;
        let memory = (self.memory > 0)
            .then(|| (Linear::new(b, "memory", seen, 4 * self.memory), self.memory as i64));
        let features = if self.memory > 0 { self.memory } else { WIDTH };
        Ok(Box::new(GridPgModel {
            trunk: Linear::new(b, "trunk", flatten.features(), WIDTH),
            flatten,
            memory,
            policy: DistHead::new(b, features, dist, agents::nn::Start::Torch),
            value: Linear::new(b, "value", features, 1),
        }))
    }
}

impl PgModel for GridPgModel {
    fn state(&self) -> Vec<LeafSpec> {
        let leaf = |name, size: i64| LeafSpec::array(name, DType::F32, &[size as usize]);
        self.memory.iter().flat_map(|(_, n)| [leaf("h", *n), leaf("c", *n)]).collect()
    }

    fn forward(&self, _params: &Params, _input: &ModelInput<'_>) -> PgOutput {
        panic!("this model is for acting")
    }

    fn act(&self, p: &Params, input: &ModelInput<'_>) -> PgOutput {
        let lead = i64::from(self.memory.is_some());
        let rows: Vec<Tensor> = input.observation.iter().map(|o| o.flatten(0, lead)).collect();
        let mut x = self.trunk.forward(p, &grid(&self.flatten.forward(&rows))).relu();
        let mut state = Vec::new();
        if let Some((gates, n)) = &self.memory {
            let [h, c] = input.state else { panic!("two leaves of memory") };
            let count = h.size()[0];
            let flat = |t: &Tensor| t.reshape([count, -1]).to_kind(tch::Kind::Float);
            let action = grid(&flat(&input.prev_action[0]));
            let seen = [grid(&x), action, grid(&flat(input.prev_reward)), h.shallow_clone()];
            let z = gates.forward(p, &Tensor::cat(&seen, 1));
            let gate = |i: i64| z.narrow(1, i * n, *n);
            // Exact up to the last rounding: each factor has few bits.
            let open = |i: i64| grid(&(gate(i) / 4.0 + 0.5).clamp(0.0, 1.0));
            let c = grid(&(open(1) * c + open(0) * grid(&gate(2).clamp(-1.0, 1.0))));
            let h = grid(&(open(3) * c.clamp(-1.0, 1.0)));
            x = h.shallow_clone();
            state = vec![h, c];
        }
        PgOutput { dist: self.policy.outputs(p, &x), value: self.value.forward(p, &x), state }
    }

    fn tail(&self, p: &Params) -> Vec<f32> {
        self.policy.tail(p)
    }
}
