//! A model of one's own: a dueling network for DQN. `cargo run --release --example 04_model -- train dueling`
//!
//! A model is a function of parameters, so the target network is the same model on other parameters, and worker processes
//! build it from its settings. A [`Program`] has every command for it: `resume`, `eval`, `plot`, `watch` and the rest.
use agents::epsilon::EpsilonConfig;
use agents::model::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use agents::nn::{Flatten, Linear};
use agents::params::{ParamBuilder, Params};
use agents::{AgentError, DqnAgentSettings};
use algos::DqnConfig;
use experiments::{Program, config::Config};
use rlcore::{EnvSpaces, envs::CartPole};
use runners::RunnerConfig;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use tch::Kind;

/// Separate streams for value and advantage (Wang et al. 2016): `Q = V + A - mean(A)`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dueling {
    width: usize,
}

impl Default for Dueling {
    fn default() -> Self {
        Self { width: 64 }
    }
}

struct DuelingModel {
    flatten: Flatten,
    trunk: Linear,
    value: Linear,
    advantage: Linear,
}

impl MakeQModel for Dueling {
    fn make(
        &self,
        spaces: &EnvSpaces,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let flatten = Flatten::new(&spaces.observation);
        Ok(Box::new(DuelingModel {
            trunk: Linear::new(b, "trunk", flatten.features(), self.width),
            value: Linear::new(b, "value", self.width, 1),
            advantage: Linear::new(b, "advantage", self.width, action_count(spaces)?),
            flatten,
        }))
    }
}

impl QModel for DuelingModel {
    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> QOutput {
        let h = self.trunk.forward(p, &self.flatten.forward(input.observation)).relu_();
        let a = self.advantage.forward(p, &h);
        (self.value.forward(p, &h) + &a - a.mean_dim(1, true, Kind::Float)).into()
    }
}

fn dueling() -> Config<CartPole, DqnAgentSettings<Dueling>, DqnConfig> {
    let epsilon = EpsilonConfig { eps_final: 0.05, eps_eval: 0.0, ..Default::default() };
    let agent = DqnAgentSettings { model: Dueling::default(), epsilon };
    let algo = DqnConfig {
        batch_size: 64,
        min_steps_learn: 500,
        replay_size: 20_000,
        replay_ratio: 16.0,
        target_update_tau: 0.01,
        target_update_interval: 1,
        learning_rate: 1e-3,
        eps_steps: 10_000,
        double_dqn: true,
        ..Default::default()
    };
    let runner = RunnerConfig { n_steps: 50_000, log_interval_steps: 5_000, ..Default::default() };
    Config { agent, algo, runner, ..Default::default() }
}

fn main() -> ExitCode {
    let about = "DQN with a dueling network";
    let program = Program::new().agent::<DqnAgentSettings<Dueling>>("dueling", about);
    program.preset("dueling", about, dueling).main()
}
