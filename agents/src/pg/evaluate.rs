//! How a policy acts in evaluation.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How actions are taken in evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evaluate {
    /// The most likely action.
    #[default]
    Mode,
    /// A draw from the policy, as in training.
    Sample,
}
