//! Advantage actor-critic.
pub mod loss;
