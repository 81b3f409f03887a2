//! The words that samplers, agents and algorithms speak.
//!
//! Start with [`mod@env`] to write an environment, with [`block`] for the sample layout, with [`forkserver`] and [`wake`] for
//! how workers run. Builds without libtorch (`--no-default-features`), then without the tensor views.

// Under the model checker only the wake word, how it is waited for, and the gate exist: the rest needs real memory and real processes.
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
