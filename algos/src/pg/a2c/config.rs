//! Hyper-parameters of A2C.
use crate::pg::NormalizeAdvantage;
use crate::pg::config::batch_needs;
use crate::settings::{AlgoNeeds, AlgoSettings, check, check_limit};
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of A2C. Names and defaults are those of rlpyt's `algos/pg/a2c.py`; what rlpyt does not have is off by default, and `adam_eps` is
/// PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct A2cConfig {
    /// Discount per step.
    pub discount: f64,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Coefficient of half the squared error of the value.
    pub value_loss_coeff: f64,
    /// Coefficient of the entropy bonus.
    pub entropy_loss_coeff: f64,
    /// Largest 2-norm of the gradient: a longer gradient is scaled down to it. `inf` switches clipping off.
    pub clip_grad_norm: f64,
    /// Lambda of generalised advantage estimation; with 1, rewards are summed up to the end of the episode or of the batch.
    pub gae_lambda: f64,
    /// Over what advantages are normalised; the whole batch is one minibatch here.
    pub normalize_advantage: NormalizeAdvantage,
    /// The learning rate falls linearly to zero over the run's steps.
    pub linear_lr_schedule: bool,
    /// Adam's epsilon.
    pub adam_eps: f64,
}

impl Default for A2cConfig {
    fn default() -> Self {
        Self {
            discount: 0.99,
            learning_rate: 1e-3,
            value_loss_coeff: 0.5,
            entropy_loss_coeff: 0.01,
            clip_grad_norm: 1.0,
            gae_lambda: 1.0,
            normalize_advantage: NormalizeAdvantage::Off,
            linear_lr_schedule: false,
            adam_eps: 1e-8,
        }
    }
}

impl AlgoSettings for A2cConfig {
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        check(
            &[("learning_rate", self.learning_rate), ("adam_eps", self.adam_eps)],
            &[("discount", self.discount), ("gae_lambda", self.gae_lambda)],
            &[
                ("value_loss_coeff", self.value_loss_coeff),
                ("entropy_loss_coeff", self.entropy_loss_coeff),
            ],
        )?;
        check_limit("clip_grad_norm", self.clip_grad_norm)
    }

    fn discount(&self) -> f64 {
        self.discount
    }

    // Recurrent models learn from the state before row 0 alone.
    fn records(&self, spec: BatchSpec) -> BlockOptions {
        BlockOptions { state_interval: spec.t, bootstrap_value: true }
    }

    fn needs(&self, spaces: &EnvSpaces, spec: BatchSpec, model: &ModelSize) -> AlgoNeeds {
        batch_needs(spaces, spec, 1, model, "sampler.t, sampler.b")
    }
}
