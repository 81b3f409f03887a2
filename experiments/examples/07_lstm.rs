//! An agent with a memory: a policy with an LSTM, trained by PPO. `cargo run --release --example 07_lstm -- train my-memory`
//!
//! The cue is shown at the start of an episode only. The sampler keeps each environment's memory and zeroes it where an episode
//! ends; the algorithm learns from whole columns of a batch, from the memory that was recorded before row 0. Nothing else
//! differs from an agent without memory. A [`Program`] has every command: `eval`, `plot`, `resume` and the rest.
use agents::pg::{CategoricalPgAgentConfig, PgMlp, PgNet};
use algos::{NormalizeAdvantage, PpoConfig};
use experiments::{Program, config::Config};
use rlcore::envs::Memory;
use runners::RunnerConfig;
use samplers::SamplerConfig;
use std::process::ExitCode;

fn my_memory() -> Config<Memory, CategoricalPgAgentConfig<PgNet>, PpoConfig> {
    Config {
        env: Memory::default(),
        sampler: SamplerConfig { t: 24, b: 32, ..Default::default() },
        agent: CategoricalPgAgentConfig {
            // Without `lstm` the mean return stays at 0.
            model: PgNet::Mlp(PgMlp { hidden: vec![], lstm: Some(32), ..Default::default() }),
            ..Default::default()
        },
        algo: PpoConfig {
            learning_rate: 3e-3,
            gae_lambda: 0.95,
            ratio_clip: 0.2,
            // Of environments: a column is not cut.
            minibatches: 4,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            linear_lr_schedule: false,
            ..Default::default()
        },
        runner: RunnerConfig {
            n_steps: 200_000,
            log_interval_steps: 5_000,
            stop_return: Some(0.95),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn main() -> ExitCode {
    Program::new()
        .preset("my-memory", "PPO with an LSTM acts on a cue that it saw steps before", my_memory)
        .main()
}
