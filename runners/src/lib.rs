//! The training loop: sample, learn, evaluate, log, write checkpoints. [`MinibatchRl`] is the only runner; evaluation is an option
//! of it.
//!
//! # Example
//!
//! DQN on CartPole for 1,024 environment steps. The run directory then holds `progress.csv`, TensorBoard events and checkpoints:
//!
//! ```
//! use agents::model::QMlp;
//! use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
//! use algos::{Dqn, DqnConfig, LearnContext};
//! use rlcore::envs::CartPole;
//! use rlcore::run_dir::{Existing, RunDir};
//! use rlcore::{EnvFactory, GlobalSteps};
//! use runners::{MinibatchRl, RunnerConfig, WEIGHTS_FILE};
//! use samplers::{SamplerConfig, Setup};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = QMlp { hidden: vec![16], ..Default::default() };
//! let exploration = EpsilonGreedy { start_steps: 256, end_steps: 1_024, ..Default::default() };
//! let agent = DqnAgentConfig { model: model.clone(), exploration };
//! let sampling = SamplerConfig { t: 16, b: 4, ..Default::default() };
//! let env = EnvFactory::new(&CartPole::default())?;
//! let sampler = samplers::build(Setup::new(sampling, env, AgentFactory::new(&agent)?))?;
//!
//! let dqn = DqnConfig {
//!     batch_size: 32,
//!     replay_size: 2_000,
//!     min_steps_learn: 256,
//!     eps_steps: 1_024,
//!     ..Default::default()
//! };
//! let context = LearnContext::new(sampler.spaces(), sampler.spec(), GlobalSteps(1_024), 0);
//! let replay = dqn.uniform_replay(&context)?;
//! let algo = Dqn::new(dqn, &model, replay, &context)?;
//!
//! let config = RunnerConfig {
//!     n_steps: 1_024,
//!     log_interval_steps: 512,
//!     evaluate: false, // there are no evaluation environments
//!     ..Default::default()
//! };
//! let scratch = tempfile::tempdir()?;
//! let dir = RunDir::create(&scratch.path().join("run"), Existing::Refuse)?;
//! let outcome = MinibatchRl::new(config, sampler, Box::new(algo), dir)?.run()?;
//! assert_eq!(outcome.env_steps, GlobalSteps(1_024));
//! assert!(outcome.checkpoint.join(WEIGHTS_FILE).exists());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod checkpoint;
mod config;
mod console;
mod error;
mod journal;
mod minibatch_rl;
mod record;
pub mod signals;
mod speed;

pub use checkpoint::{Progress, WEIGHTS_FILE, weights};
pub use config::RunnerConfig;
pub use console::Console;
pub use error::RunError;
pub use journal::{Outcome, Stop};
pub use minibatch_rl::MinibatchRl;
