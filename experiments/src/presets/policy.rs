//! Presets of the policy-gradient algorithms.
use crate::config::Config;
use agents::dist::{Bound, GaussianConfig};
use agents::nn::Start;
use agents::pg::{CategoricalPgAgentConfig, Evaluate, GaussianPgAgentConfig, PgConv, PgMlp, PgNet};
use algos::{A2cConfig, NormalizeAdvantage, PpoConfig};
use rlcore::envs::{Acrobot, CartPole, Catch, Memory, Pendulum};
use runners::RunnerConfig;
use samplers::SamplerConfig;

type Categorical = CategoricalPgAgentConfig<PgNet>;
type Gaussian = GaussianPgAgentConfig<PgNet>;

fn categorical(model: PgNet) -> Categorical {
    CategoricalPgAgentConfig { model, evaluate: Evaluate::Mode }
}

fn run(n_steps: u64, log_interval_steps: u64, stop_return: f64) -> RunnerConfig {
    RunnerConfig {
        n_steps,
        log_interval_steps,
        stop_return: Some(stop_return),
        ..Default::default()
    }
}

pub(crate) fn cartpole_ppo() -> Config<CartPole, Categorical, PpoConfig> {
    Config {
        env: CartPole::default(),
        sampler: SamplerConfig { t: 32, b: 8, ..Default::default() },
        agent: categorical(PgNet::default()),
        // The tuned settings of RL Baselines3 Zoo: short batches, many passes, a falling step size.
        algo: PpoConfig {
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
        },
        runner: run(200_000, 5_000, 475.0),
        ..Default::default()
    }
}

pub(crate) fn cartpole_a2c() -> Config<CartPole, Categorical, A2cConfig> {
    Config {
        env: CartPole::default(),
        sampler: SamplerConfig { t: 8, b: 16, ..Default::default() },
        agent: categorical(PgNet::default()),
        algo: A2cConfig {
            learning_rate: 1e-3,
            gae_lambda: 0.95,
            adam_eps: 1e-5,
            entropy_loss_coeff: 0.0,
            linear_lr_schedule: true,
            clip_grad_norm: 0.5,
            ..Default::default()
        },
        runner: run(500_000, 20_000, 475.0),
        ..Default::default()
    }
}

pub(crate) fn memory_ppo_lstm() -> Config<Memory, Categorical, PpoConfig> {
    Config {
        env: Memory::default(),
        sampler: SamplerConfig { t: 24, b: 32, ..Default::default() },
        agent: categorical(PgNet::Mlp(PgMlp {
            hidden: vec![],
            lstm: Some(32),
            ..Default::default()
        })),
        algo: PpoConfig {
            learning_rate: 3e-3,
            gae_lambda: 0.95,
            ratio_clip: 0.2,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            linear_lr_schedule: false,
            ..Default::default()
        },
        runner: run(200_000, 5_000, 0.95),
        ..Default::default()
    }
}

pub(crate) fn pendulum_ppo() -> Config<Pendulum, Gaussian, PpoConfig> {
    Config {
        env: Pendulum::default(),
        sampler: SamplerConfig { t: 256, b: 8, max_decorrelation_steps: 200, ..Default::default() },
        agent: GaussianPgAgentConfig {
            model: PgNet::default(),
            gaussian: GaussianConfig { bound: Bound::Squash, ..Default::default() },
            evaluate: Evaluate::Mode,
        },
        // A short horizon, since mistakes show at once, and little weight on values of -100s: the gradient's norm is shared.
        algo: PpoConfig {
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
        },
        runner: run(200_000, 20_000, -200.0),
        ..Default::default()
    }
}

pub(crate) fn acrobot_ppo() -> Config<Acrobot, Categorical, PpoConfig> {
    Config {
        env: Acrobot::default(),
        sampler: SamplerConfig {
            t: 128,
            b: 16,
            max_decorrelation_steps: 200,
            ..Default::default()
        },
        agent: categorical(PgNet::Mlp(PgMlp { normalise_observation: true, ..Default::default() })),
        algo: PpoConfig {
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
        },
        runner: run(1_000_000, 20_000, -100.0),
        ..Default::default()
    }
}

pub(crate) fn catch_a2c() -> Config<Catch, Categorical, A2cConfig> {
    Config {
        env: Catch::default(),
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
        algo: A2cConfig::default(),
        runner: run(500_000, 10_000, 0.95),
        ..Default::default()
    }
}
