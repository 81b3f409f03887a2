//! Agents and models: how actions are chosen.
//!
//! An [`Agent`] acts on a batch of rows, one per environment. [`DqnAgent`] chooses actions from their values ([`model::QModel`]), the
//! agents of [`pg`] draw them from a distribution ([`dist`]). A model is a pure function of parameters and observations, so that a
//! target network is the same model with other parameters ([`params::Params`]). The layers are in [`nn`].
//!
//! ```
//! use agents::model::{MakeQModel, ModelInput, QMlp};
//! use agents::params::{Grad, ParamBuilder, Params};
//! use rlcore::{DType, EnvSpaces, Space};
//! use tch::{Device, Kind, Tensor};
//!
//! // Environments that show 4 numbers and have 2 actions.
//! let observation = Space::uniform_box(DType::F32, &[4], -1.0, 1.0);
//! let spaces = EnvSpaces::new(observation, Space::Discrete { n: 2 });
//!
//! // A model declares its parameters; their initial values are drawn from a seed.
//! let mut builder = ParamBuilder::default();
//! let model = QMlp { hidden: vec![64, 64], ..Default::default() }.make(&spaces, &mut builder)?;
//! let params = Params::init(&builder.finish()?, 7, Device::Cpu, Grad::Off)?;
//!
//! // Values of both actions for 3 observations.
//! let observation = [Tensor::zeros([3, 4], (Kind::Float, Device::Cpu))];
//! let nothing = Tensor::zeros([0], (Kind::Float, Device::Cpu));
//! let q = model.forward(&params, &ModelInput::of(&observation, &nothing)).q;
//! assert_eq!(q.size(), [3, 2]);
//! # Ok::<(), agents::AgentError>(())
//! ```
#![forbid(unsafe_code)]

mod acting;
mod agent;
pub mod dist;
mod dqn_agent;
pub mod epsilon;
mod error;
pub mod exploration;
pub mod model;
pub mod nn;
pub mod norm;
pub mod params;
pub mod pg;
mod policy;
mod random_agent;
mod settings;
pub mod staging;
#[cfg(test)]
mod testing;
pub mod torch;

pub use agent::{
    ActIo, Agent, AgentContext, AgentFactory, AgentOutline, MakeAgent, Phase, Seen, device,
};
pub use dqn_agent::{DqnAgent, DqnAgentConfig, DqnAgentSettings, Q};
pub use error::AgentError;
pub use exploration::EpsilonGreedy;
pub use policy::Policy;
pub use random_agent::{RandomAgent, RandomAgentConfig};
pub use settings::AgentSettings;
