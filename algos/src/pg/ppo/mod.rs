//! Proximal policy optimisation.
mod algo;
mod config;
pub mod loss;

pub use algo::Ppo;
pub use config::PpoConfig;
