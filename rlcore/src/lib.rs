//! The base of samplers, agents and algorithms: environments, sample memory, processes, and runs on disk.
//!
//! Start with [`mod@env`] to write an environment, with [`block`] for the memory layout of samples, with [`forkserver`] and [`wake`] for
//! worker processes. `--no-default-features` builds this crate without libtorch and without the tensor views.
//!
//! An environment is a type for its settings and a type for the environment; the conformance suite checks both:
//!
//! ```
//! use rlcore::conformance::{Options, Randomness, assert_conforms_with};
//! use rlcore::env::{from_state, to_state};
//! use rlcore::{CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Space, Step};
//!
//! /// Settings: a corridor of this length, with a reward of 1 at its right end.
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Corridor {
//!     length: usize,
//! }
//!
//! struct CorridorEnv {
//!     length: usize,
//!     /// `None` before a reset and after the end of an episode.
//!     at: Option<usize>,
//! }
//!
//! impl MakeEnv for Corridor {
//!     type Env = CorridorEnv;
//!
//!     fn make(&self, _context: &EnvContext) -> Result<CorridorEnv, EnvError> {
//!         Ok(CorridorEnv { length: self.length, at: None })
//!     }
//! }
//!
//! impl Env for CorridorEnv {
//!     fn spaces(&self) -> EnvSpaces {
//!         EnvSpaces::new(Space::uniform_box(DType::F32, &[1], 0.0, 1.0), Space::Discrete { n: 2 })
//!     }
//!
//!     fn seed(&mut self, _seed: u64) {}
//!
//!     fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
//!         self.at = Some(0);
//!         Ok(observation.write(0, &[0f32])?)
//!     }
//!
//!     fn step(
//!         &mut self,
//!         action: CellRef<'_>,
//!         observation: &mut CellMut<'_>,
//!         _info: &mut CellMut<'_>,
//!     ) -> Result<Step, EnvError> {
//!         let at = match (self.at, action.discrete()) {
//!             (Some(at), 0) => at.saturating_sub(1),
//!             (Some(at), 1) => at + 1,
//!             (_, action) => return Err(EnvError::new(format!("no reset, or no action {action}"))),
//!         };
//!         // The cell lies in the sample block: the observation is not copied afterwards.
//!         observation.write(0, &[at as f32 / self.length as f32])?;
//!         self.at = (at < self.length).then_some(at);
//!         Ok(if at == self.length { Step::terminated(1.0) } else { Step::running(0.0) })
//!     }
//!
//!     fn save_state(&self) -> Option<Vec<u8>> {
//!         to_state(&self.at)
//!     }
//!
//!     fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
//!         self.at = from_state(state)?;
//!         Ok(())
//!     }
//! }
//!
//! let options = Options { randomness: Randomness::None, ..Default::default() };
//! assert_conforms_with(&Corridor { length: 6 }, &options);
//! ```

// Under the model checker (`cfg(loom)`) only these three exist: the rest needs real memory and real processes. Declared without a
// macro, because rustfmt does not follow modules into one.
pub mod gate;
pub mod patience;
pub mod wake;

#[cfg(not(loom))]
pub mod affinity;
#[cfg(not(loom))]
pub mod batch_spec;
#[cfg(not(loom))]
pub mod block;
#[cfg(not(loom))]
pub mod cells;
#[cfg(not(loom))]
mod cgroup;
#[cfg(not(loom))]
pub mod channel;
#[cfg(not(loom))]
pub mod checkpoint;
#[cfg(not(loom))]
pub mod config;
#[cfg(not(loom))]
pub mod conformance;
#[cfg(not(loom))]
pub mod control;
#[cfg(not(loom))]
pub mod door;
#[cfg(not(loom))]
pub mod env;
#[cfg(not(loom))]
pub mod envs;
#[cfg(not(loom))]
pub mod exact;
#[cfg(not(loom))]
pub mod factory;
#[cfg(not(loom))]
pub mod file;
#[cfg(not(loom))]
pub mod fnptr;
#[cfg(not(loom))]
pub mod foreign;
#[cfg(not(loom))]
pub mod forkserver;
#[cfg(not(loom))]
pub mod manifest;
#[cfg(not(loom))]
pub mod memory;
#[cfg(not(loom))]
pub mod panics;
#[cfg(not(loom))]
pub mod progress;
#[cfg(not(loom))]
pub mod run_dir;
#[cfg(not(loom))]
pub mod schema;
#[cfg(not(loom))]
pub mod seed;
#[cfg(not(loom))]
pub mod segment;
#[cfg(not(loom))]
pub mod slice;
#[cfg(not(loom))]
pub mod space;
#[cfg(not(loom))]
pub mod stopwatch;
#[cfg(not(loom))]
pub mod table;
#[cfg(all(feature = "tch", not(loom)))]
pub mod tensor;
#[cfg(not(loom))]
pub mod traj;
#[cfg(not(loom))]
pub mod words;

#[cfg(not(loom))]
pub use batch_spec::{BatchSpec, EnvRank, GlobalSteps, LocalSteps, World};
#[cfg(not(loom))]
pub use cells::{CellError, CellMut, CellRef, Row, RowMut, Tree};
#[cfg(not(loom))]
pub use env::{Env, EnvContext, EnvError, EnvSpaces, InfoLeaf, MakeEnv, Reduce, Step};
#[cfg(not(loom))]
pub use factory::{EnvFactory, MakeSlice, SlicePlace};
#[cfg(not(loom))]
pub use schema::{DType, LeafSpec};
#[cfg(not(loom))]
pub use space::{BoxSpace, Space};
