//! An agent of one's own: it draws actions by their value instead of epsilon. `cargo run --release --example 05_agent`
//!
//! The sampler owns what belongs to an environment, random streams included; an agent only maps rows to actions.
use agents::model::{MakeQModel, ModelInput, QMlp, QModel};
use agents::params::{Grad, ParamBuilder, Params};
use agents::{ActIo, Agent, AgentContext, AgentError, AgentFactory, MakeAgent, Phase};
use algos::{Dqn, DqnConfig, LearnContext};
use rand::RngExt;
use rlcore::block::AgentSchema;
use rlcore::envs::CartPole;
use rlcore::{EnvFactory, GlobalSteps};
use samplers::{SamplerConfig, Setup};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Action a of two with probability proportional to `exp(Q(a) / temperature)`.
#[derive(Serialize, Deserialize)]
struct Boltzmann {
    model: QMlp,
    temperature: f64,
}

struct BoltzmannAgent {
    model: Box<dyn QModel>,
    params: Params,
    nothing: Tensor,
    temperature: f64,
}

impl MakeAgent for Boltzmann {
    type Agent = BoltzmannAgent;

    fn make(&self, context: &AgentContext) -> Result<BoltzmannAgent, AgentError> {
        let mut builder = ParamBuilder::default();
        let model = self.model.make(&context.spaces, &mut builder)?;
        let params = Params::zeros(&builder.finish()?, Device::Cpu, Grad::Off)?;
        let nothing = Tensor::zeros([0], (Kind::Float, Device::Cpu));
        Ok(BoltzmannAgent { model, params, nothing, temperature: self.temperature })
    }
}

impl Agent for BoltzmannAgent {
    fn schema(&self) -> AgentSchema {
        AgentSchema::default()
    }

    fn act(&mut self, io: &mut ActIo<'_>, _phase: Phase) -> Result<(), AgentError> {
        let _guard = tch::no_grad_guard();
        let input = ModelInput::of(io.seen.tensors.observation, &self.nothing);
        let q = self.model.forward(&self.params, &input).q;
        let p = (q / self.temperature).softmax(1, Kind::Float);
        let rows = rlcore::tensor::slice::<f32>(&p).chunks_exact(2);
        for ((action, p), rng) in io.action.get::<i64>(0).iter_mut().zip(rows).zip(&mut *io.rng) {
            *action = i64::from(rng.random::<f32>() >= p[0]);
        }
        Ok(())
    }

    fn weight_count(&self) -> usize {
        self.params.len()
    }

    fn load_weights(&mut self, weights: &[f32]) {
        self.params.read_from(weights);
    }
}

fn main() -> anyhow::Result<()> {
    let batches: u64 = std::env::args().nth(1).map_or(Ok(400), |n| n.parse())?;
    let model = QMlp { hidden: vec![64, 64], ..Default::default() };
    let config = DqnConfig { min_steps_learn: 500, replay_size: 20_000, ..Default::default() };
    let agent = AgentFactory::new(&Boltzmann { model: model.clone(), temperature: 0.5 })?;
    let sampling = SamplerConfig { t: 16, b: 8, ..Default::default() };
    let env = EnvFactory::new(&CartPole::default())?;
    let mut sampler = samplers::build(Setup::new(sampling, env, agent))?;
    let n_steps = GlobalSteps(batches * 16 * 8);
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), n_steps, 0);
    let replay = config.uniform_replay(&context)?;
    let mut algo = Dqn::new(config, &model, replay, &context)?;
    experiments::demo::learn(&mut *sampler, &mut algo, batches)
}
