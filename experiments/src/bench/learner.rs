//! `experiments bench learner`: the duration of a PPO minibatch beside that of an environment step, with stable-baselines3's
//! defaults (2048 steps of 8 environments, minibatches of 64, 10 epochs, two tanh networks 64-64), on one thread. The bound is a
//! forward and backward pass of the same networks without loss and optimiser, measured between the batches. Then the replay.
use super::replay;
use super::training::ppo_defaults;
use crate::Program;
use crate::assemble::prepare;
use agents::dist::Categorical;
use agents::model::ModelInput;
use agents::params::{Grad, ParamBuilder, Params};
use agents::pg::{MakePgModel, PgModel, PgNet};
use anyhow::Result;
use rlcore::envs::CartPole;
use rlcore::{EnvFactory, GlobalSteps};
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Batches that are measured, after one that is not.
const BATCHES: usize = 5;
/// Passes of the bound between two batches.
const PASSES: u32 = 1000;

/// The networks, without loss and optimiser.
struct Networks {
    model: Box<dyn PgModel>,
    params: Params,
    observation: [Tensor; 1],
    nothing: Tensor,
}

impl Networks {
    fn new() -> Result<Self> {
        let spaces = EnvFactory::new(&CartPole::default())?.spaces()?;
        let mut builder = ParamBuilder::default();
        let model = PgNet::default().make(&spaces, &Categorical::new(&spaces)?, &mut builder)?;
        let floats = (Kind::Float, Device::Cpu);
        Ok(Self {
            params: Params::init(&builder.finish()?, 0, Device::Cpu, Grad::On)?,
            model,
            observation: [Tensor::ones([64, 4], floats)],
            nothing: Tensor::zeros([0], floats),
        })
    }

    /// Mean duration of a forward pass, and of a forward and backward pass, microseconds.
    fn passes(&self) -> Result<[f64; 2]> {
        let input = ModelInput {
            observation: &self.observation,
            prev_action: &[],
            prev_reward: &self.nothing,
            state: &[],
            reset: None,
        };
        let mut spent = [0.0; 2];
        for _ in 0..PASSES {
            let begun = Instant::now();
            let out = self.model.forward(&self.params, &input);
            spent[0] += begun.elapsed().as_secs_f64();
            let sum = out.dist.sum(Kind::Float) + out.value.sum(Kind::Float);
            let _ = self.params.gradient(&sum)?;
            spent[1] += begun.elapsed().as_secs_f64();
        }
        Ok(spent.map(|s| s / f64::from(PASSES) * 1e6))
    }
}

pub(super) fn run() -> Result<()> {
    let (program, config) = (Program::new(), ppo_defaults());
    let mut parts = prepare(&program, &program.config(&config)?)?.start(None)?;
    let mut weights = vec![0.0; parts.algo.params().len()];
    let networks = Networks::new()?;
    let (mut learning, mut sampling, mut forward, mut both) = (vec![], vec![], vec![], vec![]);
    let mut env_steps = 0;
    for _ in 0..=BATCHES {
        let begun = Instant::now();
        parts.algo.params().write_to(&mut weights);
        parts.sampler.publisher().publish(&weights)?;
        let samples = parts.sampler.obtain_samples(GlobalSteps(env_steps))?;
        let sampled = begun.elapsed().as_secs_f64();
        let steps = (config.sampler.t * config.sampler.b) as u64;
        env_steps += steps;
        let (before, begun) = (parts.algo.updates(), Instant::now());
        parts.algo.optimize(samples.into_lease(), GlobalSteps(env_steps))?;
        let updates = parts.algo.updates() - before;
        learning.push(begun.elapsed().as_secs_f64() / updates as f64 * 1e6);
        sampling.push(sampled / steps as f64 * 1e6);
        let passes = networks.passes()?;
        forward.push(passes[0]);
        both.push(passes[1]);
    }
    let names = [
        "learning, us a minibatch of 64",
        "forward pass of the networks, us",
        "forward and backward, us",
        "sampling, us a step",
    ];
    for (name, mut values) in names.into_iter().zip([learning, forward, both, sampling]) {
        values.remove(0);
        values.sort_by(f64::total_cmp);
        crate::say!(
            "{name}: {:.1} median of {BATCHES} ({:.1} to {:.1})",
            values[BATCHES / 2],
            values[0],
            values[BATCHES - 1]
        );
    }
    replay::run()
}
