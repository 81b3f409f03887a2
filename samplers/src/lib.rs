//! Samplers drive environments and agents to fill a `[T, B]` block.
//!
//! There is one collector loop (`collector`). A [`SerialSampler`] runs it in this process over all columns. A
//! [`ParallelSampler`] runs it in every worker over that worker's columns, with a copy of the agent; or it splits the loop:
//! workers step the environments, and the agent of this process acts for all of them. All give the same samples to the
//! bit, for a policy whose rows do not depend on how they are batched.
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
