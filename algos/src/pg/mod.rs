//! Policy gradients: A2C, PPO, REINFORCE.
//!
//! Start with [`ppo`]: its `algo.rs` says what actions were worth and what the loss is. An algorithm is a [`Method`]: settings,
//! estimates, loss. [`PolicyGradient`] makes the passes over a batch with it. The [`Learner`] has what all share (model,
//! parameters and optimiser, observation statistics, log, checkpoint). A [`Batch`] has estimates of what actions were worth
//! ([`returns`](crate::returns)), and comes in [`Minibatch`]es.
pub mod a2c;
mod algo;
mod batch;
mod config;
mod estimate;
mod finals;
#[cfg(test)]
mod golden;
mod learner;
mod log;
pub mod loss;
mod method;
mod minibatch;
mod moments;
pub mod ppo;
pub mod reinforce;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use config::batch_needs;

pub use algo::PolicyGradient;
pub use batch::Batch;
pub use config::NormalizeAdvantage;
pub use estimate::estimated;
pub use learner::Learner;
pub use log::Ratio;
pub use method::{Method, Order};
pub use minibatch::{Minibatch, Normalized};
pub use moments::Moments;
