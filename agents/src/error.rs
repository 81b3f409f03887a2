//! The error of this crate.
use serde::{Deserialize, Serialize};

/// Why an agent could not be built or could not act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
pub struct AgentError {
    text: String,
}

impl AgentError {
    /// An error that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl From<tch::TchError> for AgentError {
    fn from(e: tch::TchError) -> Self {
        Self::new(rlcore::panics::without_backtrace(&e.to_string()))
    }
}
