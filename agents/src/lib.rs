//! How an action is chosen.
//!
//! [`Agent`] acts on a batch of rows. [`DqnAgent`] chooses by values ([`model::QModel`]), the agents of [`pg`] draw from a
//! distribution ([`dist`]). A model is a pure function of parameters and observations, so a target network is the same model on
//! other parameters ([`params::Params`]); its parts are in [`nn`].
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
