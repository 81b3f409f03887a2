//! What the settings of the algorithms share.
use serde::{Deserialize, Serialize};

/// Over what advantages are shifted and scaled to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeAdvantage {
    /// They are not.
    #[default]
    Off,
    /// All valid steps of the batch, before it is cut up (rlpyt's `normalize_advantage=True`).
    Batch,
    /// Each minibatch (stable-baselines3, CleanRL).
    Minibatch,
}
