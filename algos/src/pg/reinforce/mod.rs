//! REINFORCE, the simplest policy gradient.
mod algo;
mod config;
pub mod loss;

pub use algo::Reinforce;
pub use config::ReinforceConfig;
