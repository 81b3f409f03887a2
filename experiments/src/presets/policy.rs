//! Presets of the policy-gradient algorithms.
use crate::config::{AgentConfig, AlgoConfig, Config, EnvConfig, PgNet};
use agents::dist::{Bound, GaussianConfig};
use agents::nn::Start;
use agents::pg::{CategoricalPgAgentConfig, Evaluate, GaussianPgAgentConfig, PgConv, PgMlp};
use algos::{A2cConfig, NormalizeAdvantage, PpoConfig};
use rlcore::envs::{Acrobot, CartPole, Catch, Memory, Pendulum};
use runners::RunnerConfig;
use samplers::SamplerConfig;

fn categorical(model: PgNet) -> AgentConfig {
    AgentConfig::CategoricalPg(CategoricalPgAgentConfig { model, evaluate: Evaluate::Mode })
}

fn run(n_steps: u64, log_interval_steps: u64, stop_return: f64) -> RunnerConfig {
    RunnerConfig {
        n_steps,
        log_interval_steps,
        stop_return: Some(stop_return),
        ..Default::default()
    }
}

pub(super) fn cartpole_ppo() -> Config {
    Config {
        env: EnvConfig::Cartpole(CartPole::default()),
        sampler: SamplerConfig { t: 32, b: 8, ..Default::default() },
        agent: categorical(PgNet::default()),
        // The tuned settings of RL Baselines3 Zoo: short batches, many passes, a falling step size.
        algo: AlgoConfig::Ppo(PpoConfig {
            discount: 0.98,
            gae_lambda: 0.8,
            minibatches: 1,
            epochs: 20,
            ratio_clip: 0.2,
            value_loss_coeff: 1.0,
            entropy_loss_coeff: 0.0,
            clip_grad_norm: 0.5,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            ..Default::default()
        }),
        runner: run(200_000, 5_000, 475.0),
        ..Default::default()
    }
}

pub(super) fn cartpole_a2c() -> Config {
    Config {
        env: EnvConfig::Cartpole(CartPole::default()),
        sampler: SamplerConfig { t: 8, b: 16, ..Default::default() },
        agent: categorical(PgNet::default()),
        algo: AlgoConfig::A2c(A2cConfig {
            learning_rate: 1e-3,
            gae_lambda: 0.95,
            adam_eps: 1e-5,
            entropy_loss_coeff: 0.0,
            linear_lr_schedule: true,
            clip_grad_norm: 0.5,
            ..Default::default()
        }),
        runner: run(500_000, 20_000, 475.0),
        ..Default::default()
    }
}

pub(super) fn memory_ppo_lstm() -> Config {
    Config {
        env: EnvConfig::Memory(Memory::default()),
        sampler: SamplerConfig { t: 24, b: 32, ..Default::default() },
        agent: categorical(PgNet::Mlp(PgMlp {
            hidden: vec![],
            lstm: Some(32),
            ..Default::default()
        })),
        algo: AlgoConfig::Ppo(PpoConfig {
            learning_rate: 3e-3,
            gae_lambda: 0.95,
            ratio_clip: 0.2,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            linear_lr_schedule: false,
            ..Default::default()
        }),
        runner: run(200_000, 5_000, 0.95),
        ..Default::default()
    }
}

pub(super) fn pendulum_ppo() -> Config {
    Config {
        env: EnvConfig::Pendulum(Pendulum::default()),
        sampler: SamplerConfig { t: 256, b: 8, max_decorrelation_steps: 200, ..Default::default() },
        agent: AgentConfig::GaussianPg(GaussianPgAgentConfig {
            model: PgNet::default(),
            gaussian: GaussianConfig { bound: Bound::Squash, ..Default::default() },
            evaluate: Evaluate::Mode,
        }),
        // A short horizon, since mistakes show at once, and little weight on values of -100s: the gradient's norm is shared.
        algo: AlgoConfig::Ppo(PpoConfig {
            discount: 0.95,
            gae_lambda: 0.95,
            minibatches: 16,
            epochs: 20,
            ratio_clip: 0.2,
            value_loss_coeff: 0.01,
            entropy_loss_coeff: 0.0,
            clip_grad_norm: 0.5,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            ..Default::default()
        }),
        runner: run(200_000, 20_000, -200.0),
        ..Default::default()
    }
}

pub(super) fn acrobot_ppo() -> Config {
    Config {
        env: EnvConfig::Acrobot(Acrobot::default()),
        sampler: SamplerConfig {
            t: 128,
            b: 16,
            max_decorrelation_steps: 200,
            ..Default::default()
        },
        agent: categorical(PgNet::Mlp(PgMlp { normalise_observation: true, ..Default::default() })),
        algo: AlgoConfig::Ppo(PpoConfig {
            gae_lambda: 0.94,
            minibatches: 16,
            epochs: 4,
            ratio_clip: 0.2,
            value_loss_coeff: 1.0,
            entropy_loss_coeff: 0.0,
            clip_grad_norm: 0.5,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            linear_lr_schedule: false,
            ..Default::default()
        }),
        runner: run(1_000_000, 20_000, -100.0),
        ..Default::default()
    }
}

pub(super) fn catch_a2c() -> Config {
    Config {
        env: EnvConfig::Catch(Catch::default()),
        sampler: SamplerConfig { t: 10, b: 32, ..Default::default() },
        agent: categorical(PgNet::Conv(PgConv {
            channels: vec![16],
            kernels: vec![3],
            strides: vec![1],
            paddings: vec![1],
            fc: vec![64],
            lstm: None,
            start: Start::Orthogonal,
        })),
        algo: AlgoConfig::A2c(A2cConfig::default()),
        runner: run(500_000, 10_000, 0.95),
        ..Default::default()
    }
}
