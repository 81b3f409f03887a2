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

// Under the model checker only the wake word, its waiting policy and the gate exist: the rest needs real memory and processes.
macro_rules! unless_loom {
    ($($item:item)*) => { $(#[cfg(not(loom))] $item)* };
}

pub mod gate;
pub mod patience;
pub mod wake;

unless_loom! {
    pub mod affinity;
    pub mod batch_spec;
    pub mod block;
    pub mod cells;
    mod cgroup;
    pub mod channel;
    pub mod checkpoint;
    pub mod config;
    pub mod control;
    pub mod door;
    pub mod conformance;
    pub mod env;
    pub mod envs;
    pub mod exact;
    pub mod factory;
    pub mod file;
    pub mod fnptr;
    pub mod foreign;
    pub mod forkserver;
    pub mod manifest;
    pub mod memory;
    pub mod panics;
    pub mod progress;
    pub mod run_dir;
    pub mod schema;
    pub mod seed;
    pub mod segment;
    pub mod slice;
    pub mod space;
    pub mod stopwatch;
    pub mod table;
    #[cfg(feature = "tch")]
    pub mod tensor;
    pub mod traj;
    pub mod words;

    pub use batch_spec::{BatchSpec, EnvRank, GlobalSteps, LocalSteps, World};
    pub use cells::{CellError, CellMut, CellRef, Row, RowMut, Tree};
    pub use env::{Env, EnvContext, EnvError, EnvSpaces, InfoLeaf, MakeEnv, Reduce, Step};
    pub use factory::{EnvFactory, MakeSlice, SlicePlace};
    pub use schema::{DType, LeafSpec};
    pub use space::{BoxSpace, Space};
}
