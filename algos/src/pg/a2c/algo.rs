//! A2C: one update from each batch.
//!
//! Follows `rlpyt/algos/pg/a2c.py` (Mnih et al. 2016 with synchronous workers); differs: truncated episodes bootstrap.
use super::config::A2cConfig;
use super::loss::loss;
use crate::algo::{AlgoError, OptInfo};
use crate::pg::loss::Coefficients;
use crate::pg::minibatch::Normalized;
use crate::pg::{Learner, LearnerSettings, Method, NormalizeAdvantage, PolicyGradient};
use rlcore::block::Columns;

/// See the module documentation.
pub type A2c = PolicyGradient<A2cConfig>;

impl Method for A2cConfig {
    fn learner(&self) -> LearnerSettings {
        LearnerSettings {
            learning_rate: self.learning_rate,
            adam_eps: self.adam_eps,
            clip_grad_norm: self.clip_grad_norm,
            entropy_loss_coeff: self.entropy_loss_coeff,
        }
    }

    fn check(&self) -> Result<(), String> {
        Self::check(self)
    }

    fn learn(
        &self,
        learner: &mut Learner,
        samples: &Columns,
        progress: f64,
    ) -> Result<OptInfo, AlgoError> {
        learner.scale_learning_rate(if self.linear_lr_schedule { 1.0 - progress } else { 1.0 });
        let weights =
            Coefficients { value: self.value_loss_coeff, entropy: self.entropy_loss_coeff };
        let batch = learner.estimated(samples, self.discount, self.gae_lambda)?;
        let normalized = match self.normalize_advantage {
            NormalizeAdvantage::Off => Normalized::No,
            NormalizeAdvantage::Batch | NormalizeAdvantage::Minibatch => Normalized::Each,
        };
        for minibatch in batch.minibatches(1, None, normalized) {
            let outputs = learner.outputs(&minibatch);
            let losses = loss(&outputs, &minibatch.targets, weights);
            learner.step(&losses, &outputs, &minibatch, None)?;
        }
        learner.finish(&batch)
    }
}
