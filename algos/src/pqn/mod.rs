//! Parallelised Q-network: Q-learning from the latest batch alone, without a replay and without a target network.
mod algo;
mod config;
#[cfg(test)]
mod tests;

pub use algo::Pqn;
pub use config::PqnConfig;
