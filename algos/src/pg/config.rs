//! What the settings of the algorithms share.
use crate::settings::{parameter_bytes, pass_bytes, step_bytes};
use agents::params::ModelSize;
use rlcore::{BatchSpec, EnvSpaces};
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

/// Bytes of what the estimators and the loss hold of one step, beside its observation and action: reward, flags, recorded
/// value, advantage, return, likelihoods, entropy, indices, and the tensors that a minibatch takes of them.
const STEP: u64 = 128;

/// Memory of an on-policy algorithm whose passes over a batch are cut into `minibatches`, bytes.
pub(super) fn batch_bytes(
    spaces: &EnvSpaces,
    spec: BatchSpec,
    minibatches: usize,
    model: &ModelSize,
) -> u64 {
    let steps = (spec.t as u64).saturating_mul(spec.b as u64);
    // Each pass permutes the leaves once.
    let batch = steps.saturating_mul(step_bytes(spaces).saturating_add(STEP));
    let rows = steps.div_ceil(minibatches.max(1) as u64);
    parameter_bytes(model, 1).saturating_add(batch).saturating_add(pass_bytes(model, rows))
}
