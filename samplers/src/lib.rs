//! Samplers drive environments and agents to fill a `[T, B]` block.
//!
//! There is one collector loop ([`collector`]). A [`SerialSampler`] runs it in this process over all columns; a [`CpuSampler`]
//! runs it in every worker over that worker's columns, with a copy of the agent. Both give the same samples to the bit.
#![forbid(unsafe_code)]

pub mod collector;
mod config;
mod cpu;
mod error;
mod evaluation;
mod host;
mod sampler;
mod serial;
mod state;
mod watchdog;
mod worker;

pub use config::{EvalConfig, HostKind, SamplerConfig, SamplerKind, WorkerConfig};
pub use cpu::CpuSampler;
pub use error::{Cause, SamplerError};
pub use evaluation::Evaluation;
pub use sampler::{Sampler, Samples, Setup, build};
pub use serial::SerialSampler;
pub use state::{ColumnState, SamplerState};
