//! What an environment is, and the settings that name one, so that worker processes can build it.
//!
//! # How to write one
//!
//! One type with the settings ([`MakeEnv`], a serde type) and one with the environment ([`Env`]); `examples/03_environment.rs` is a
//! whole one, [`crate::conformance`] checks yours. [`EnvFactory::new`](crate::factory::EnvFactory::new) takes the settings to any
//! sampler. Environments that step together as one thing are a slice: see [`crate::slice`]. Environments of another language are
//! stepped by a program: see [`crate::foreign`].
//!
//! # The contract of a step
//!
//! - [`Env::reset`] and [`Env::step`] write the observation into the given cell, in full, every time. The cell lies in the
//!   sample block: nothing is copied afterwards.
//! - A step with [`Step::reset`] set is the last of its episode; the next call is `reset` (or `seed`, then `reset`). Calling
//!   `step` again is an error that the environment reports.
//! - `terminated`: the episode's value ends here. `truncated`: it was cut off (a time limit), and its last observation still
//!   has a value; where both are set, terminated wins. A lost life is `terminated` without `reset`.
//! - Each call returns within `sampler.worker.step_timeout` seconds, and so does the constructor ([`MakeEnv::make`]): one that takes
//!   longer is taken for one that never returns, and ends the run. Every call and every constructor has that time for itself.
//! - Rewards and float observations are never NaN.
//! - Two environments of the same spec with the same seed and actions agree to the bit.
use crate::batch_spec::EnvRank;
use crate::cells::{CellError, CellMut, CellRef};
use crate::schema::LeafSpec;
use crate::space::Space;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An environment's own failure, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
pub struct EnvError {
    text: String,
}

impl EnvError {
    /// An error that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl From<CellError> for EnvError {
    fn from(e: CellError) -> Self {
        Self::new(e.to_string())
    }
}

/// What one step returned, beside the observation and the info that it wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Reward; stored as `f32`.
    pub reward: f64,
    /// The value of what follows is zero.
    pub terminated: bool,
    /// The episode was cut off.
    pub truncated: bool,
    /// The environment must be reset before it steps again.
    pub reset: bool,
}

impl Step {
    /// The episode goes on.
    #[inline]
    pub fn running(reward: f64) -> Self {
        Self { reward, terminated: false, truncated: false, reset: false }
    }

    /// The episode reached its end.
    #[inline]
    pub fn terminated(reward: f64) -> Self {
        Self { reward, terminated: true, truncated: false, reset: true }
    }

    /// The episode was cut off.
    #[inline]
    pub fn truncated(reward: f64) -> Self {
        Self { reward, terminated: false, truncated: true, reset: true }
    }

    /// A `done` that is not a reset: the agent's episode ends, the environment goes on.
    #[inline]
    pub fn life_lost(reward: f64) -> Self {
        Self { reward, terminated: true, truncated: false, reset: false }
    }

    /// Terminated or truncated: recurrent state and previous action start anew.
    #[inline]
    pub fn done(self) -> bool {
        self.terminated || self.truncated
    }
}

/// How the values of an info leaf over an episode become one field of its trajectory information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduce {
    /// Kept in the block only.
    None,
    /// Sum over steps.
    Sum,
    /// Value of the last step.
    Last,
    /// Largest value.
    Max,
}

/// One numeric info leaf and what is logged of it; a logged leaf is a scalar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InfoLeaf {
    /// Name, dtype and shape; the name is the trajectory field's as well.
    pub spec: LeafSpec,
    /// What the trajectory information keeps.
    pub log: Reduce,
}

/// Spaces and schema of an environment: everything that memory is laid out from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvSpaces {
    /// Observations.
    pub observation: Space,
    /// Actions.
    pub action: Space,
    /// Numeric info, written each step (zero until then).
    pub info: Vec<InfoLeaf>,
    /// For environments that truncate: at least this many steps pass between two truncations of one environment (1 is always
    /// true). States the capacity for final observations.
    pub truncates_every: Option<usize>,
    /// The observation leaf (see [`Space::leaf_index`]) that is an action mask: `[n]`, non-zero where the action is allowed.
    pub action_mask: Option<usize>,
}

impl EnvSpaces {
    /// Spaces without info, truncation or mask.
    pub fn new(observation: Space, action: Space) -> Self {
        Self { observation, action, info: vec![], truncates_every: None, action_mask: None }
    }
}

/// One environment. See the module documentation for the contract.
pub trait Env: Send + 'static {
    /// Observation and action space and the rest; the same at every call.
    fn spaces(&self) -> EnvSpaces;

    /// Starts the random stream anew; the next `reset` begins from it.
    fn seed(&mut self, seed: u64);

    /// Starts an episode and writes its first observation.
    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError>;

    /// Acts once and writes what is seen then. `info` holds the declared leaves, zeroed.
    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError>;

    /// Everything that the future depends on, or `None` where the environment cannot say. With it a resumed run continues
    /// to the bit.
    fn save_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes back what [`Env::save_state`] gave.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Err(EnvError::new("this environment cannot load a state"))
    }

    /// Free-form information about the episode that has just ended, kept beside the block. Asked for once, after the step that
    /// asks for a reset and before the reset; after the reset there is none until the next end.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Ends the environment in order.
    fn close(&mut self) {}
}

/// [`Env::save_state`] of a serde type that holds the whole state.
pub fn to_state<T: Serialize>(state: &T) -> Option<Vec<u8>> {
    postcard::to_stdvec(state).ok()
}

/// [`Env::load_state`] of a serde type.
pub fn from_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EnvError> {
    postcard::from_bytes(bytes).map_err(|e| EnvError::new(format!("saved state does not fit: {e}")))
}

/// Where an environment finds itself when it is built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnvContext {
    /// Its global number.
    pub env_rank: EnvRank,
}

/// Settings that build an environment: the one thing to name when an environment is used. The settings travel to worker
/// processes, the code is already there.
pub trait MakeEnv: Serialize + DeserializeOwned + Send + 'static {
    /// What is built.
    type Env: Env;

    /// Builds one environment, in less time than `sampler.worker.step_timeout`. Its stream is seeded afterwards.
    fn make(&self, context: &EnvContext) -> Result<Self::Env, EnvError>;
}
