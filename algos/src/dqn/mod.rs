//! Q-learning with a replay: DQN and its kin.
mod algo;
mod config;
#[cfg(test)]
mod drawn;
pub mod loss;

pub use algo::Dqn;
pub use config::DqnConfig;
