//! Policy gradients: A2C, PPO, REINFORCE.
//!
//! Start with [`ppo`]: its `algo.rs` reads top to bottom. An algorithm is a [`Method`], its settings with a way to learn from a
//! batch; the [`Learner`] that it moves has what they share (model, optimiser, observation statistics, log, checkpoint). A
//! [`Batch`] has estimates of what actions were worth ([`returns`]), and comes in [`Minibatch`]es.
pub mod a2c;
mod algo;
mod batch;
mod config;
mod finals;
#[cfg(test)]
mod golden;
mod learner;
mod log;
pub mod loss;
mod minibatch;
mod moments;
pub mod ppo;
pub mod reinforce;
pub mod returns;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use algo::{Method, PgContext, PolicyGradient};
pub use batch::Batch;
pub use config::NormalizeAdvantage;
pub use learner::{Learner, LearnerSettings};
pub use log::Ratio;
pub use minibatch::{Minibatch, Normalized};
pub use moments::Moments;
