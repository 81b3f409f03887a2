//! How an action is chosen.
//!
//! [`Agent`] acts on a batch of rows; [`DqnAgent`] is the first that learns. A model ([`model::QModel`]) is a pure function of
//! parameters and observations, so a target network is the same model on other parameters ([`params::Params`]).
#![forbid(unsafe_code)]

mod agent;
mod dqn_agent;
pub mod epsilon;
pub mod model;
pub mod nn;
pub mod params;
mod random_agent;

pub use agent::{
    ActIo, Agent, AgentContext, AgentError, AgentFactory, MakeAgent, Phase, ValueIo, device,
};
pub use dqn_agent::{DqnAgent, DqnAgentConfig};
pub use random_agent::{RandomAgent, RandomAgentConfig};
