//! How agents learn: losses, optimisers, replay.
//!
//! Start with [`replay`] for what is remembered and how it is drawn, with [`dqn`] for Q-learning from a replay, with [`pqn`]
//! for Q-learning without one, with [`pg`] for policy gradients, with [`trained`] for parameters and their optimiser. [`Algo`] is what a
//! runner asks of an algorithm, [`AlgoSettings`] what its settings say before anything is built.
#![forbid(unsafe_code)]

mod algo;
mod context;
pub mod dqn;
mod error;
pub mod optim;
mod passes;
pub mod pg;
pub mod pqn;
pub mod replay;
mod requires;
pub mod returns;
mod saved;
mod settings;
mod steps;
pub mod trained;

pub use algo::{Algo, OptInfo, Restored, SaveScope, Saved};
pub use context::{Alone, Average, LearnContext};
pub use dqn::{Dqn, DqnConfig};
pub use error::AlgoError;
pub use pg::NormalizeAdvantage;
pub use pg::a2c::{A2c, A2cConfig};
pub use pg::ppo::{Ppo, PpoConfig};
pub use pg::reinforce::{Reinforce, ReinforceConfig};
pub use pqn::{Pqn, PqnConfig};
pub use requires::Requires;
pub use settings::{AlgoNeeds, AlgoSettings, MakeAlgo};
pub use trained::{Trained, TrainedSettings};
