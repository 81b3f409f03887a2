//! The command line, and what it is made of: parts by name ([`program`]), configurations ([`config`]), samplers and algorithms built
//! from them ([`assemble`]), commands, benches, plots and pictures.
//!
//! Start with [`Program`]: it is the whole command line, to which a crate of its own adds environments, agents, algorithms and presets.
//! A program needs no command line, either:
//!
//! ```
//! use algos::Algo;
//! use experiments::{Program, assemble};
//! use rlcore::GlobalSteps;
//! use samplers::Sampler;
//!
//! # fn main() -> anyhow::Result<()> {
//! let program = Program::new();
//! // What `train cartpole-a2c --set sampler.b=4` trains.
//! let preset = program.preset_named("cartpole-a2c")?;
//! let config = program.resolve(&preset, None, &["sampler.b=4".into()])?;
//! let mut parts = assemble::prepare(&program, &config)?.start(None)?;
//! // One batch: publish the weights, sample, learn.
//! let mut weights = vec![0.0; parts.algo.params().len()];
//! parts.algo.params().write_to(&mut weights);
//! parts.sampler.publisher().publish(&weights)?;
//! let samples = parts.sampler.obtain_samples(GlobalSteps(0))?;
//! let steps = GlobalSteps(parts.sampler.spec().steps() as u64);
//! parts.algo.optimize(samples.into_lease(), steps)?;
//! assert_eq!(parts.algo.updates(), 1);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

/// Prints a line; a closed pipe (`| head`) is no error.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

pub mod assemble;
pub mod bench;
mod builtin;
pub mod commands;
pub mod config;
pub mod failure;
pub mod figure;
mod font;
mod presets;
pub mod program;
pub mod render;

pub use program::Program;
