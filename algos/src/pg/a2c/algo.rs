//! A2C: one update per batch.
//!
//! Follows `rlpyt/algos/pg/a2c.py` (Mnih et al. 2016 with synchronous workers); differs: truncated episodes bootstrap.
use super::config::A2cConfig;
use super::loss::loss;
use crate::error::AlgoError;
use crate::optim::AdamKind;
use crate::pg::loss::{Coefficients, Losses, Outputs, Targets};
use crate::pg::{
    Batch, Learner, Method, NormalizeAdvantage, Normalized, PolicyGradient, Ratio, estimated,
};
use crate::trained::TrainedSettings;
use rlcore::block::Columns;

/// See the module documentation.
pub type A2c = PolicyGradient<A2cConfig>;

impl Method for A2cConfig {
    fn optimiser(&self) -> TrainedSettings {
        TrainedSettings {
            kind: AdamKind::Plain,
            learning_rate: self.learning_rate,
            adam_eps: self.adam_eps,
            clip_grad_norm: self.clip_grad_norm,
        }
    }

    fn entropy_loss_coeff(&self) -> f64 {
        self.entropy_loss_coeff
    }

    fn normalized(&self) -> Normalized {
        match self.normalize_advantage {
            NormalizeAdvantage::Off => Normalized::No,
            NormalizeAdvantage::Batch | NormalizeAdvantage::Minibatch => Normalized::Each,
        }
    }

    fn left(&self, progress: f64) -> f64 {
        if self.linear_lr_schedule { 1.0 - progress } else { 1.0 }
    }

    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError> {
        estimated(learner, samples, self.discount, self.gae_lambda)
    }

    fn loss(&self, outputs: &Outputs, targets: &Targets, _left: f64) -> (Losses, Option<Ratio>) {
        let weights =
            Coefficients { value: self.value_loss_coeff, entropy: self.entropy_loss_coeff };
        (loss(outputs, targets, weights), None)
    }
}
