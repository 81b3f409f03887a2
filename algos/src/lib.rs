//! Algorithms: how agents learn.
//!
//! | module | what it has |
//! |---|---|
//! | [`dqn`] | deep Q-learning |
//! | [`pqn`] | Q-learning without a replay: PQN |
//! | [`pg`] | policy gradients: PPO, A2C, REINFORCE |
//! | [`returns`] | returns and advantages |
//! | [`replay`] | what is kept of past batches, and how it is drawn |
//! | [`trained`], [`optim`] | parameters with their optimiser |
//!
//! [`Algo`] is the interface between a runner and an algorithm. [`AlgoSettings`] is what the settings of an algorithm tell before
//! anything is built, [`Requires`] what samples must hold, [`LearnContext`] what every algorithm is built with.
//!
//! ```
//! use agents::model::QMlp;
//! use algos::{Algo, Dqn, DqnConfig, LearnContext};
//! use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, Lease, flag};
//! use rlcore::{BatchSpec, DType, EnvSpaces, GlobalSteps, Space};
//!
//! // Batches of 8 time steps of 2 environments, which show 4 numbers and have 3 actions.
//! let spec = BatchSpec { t: 8, b: 2 };
//! let observation = Space::uniform_box(DType::F32, &[4], -1.0, 1.0);
//! let spaces = EnvSpaces::new(observation, Space::Discrete { n: 3 });
//!
//! let context = LearnContext::new(&spaces, spec, GlobalSteps(1000), 7);
//! let settings =
//!     DqnConfig { batch_size: 16, min_steps_learn: 0, replay_size: 1000, ..Default::default() };
//! let replay = settings.uniform_replay(&context)?;
//! let mut dqn = Dqn::new(settings, &QMlp { hidden: vec![32], ..Default::default() }, replay, &context)?;
//!
//! // A sampler fills such a block; here every step has a reward of 1.
//! let agent = AgentSchema::default();
//! let mut block = Columns::owned(&Layout::new(spec, &spaces, &agent, BlockOptions::default()));
//! for t in 0..spec.t {
//!     block.reward.row_mut(t).get::<f32>(0).fill(1.0);
//!     block.flags.row_mut(t).get::<u8>(flag::VALID).fill(1);
//! }
//! dqn.optimize(Lease::unslotted(block), GlobalSteps(16))?;
//! // 16 steps, each learned from 8 times, in updates of 16 transitions.
//! assert_eq!(dqn.updates(), 8);
//! # Ok::<(), algos::AlgoError>(())
//! ```
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
