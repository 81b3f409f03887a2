//! Our contenders for whole training: the runner's iteration (publish, sample, gather finished episodes, learn) without files.
use super::collecting::title;
use super::measure::Contender;
use crate::Program;
use crate::assemble::{self, Parts};
use crate::config::Config;
use agents::epsilon::EpsilonConfig;
use agents::model::QNet;
use agents::pg::{CategoricalPgAgentConfig, Evaluate, PgNet};
use agents::{AgentSettings, DqnAgentSettings};
use algos::{DqnConfig, MakeAlgo, NormalizeAdvantage, PpoConfig};
use anyhow::Result;
use rlcore::GlobalSteps;
use rlcore::envs::CartPole;
use runners::RunnerConfig;
use samplers::{SamplerConfig, SamplerKind, WorkerConfig};
use serde::Serialize;

/// Trains as `config` says, one batch per call.
fn training<A: AgentSettings + Serialize + 'static, L: MakeAlgo + Serialize + 'static>(
    name: &str,
    config: &Config<CartPole, A, L>,
) -> Result<Contender> {
    let program = Program::new();
    let prepared = assemble::prepare(&program, &program.config(config)?)?;
    let Parts { mut sampler, mut algo } = prepared.start(None)?;
    let pids = sampler.worker_pids();
    let steps = (config.sampler.t * config.sampler.b) as u64;
    let mut weights = vec![0.0; algo.params().len()];
    let (mut env_steps, mut published) = (0, None);
    let work = move || {
        if published != Some(algo.version()) {
            algo.params().write_to(&mut weights);
            sampler.publisher().publish(&weights)?;
            published = Some(algo.version());
        }
        let samples = sampler.obtain_samples(GlobalSteps(env_steps))?;
        env_steps += steps;
        std::hint::black_box(samples.trajectories());
        algo.optimize(samples.into_lease(), GlobalSteps(env_steps))?;
        Ok(steps)
    };
    Ok(Contender::new(name.to_owned(), pids, work))
}

/// CartPole with the MLP 64-64 and a constant epsilon.
fn cartpole(
    sampler: SamplerConfig,
    algo: DqnConfig,
) -> Config<CartPole, DqnAgentSettings, DqnConfig> {
    let epsilon = EpsilonConfig { eps_init: 0.05, eps_final: 0.05, ..Default::default() };
    Config {
        sampler,
        agent: DqnAgentSettings { model: QNet::default(), epsilon },
        algo,
        runner: RunnerConfig { evaluate: false, ..Default::default() },
        ..Default::default()
    }
}

/// Acting and appending to the replay, 8 environments: DQN whose first update never comes.
pub(super) fn collection(kind: SamplerKind, workers: usize) -> Result<Contender> {
    let worker = WorkerConfig { n: workers, ..Default::default() };
    let sampler = SamplerConfig { kind, t: 64, b: 8, worker, ..Default::default() };
    let never = DqnConfig {
        min_steps_learn: i64::MAX as u64,
        eps_steps: i64::MAX as u64,
        replay_size: 100_000,
        ..Default::default()
    };
    training(&title(kind, workers), &cartpole(sampler, never))
}

/// DQN with the settings of `scripts/peers/sb3_dqn.py`: an update of 64 transitions every 4 steps of one environment.
pub(super) fn dqn() -> Result<Contender> {
    let sampler = SamplerConfig { t: 4, b: 1, ..Default::default() };
    let algo = DqnConfig {
        batch_size: 64,
        replay_ratio: 16.0,
        min_steps_learn: 100,
        eps_steps: 100,
        target_update_interval: 2_500,
        learning_rate: 1e-4,
        adam_eps: Some(1e-8),
        ..Default::default()
    };
    training("serial", &cartpole(sampler, algo))
}

/// PPO with the defaults of stable-baselines3 (`scripts/peers/sb3_ppo.py`): 256 minibatches of 64, 10 times over.
pub(super) fn ppo() -> Result<Contender> {
    training("serial", &ppo_defaults())
}

/// Settings of [`ppo`].
pub(super) fn ppo_defaults() -> Config<CartPole, CategoricalPgAgentConfig<PgNet>, PpoConfig> {
    let algo = PpoConfig {
        learning_rate: 3e-4,
        // Ours multiplies half of the squared error, stable-baselines3's 0.5 the whole.
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
    };
    let model = PgNet::default();
    let agent = CategoricalPgAgentConfig { model, evaluate: Evaluate::Mode };
    Config {
        sampler: SamplerConfig { t: 2_048, b: 8, ..Default::default() },
        agent,
        algo,
        runner: RunnerConfig { evaluate: false, ..Default::default() },
        ..Default::default()
    }
}
