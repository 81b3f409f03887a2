//! Samplers step environments and agents to fill `[T, B]` batches of samples.
//!
//! There is one collector loop (`collector`). A [`SerialSampler`] runs it in this process over all columns. A [`ParallelSampler`] runs it
//! in every worker over that worker's columns, with a copy of the agent; or it splits the loop: workers step the environments, and the
//! agent of this process chooses the actions of all of them. All samplers produce the same samples to the bit, for a policy whose rows do
//! not depend on how they are batched.
//!
//! ```
//! use agents::{AgentFactory, RandomAgentConfig};
//! use rlcore::envs::CartPole;
//! use rlcore::{EnvFactory, GlobalSteps};
//! use samplers::{SamplerConfig, SamplerKind, Setup};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let env = EnvFactory::new(&CartPole::default())?;
//! let agent = AgentFactory::new(&RandomAgentConfig {})?;
//! // `SamplerKind::Cpu` steps in worker processes; then `rlcore::forkserver::init()?` is the first line of `main`.
//! let config = SamplerConfig { kind: SamplerKind::Serial, t: 100, b: 4, ..Default::default() };
//! let mut sampler = samplers::build(Setup::new(config, env, agent))?;
//!
//! let samples = sampler.obtain_samples(GlobalSteps(0))?;
//! let rewards = &samples.columns().reward;
//! assert_eq!((rewards.rows(), rewards.columns()), (100, 4));
//! for episode in samples.trajectories() {
//!     println!("environment {}: {} steps, return {}", episode.env_rank, episode.length, episode.ret);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod build;
mod collector;
mod config;
mod crew;
mod error;
mod evaluation;
mod fits;
mod host;
mod needs;
mod parallel;
mod protocol;
mod sampler;
mod saved;
mod serial;
mod server;
mod setup;
mod slots;
mod state;
mod supervisor;
mod watchdog;
mod weights;
mod worker;

pub use build::build;
pub use config::{EvalConfig, HostKind, SamplerConfig, SamplerKind, WorkerConfig};
pub use error::{Cause, SamplerError};
pub use evaluation::Evaluation;
pub use parallel::ParallelSampler;
pub use sampler::{Sampler, Samples};
pub use saved::SavedSampler;
pub use serial::SerialSampler;
pub use setup::{Plan, Setup};
pub use state::{ActState, ColumnState, EnvState, SamplerState};
pub use weights::Publisher;
