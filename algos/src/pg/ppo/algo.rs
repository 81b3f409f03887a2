//! PPO: several passes over each batch, in minibatches, with a clipped likelihood ratio.
//!
//! Follows `rlpyt/algos/pg/ppo.py`; differs: truncated episodes bootstrap, every sample is used, and the schedules count
//! environment steps. `target_kl` and `value_clip` follow stable-baselines3; differs: `target_kl` itself is the limit, not 1.5 times its
//! value.
use super::config::PpoConfig;
use super::loss::loss;
use crate::error::AlgoError;
use crate::optim::AdamKind;
use crate::pg::loss::{Coefficients, Losses, Outputs, Targets};
use crate::pg::{
    Batch, Learner, Method, NormalizeAdvantage, Normalized, Order, PolicyGradient, Ratio, estimated,
};
use crate::returns::normalize;
use crate::trained::TrainedSettings;
use rlcore::block::Columns;
use rlcore::table::Values;

/// See the module documentation.
pub type Ppo = PolicyGradient<PpoConfig>;

impl Method for PpoConfig {
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

    fn epochs(&self) -> usize {
        self.epochs
    }

    fn minibatches(&self) -> usize {
        self.minibatches
    }

    fn order(&self) -> Order {
        Order::Shuffled
    }

    fn normalized(&self) -> Normalized {
        match self.normalize_advantage {
            NormalizeAdvantage::Minibatch => Normalized::Each,
            NormalizeAdvantage::Off | NormalizeAdvantage::Batch => Normalized::No,
        }
    }

    fn left(&self, progress: f64) -> f64 {
        if self.linear_lr_schedule { 1.0 - progress } else { 1.0 }
    }

    fn schedules(&self, left: f64) -> Values {
        vec![("ratioClip".into(), self.ratio_clip * left)]
    }

    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError> {
        let mut batch = estimated(learner, samples, self.discount, self.gae_lambda)?;
        if self.normalize_advantage == NormalizeAdvantage::Batch {
            normalize(&mut batch.advantage, &batch.valid);
        }
        Ok(batch)
    }

    fn loss(&self, outputs: &Outputs, targets: &Targets, left: f64) -> (Losses, Option<Ratio>) {
        let weights =
            Coefficients { value: self.value_loss_coeff, entropy: self.entropy_loss_coeff };
        let value_clip = self.value_clip.map(|clip| clip * left);
        let (losses, ratio) = loss(outputs, targets, weights, self.ratio_clip * left, value_clip);
        (losses, Some(ratio))
    }

    fn target_kl(&self) -> Option<f64> {
        self.target_kl
    }
}
