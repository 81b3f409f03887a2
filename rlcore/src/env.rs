//! The environment trait, and the settings from which worker processes build environments.
//!
//! # How to write one
//!
//! Write a type for the settings ([`MakeEnv`], a serde type) and a type for the environment ([`Env`]); `examples/03_environment.rs` is a
//! complete example, and [`crate::conformance`] checks yours. [`EnvFactory::new`](crate::factory::EnvFactory::new) makes the settings
//! usable by every sampler. For a simulator that steps several environments at once write a slice: see [`crate::slice`]. For an
//! environment in another language write a program: see [`crate::foreign`].
//!
//! # The contract of a step
//!
//! - [`Env::reset`] and [`Env::step`] write the whole observation into the given cell, every time. The cell lies in the sample
//!   block: the observation is not copied afterwards.
//! - A step with [`Step::reset`] set is the last of its episode; the next call is `reset` (or `seed`, then `reset`). Calling
//!   `step` again is an error that the environment reports.
//! - `terminated`: the episode has ended and the value of the next state is zero. `truncated`: the episode was cut off (by a time limit,
//!   for example), and its last observation still has a value. If both are set, `terminated` takes precedence. A lost life is
//!   `terminated` without `reset`.
//! - Each call returns within `sampler.worker.step_timeout` seconds, and so does the constructor ([`MakeEnv::make`]): a call
//!   that takes longer is treated as one that never returns, and ends the run. The limit applies to each call and each constructor.
//! - Rewards and float observations are never NaN.
//! - Two environments with the same settings, seed and actions agree to the bit.
use crate::batch_spec::EnvRank;
use crate::cells::{CellError, CellMut, CellRef};
use crate::schema::LeafSpec;
use crate::space::Space;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A failure that an environment reports, as a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
pub struct EnvError {
    text: String,
}

impl EnvError {
    /// An error with this message.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl From<CellError> for EnvError {
    fn from(e: CellError) -> Self {
        Self::new(e.to_string())
    }
}

/// The result of one step, without the observation and the info, which are written into cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Reward; stored as `f32`.
    pub reward: f64,
    /// The episode ended and the value of the next state is zero.
    pub terminated: bool,
    /// The episode was cut off; its last observation has a value.
    pub truncated: bool,
    /// The environment must be reset before it steps again.
    pub reset: bool,
}

impl Step {
    /// A step after which the episode continues.
    #[inline]
    pub fn running(reward: f64) -> Self {
        Self { reward, terminated: false, truncated: false, reset: false }
    }

    /// A step that terminates the episode.
    #[inline]
    pub fn terminated(reward: f64) -> Self {
        Self { reward, terminated: true, truncated: false, reset: true }
    }

    /// A step at which the episode is cut off.
    #[inline]
    pub fn truncated(reward: f64) -> Self {
        Self { reward, terminated: false, truncated: true, reset: true }
    }

    /// A step at which the agent's episode ends and the environment continues without a reset.
    #[inline]
    pub fn life_lost(reward: f64) -> Self {
        Self { reward, terminated: true, truncated: false, reset: false }
    }

    /// Terminated or truncated. The recurrent state and the previous action are reset after such a step.
    #[inline]
    pub fn done(self) -> bool {
        self.terminated || self.truncated
    }
}

/// How the values of an info leaf over an episode are reduced to one field of its trajectory information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduce {
    /// Not reduced: the leaf is kept in the block only.
    None,
    /// Sum over steps.
    Sum,
    /// Value of the last step.
    Last,
    /// Largest value.
    Max,
}

/// One numeric info leaf and how it is logged; a logged leaf must be a scalar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InfoLeaf {
    /// Name, dtype and shape; the name is also the name of the trajectory field.
    pub spec: LeafSpec,
    /// Reduction for the trajectory information.
    pub log: Reduce,
}

/// Spaces and info of an environment, from which memory is laid out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvSpaces {
    /// Observations.
    pub observation: Space,
    /// Actions.
    pub action: Space,
    /// Numeric info, written each step (zero until then).
    pub info: Vec<InfoLeaf>,
    /// For environments that truncate: a lower bound of the steps between two truncations of one environment (1 is always valid).
    /// Determines the capacity for final observations. `None`: the environment never truncates.
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

    /// Seeds the random stream, which the next `reset` uses.
    fn seed(&mut self, seed: u64);

    /// Starts an episode and writes its first observation.
    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError>;

    /// Takes one step and writes the observation after it. `info` holds the declared leaves, zeroed.
    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError>;

    /// The complete state, or `None` if the environment cannot save it. With it a resumed run continues to the bit.
    fn save_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Restores the state that [`Env::save_state`] returned.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Err(EnvError::new("this environment cannot load a state"))
    }

    /// Free-form notes about the episode that has just ended, which are logged. Called once per episode, after the step that asks for a
    /// reset and before the reset; returns nothing between the reset and the next end.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Releases what the environment holds; the last call. May be called twice.
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

/// The context in which an environment is built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnvContext {
    /// Global number of the environment.
    pub env_rank: EnvRank,
}

/// Settings that build an environment. The settings are sent to worker processes, which have the code already.
pub trait MakeEnv: Serialize + DeserializeOwned + Send + 'static {
    /// Type of the environment.
    type Env: Env;

    /// Builds one environment, in less time than `sampler.worker.step_timeout`. Its stream is seeded afterwards.
    fn make(&self, context: &EnvContext) -> Result<Self::Env, EnvError>;
}
