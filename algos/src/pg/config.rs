//! What the settings of the policy-gradient algorithms share.
use crate::settings::{AlgoNeeds, pass, step_bytes, training};
use agents::params::ModelSize;
use rlcore::memory::Need;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The set over which advantages are normalised to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeAdvantage {
    /// Advantages are not normalised.
    #[default]
    Off,
    /// All valid steps of the batch, before it is cut into minibatches (rlpyt's `normalize_advantage=True`).
    Batch,
    /// Each minibatch (stable-baselines3, CleanRL).
    Minibatch,
}

/// Bytes that the estimators and the loss hold per step, apart from its observation and action: reward, flags, recorded value,
/// advantage, return, likelihoods, entropy, indices, and the tensors of a minibatch.
const STEP: u64 = 200;

/// Memory of an on-policy algorithm that makes one update per minibatch. `lower`: the settings that make a minibatch smaller.
pub(crate) fn batch_needs(
    spaces: &EnvSpaces,
    spec: BatchSpec,
    minibatches: usize,
    model: &ModelSize,
    lower: &str,
) -> AlgoNeeds {
    let steps = spec.steps() as u64;
    // Each epoch permutes the leaves once.
    let batch = steps.saturating_mul(step_bytes(spaces).saturating_add(STEP));
    let rows = steps.div_ceil(minibatches.max(1) as u64);
    AlgoNeeds {
        host: vec![Need::new("a copy of the batch", batch, "sampler.t or sampler.b")],
        device: vec![training(model, 0), pass(model, rows, lower)],
    }
}
