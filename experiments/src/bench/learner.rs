//! `experiments bench learner`: what a minibatch of PPO costs, beside what sampling costs, with stable-baselines3's defaults
//! (2048 steps of 8 environments, minibatches of 64, 10 epochs, two tanh networks 64-64), on one thread.
use crate::assemble::prepare;
use crate::config::{AgentConfig, AlgoConfig, Config, EnvConfig, PgNet};
use agents::pg::CategoricalPgAgentConfig;
use algos::{NormalizeAdvantage, PpoConfig};
use anyhow::Result;
use rlcore::envs::CartPole;
use samplers::SamplerConfig;
use std::time::Instant;

/// Batches measured after one that is not.
const BATCHES: usize = 5;

fn config() -> Config {
    Config {
        env: EnvConfig::Cartpole(CartPole::default()),
        sampler: SamplerConfig { t: 2048, b: 8, ..Default::default() },
        agent: AgentConfig::CategoricalPg(CategoricalPgAgentConfig {
            model: PgNet::default(),
            ..Default::default()
        }),
        algo: AlgoConfig::Ppo(PpoConfig {
            learning_rate: 3e-4,
            // Our squared error has a half that theirs has not.
            value_loss_coeff: 1.0,
            entropy_loss_coeff: 0.0,
            clip_grad_norm: 0.5,
            gae_lambda: 0.95,
            minibatches: 256,
            epochs: 10,
            ratio_clip: 0.2,
            linear_lr_schedule: false,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            adam_eps: 1e-5,
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(super) fn run() -> Result<()> {
    let config = config();
    let mut parts = prepare(&config)?.start(None)?;
    let mut weights = vec![0.0; parts.algo.params().len()];
    let (mut learning, mut sampling) = (vec![], vec![]);
    let mut env_steps = 0;
    for _ in 0..=BATCHES {
        let begun = Instant::now();
        parts.algo.params().write_to(&mut weights);
        parts.sampler.publish(&weights)?;
        let samples = parts.sampler.obtain_samples(env_steps)?;
        let sampled = begun.elapsed().as_secs_f64();
        let steps = (config.sampler.t * config.sampler.b) as u64;
        env_steps += steps;
        let (before, begun) = (parts.algo.updates(), Instant::now());
        parts.algo.optimize(samples.columns(), env_steps)?;
        let updates = parts.algo.updates() - before;
        learning.push(begun.elapsed().as_secs_f64() / updates as f64 * 1e6);
        sampling.push(sampled / steps as f64 * 1e6);
    }
    for (name, mut values) in
        [("learning, us a minibatch of 64", learning), ("sampling, us a step", sampling)]
    {
        values.remove(0);
        values.sort_by(f64::total_cmp);
        crate::say!(
            "{name}: {:.1} median of {BATCHES} ({:.1} to {:.1})",
            values[BATCHES / 2],
            values[0],
            values[BATCHES - 1]
        );
    }
    Ok(())
}
