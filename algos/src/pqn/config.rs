//! Hyper-parameters of PQN.
use crate::pg::batch_needs;
use crate::settings::{AlgoNeeds, AlgoSettings, check, check_limit};
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Defaults are those of `CleanRL`'s `pqn.py`, which has 4 environments and batches of 128 time steps. The authors' own settings
/// for `CartPole` (`purejaxql`) differ: 32 environments, 64 time steps, 16 minibatches, lambda 0.95.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PqnConfig {
    /// Discount per step.
    pub discount: f64,
    /// Weight of the longer returns: 0 learns from one step and the value of the next observation, 1 from all rewards up to the
    /// end of the episode or of the batch.
    pub lambda: f64,
    /// Step size of `RAdam`.
    pub learning_rate: f64,
    /// The learning rate falls linearly to zero over the run's steps.
    pub linear_lr_schedule: bool,
    /// Updates that one pass over a batch is cut into.
    pub minibatches: usize,
    /// Passes over a batch.
    pub epochs: usize,
    /// Largest 2-norm of the gradient: a longer gradient is scaled down to it. `inf` switches clipping off.
    pub clip_grad_norm: f64,
    /// Epsilon of `RAdam`.
    pub adam_eps: f64,
    /// Environment steps at which the agent's epsilon has its final value.
    pub eps_steps: u64,
}

impl Default for PqnConfig {
    fn default() -> Self {
        Self {
            discount: 0.99,
            lambda: 0.65,
            learning_rate: 2.5e-4,
            linear_lr_schedule: true,
            minibatches: 4,
            epochs: 4,
            clip_grad_norm: 10.0,
            adam_eps: 1e-8,
            eps_steps: 250_000,
        }
    }
}

impl AlgoSettings for PqnConfig {
    fn check(&self, spec: BatchSpec) -> Result<(), String> {
        check(
            &[
                ("learning_rate", self.learning_rate),
                ("minibatches", self.minibatches as f64),
                ("epochs", self.epochs as f64),
                ("adam_eps", self.adam_eps),
            ],
            &[("discount", self.discount), ("lambda", self.lambda)],
            &[],
        )?;
        check_limit("clip_grad_norm", self.clip_grad_norm)?;
        let steps = spec.t.saturating_mul(spec.b);
        if self.minibatches > steps {
            return Err(format!(
                "algo.minibatches = {} is more than the {steps} steps of a batch: lower algo.minibatches or raise sampler.t or sampler.b",
                self.minibatches
            ));
        }
        Ok(())
    }

    fn discount(&self) -> f64 {
        self.discount
    }

    fn annealing(&self) -> Range<u64> {
        0..self.eps_steps
    }

    fn records(&self, spec: BatchSpec) -> BlockOptions {
        BlockOptions { state_interval: spec.t, bootstrap_value: true }
    }

    fn needs(&self, spaces: &EnvSpaces, spec: BatchSpec, model: &ModelSize) -> AlgoNeeds {
        let lower = "sampler.t, sampler.b, raise algo.minibatches,";
        batch_needs(spaces, spec, self.minibatches, model, lower)
    }
}
