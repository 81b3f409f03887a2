//! Advantage actor-critic.
mod algo;
mod config;
pub mod loss;

pub use algo::A2c;
pub use config::A2cConfig;
