//! The loop that trains: sample, optimise, evaluate, log, checkpoint. [`MinibatchRl`] is the one runner.
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
