//! Policy gradients: A2C, PPO, REINFORCE.
//!
//! Start with [`ppo`]: its `algo.rs` has the advantage estimates and the loss. Each algorithm is a [`Method`]: settings, estimates,
//! loss. [`PolicyGradient`] makes the passes over a batch with it. The [`Learner`] is what all algorithms share (model, parameters and
//! optimiser, observation statistics, log, checkpoint). A [`Batch`] has advantages and returns ([`returns`](crate::returns)), and is
//! cut into [`Minibatch`]es.
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
