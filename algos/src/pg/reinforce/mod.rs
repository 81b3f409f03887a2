//! REINFORCE, the simplest policy gradient.
pub mod loss;
