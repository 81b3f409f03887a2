//! A model of one's own: a dueling network. `cargo run --release --example 04_model`
//!
//! A model is a function of parameters, so the target network is the same model on other parameters, and worker processes
//! build it from its settings.
use agents::model::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use agents::nn::{Flatten, Linear};
use agents::params::{ParamBuilder, Params};
use agents::{AgentError, AgentFactory, DqnAgentConfig, EpsilonGreedy};
use algos::{Dqn, DqnConfig, LearnContext};
use rlcore::envs::CartPole;
use rlcore::{EnvFactory, EnvSpaces, GlobalSteps};
use samplers::{SamplerConfig, Setup};
use serde::{Deserialize, Serialize};
use tch::Kind;

/// Separate streams for value and advantage (Wang et al. 2016): `Q = V + A - mean(A)`.
#[derive(Clone, Serialize, Deserialize)]
struct Dueling {
    width: usize,
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

fn main() -> anyhow::Result<()> {
    let batches: u64 = std::env::args().nth(1).map_or(Ok(400), |n| n.parse())?;
    let model = Dueling { width: 64 };
    let config = DqnConfig {
        min_steps_learn: 500,
        eps_steps: 10_000,
        replay_size: 20_000,
        learning_rate: 1e-3,
        ..Default::default()
    };
    let agent = AgentFactory::new(&DqnAgentConfig {
        model: model.clone(),
        exploration: EpsilonGreedy {
            start_steps: config.min_steps_learn,
            end_steps: config.eps_steps,
            ..Default::default()
        },
    })?;
    let sampling = SamplerConfig { t: 16, b: 8, ..Default::default() };
    let env = EnvFactory::new(&CartPole::default())?;
    let mut sampler = samplers::build(Setup::new(sampling, env, agent))?;
    let n_steps = GlobalSteps(batches * 16 * 8);
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), n_steps, 0);
    let replay = config.uniform_replay(&context)?;
    let mut algo = Dqn::new(config, &model, replay, &context)?;
    experiments::demo::learn(&mut *sampler, &mut algo, batches)
}
