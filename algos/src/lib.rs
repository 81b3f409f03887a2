//! How agents learn: losses, optimisers, replay.
//!
//! Start with [`replay`] for what is remembered and how it is drawn, with [`dqn`] for the
//! Q-learning family, with [`pg`] for policy gradients, with [`optim`] for the optimiser on one flat vector of parameters.
#![forbid(unsafe_code)]

mod algo;
pub mod dqn;
pub mod optim;
pub mod pg;
pub mod replay;
mod saved;

pub use algo::{Algo, AlgoError, OptInfo, Saved};
pub use dqn::{Dqn, DqnConfig};
pub use pg::a2c::{A2c, A2cConfig};
pub use pg::ppo::{Ppo, PpoConfig};
pub use pg::reinforce::{Reinforce, ReinforceConfig};
pub use pg::{NormalizeAdvantage, PgContext};
