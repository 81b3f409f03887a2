//! Deep Q-learning with a replay.
//!
//! Start with [`Dqn`] (`algo.rs`); [`loss`] has the formulas.
mod algo;
mod config;
#[cfg(test)]
mod drawn;
pub mod loss;

pub use algo::Dqn;
pub use config::DqnConfig;
