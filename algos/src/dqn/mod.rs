//! Q-learning with a replay: DQN and its kin.
pub mod loss;
