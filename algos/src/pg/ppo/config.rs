//! Hyper-parameters of PPO.
use crate::pg::NormalizeAdvantage;
use crate::pg::config::batch_needs;
use crate::settings::{AlgoNeeds, AlgoSettings, check, check_limit};
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of PPO. Names and defaults are those of rlpyt's `algos/pg/ppo.py`; what rlpyt does not have is off by default, and `adam_eps` is
/// PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
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
    /// Minibatches, and so updates, per pass over a batch. Recurrent models divide the environments among them, others the steps.
    pub minibatches: usize,
    /// Passes over each batch.
    pub epochs: usize,
    /// The likelihood ratio is clipped to `1 - ratio_clip ..= 1 + ratio_clip`.
    pub ratio_clip: f64,
    /// The learning rate, `ratio_clip` and `value_clip` fall linearly to zero over the run's steps.
    pub linear_lr_schedule: bool,
    /// Set over which advantages are normalised: `off`, `batch` or `minibatch`.
    pub normalize_advantage: NormalizeAdvantage,
    /// Limit of how far a value may move from the recorded value before the larger of the two errors counts. None: no limit.
    pub value_clip: Option<f64>,
    /// Largest KL(old, new) in nats: once the estimate of a minibatch, made before its update, is larger, no further update is made from
    /// the batch. None: all passes are made.
    pub target_kl: Option<f64>,
    /// Adam's epsilon.
    pub adam_eps: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            discount: 0.99,
            learning_rate: 1e-3,
            value_loss_coeff: 1.0,
            entropy_loss_coeff: 0.01,
            clip_grad_norm: 1.0,
            gae_lambda: 1.0,
            minibatches: 4,
            epochs: 4,
            ratio_clip: 0.1,
            linear_lr_schedule: true,
            normalize_advantage: NormalizeAdvantage::Off,
            value_clip: None,
            target_kl: None,
            adam_eps: 1e-8,
        }
    }
}

impl AlgoSettings for PpoConfig {
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        check(
            &[
                ("learning_rate", self.learning_rate),
                ("minibatches", self.minibatches as f64),
                ("epochs", self.epochs as f64),
                ("ratio_clip", self.ratio_clip),
                ("value_clip", self.value_clip.unwrap_or(1.0)),
                ("target_kl", self.target_kl.unwrap_or(1.0)),
                ("adam_eps", self.adam_eps),
            ],
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
        batch_needs(
            spaces,
            spec,
            self.minibatches,
            model,
            "sampler.t, sampler.b, raise algo.minibatches,",
        )
    }
}
