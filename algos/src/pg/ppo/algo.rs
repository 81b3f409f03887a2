//! PPO: several passes over each batch, in minibatches, as far as the ratio of likelihoods allows.
//!
//! Follows `rlpyt/algos/pg/ppo.py`; differs: truncated episodes bootstrap, every sample is used, and the schedules count
//! environment steps.
use super::config::PpoConfig;
use super::loss::loss;
use crate::algo::{AlgoError, OptInfo};
use crate::pg::loss::Coefficients;
use crate::pg::minibatch::Normalized;
use crate::pg::returns::normalize;
use crate::pg::{Learner, LearnerSettings, Method, NormalizeAdvantage, PolicyGradient};
use rlcore::block::Columns;

/// See the module documentation.
pub type Ppo = PolicyGradient<PpoConfig>;

impl Method for PpoConfig {
    fn learner(&self) -> LearnerSettings {
        LearnerSettings {
            learning_rate: self.learning_rate,
            adam_eps: self.adam_eps,
            clip_grad_norm: self.clip_grad_norm,
            entropy_loss_coeff: self.entropy_loss_coeff,
        }
    }

    fn minibatches(&self) -> usize {
        self.minibatches
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
        let left = if self.linear_lr_schedule { 1.0 - progress } else { 1.0 };
        learner.scale_learning_rate(left);
        let ratio_clip = self.ratio_clip * left;
        let weights =
            Coefficients { value: self.value_loss_coeff, entropy: self.entropy_loss_coeff };

        let mut batch = learner.estimated(samples, self.discount, self.gae_lambda)?;
        let normalized = match self.normalize_advantage {
            NormalizeAdvantage::Minibatch => Normalized::Each,
            NormalizeAdvantage::Off | NormalizeAdvantage::Batch => Normalized::No,
        };
        if self.normalize_advantage == NormalizeAdvantage::Batch {
            normalize(&mut batch.advantage, &batch.valid);
        }
        for _ in 0..self.epochs {
            let mut draws = learner.draws();
            for minibatch in batch.minibatches(self.minibatches, Some(&mut draws), normalized) {
                let outputs = learner.outputs(&minibatch);
                let (losses, ratio) =
                    loss(&outputs, &minibatch.targets, weights, ratio_clip, self.value_clip);
                learner.step(&losses, &outputs, &minibatch, Some(ratio))?;
            }
            let kl = learner.read(&batch)?;
            if self.target_kl.is_some_and(|target| kl > target) {
                break;
            }
        }
        learner.finish(&batch)
    }
}
