//! Hyper-parameters of REINFORCE.
use crate::pg::config::batch_needs;
use crate::settings::{AlgoNeeds, AlgoSettings, check, check_limit};
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of REINFORCE (Williams 1992). Learning rate and discount have the defaults of A2C.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReinforceConfig {
    /// Discount per step.
    pub discount: f64,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Coefficient of the entropy bonus.
    pub entropy_loss_coeff: f64,
    /// Largest 2-norm of the gradient: a longer gradient is scaled down to it. `inf` switches clipping off.
    pub clip_grad_norm: f64,
    /// Whether returns are normalised to mean 0 and standard deviation 1 over the batch, so that their mean is the baseline.
    pub normalize_return: bool,
    /// Adam's epsilon.
    pub adam_eps: f64,
}

impl Default for ReinforceConfig {
    fn default() -> Self {
        Self {
            discount: 0.99,
            learning_rate: 1e-3,
            entropy_loss_coeff: 0.0,
            clip_grad_norm: 1.0,
            normalize_return: true,
            adam_eps: 1e-8,
        }
    }
}

impl AlgoSettings for ReinforceConfig {
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        check(
            &[("learning_rate", self.learning_rate), ("adam_eps", self.adam_eps)],
            &[("discount", self.discount)],
            &[("entropy_loss_coeff", self.entropy_loss_coeff)],
        )?;
        check_limit("clip_grad_norm", self.clip_grad_norm)
    }

    fn discount(&self) -> f64 {
        self.discount
    }

    // Recurrent models learn from the state before row 0 alone.
    fn records(&self, spec: BatchSpec) -> BlockOptions {
        BlockOptions { state_interval: spec.t, bootstrap_value: false }
    }

    fn needs(&self, spaces: &EnvSpaces, spec: BatchSpec, model: &ModelSize) -> AlgoNeeds {
        batch_needs(spaces, spec, 1, model, "sampler.t, sampler.b")
    }
}
