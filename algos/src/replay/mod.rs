//! Replays: what is kept of past batches, and how it is drawn.
//!
//! A replay is composed of parts, each of which knows only the parts above it in the table:
//!
//! | part | holds | is told | answers |
//! |---|---|---|---|
//! | [`Store`] | named leaves of the block (each every step or every k steps), reward and outcome of each step, final observations, in a ring `[T_ring, B]` under one cursor | appended blocks | cells; whether a [`Key`] still names the step that its cell holds |
//! | [`NStep`] | the n-step return that starts at each cell | which steps are new | windows |
//! | [`Draw`] | how cells are drawn; priorities, where it has them | which cells can be drawn ([`Drawable`]) and which no longer can; new priorities | cells |
//! | [`TransitionReplay`] | one of each | blocks, keys, priorities | keys, and batches that are gathered from them |
//! | [`Transitions`] | N transitions; belongs to the caller, so there can be several, in threads too | | arrays, as tensors or as plain memory |
//!
//! A draw gives keys, `gather` copies what they name into a batch, and `write_back` returns
//! priorities by key, at any later time: a priority is dropped where the step of its key has been
//! overwritten or can no longer be drawn. An algorithm is given a replay and does not know how it
//! draws.
//!
//! A strategy with priorities is another [`Draw`]; a replay of sequences is another composition of the
//! same store, returns and strategies, with a batch of its own; only the store knows how a leaf's
//! cells lie in memory.
//!
//! Follows rlpyt's `replays/`; each file says where it differs. Nothing here except [`TensorBatch`]
//! uses libtorch:
//!
//! ```
//! use algos::replay::{HostLeaf, ReplaySettings, TransitionReplay, Transitions, Uniform};
//! use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, flag};
//! use rlcore::{BatchSpec, DType, EnvSpaces, Space, seed::rng};
//!
//! // Batches of 4 time steps of 2 environments, which observe 3 numbers and choose among 5 actions.
//! let (spec, observation) = (BatchSpec { t: 4, b: 2 }, Space::uniform_box(DType::F32, &[3], -1.0, 1.0));
//! let spaces = EnvSpaces::new(observation, Space::Discrete { n: 5 });
//! let settings = ReplaySettings { size: 1000, n_step: 3, discount: 0.99 };
//! let mut replay = TransitionReplay::new(&spaces, spec, settings, Box::new(Uniform))?;
//!
//! let layout = Layout::new(spec, &spaces, &AgentSchema::default(), BlockOptions::default());
//! let mut block = Columns::owned(&layout);
//! for t in 0..4 {
//!     for env in 0..2 {
//!         block.observation.cell_mut(t, env).f32(0).copy_from_slice(&[t as f32, env as f32, 0.5]);
//!         block.action.cell_mut(t, env).i64(0)[0] = 2;
//!         block.reward.cell_mut(t, env).f32(0)[0] = 1.0;
//!         block.flags.cell_mut(t, env).u8(flag::VALID)[0] = 1;
//!     }
//! }
//! replay.append(&block)?;
//! replay.append(&block)?;
//!
//! let mut keys = Vec::new();
//! replay.draw(&mut rng(1), 32, &mut keys)?;
//! let mut batch: Transitions<HostLeaf> = replay.batch(32);
//! replay.gather(&keys, &mut batch)?;
//! assert_eq!(batch.observation[0].spec().shape, [32, 3]);
//! let three_rewards = 1.0 + 0.99 + 0.99 * 0.99;
//! assert!(batch.return_.get::<f32>().iter().all(|sum| (sum - three_rewards).abs() < 1e-6));
//! # Ok::<(), algos::replay::ReplayError>(())
//! ```
mod batch;
mod draw;
mod drawable;
mod error;
mod finals;
#[cfg(test)]
mod golden;
mod key;
mod leaf;
#[cfg(test)]
mod leaves;
mod n_step;
mod outcome;
#[cfg(test)]
mod recorded;
mod state;
mod store;
mod tensors;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transitions;
mod uniform;
#[cfg(test)]
mod write_back;

pub use batch::{BatchLeaf, HostLeaf, Transitions};
pub use draw::Draw;
pub use drawable::Drawable;
pub use error::ReplayError;
pub use key::Key;
pub use leaf::StoredLeaf;
pub use n_step::{NStep, Window};
pub use outcome::Outcome;
pub use state::{Place, ReplayMeta};
pub use store::Store;
pub use tensors::TensorBatch;
pub use transitions::{ReplaySettings, TransitionReplay};
pub use uniform::Uniform;
