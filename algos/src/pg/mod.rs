//! Policy gradients.
pub mod a2c;
#[cfg(test)]
mod golden;
pub mod loss;
pub mod moments;
pub mod ppo;
pub mod reinforce;
pub mod returns;
