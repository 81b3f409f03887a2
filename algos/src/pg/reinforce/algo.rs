//! REINFORCE: one update per batch, which weighs the log-likelihood of each action by the return that followed it.
//!
//! Williams 1992, with the return from each step on. There is no value function, so only steps whose episode ends within the batch
//! are learned from: let `sampler.t` be several episodes long, since otherwise only short episodes count. A truncated episode counts
//! as ended.
use super::config::ReinforceConfig;
use super::loss::loss;
use crate::error::AlgoError;
use crate::optim::AdamKind;
use crate::pg::loss::{Losses, Outputs, Targets};
use crate::pg::{Batch, Learner, Method, Normalized, PolicyGradient, Ratio};
use crate::returns::discount_return;
use crate::trained::TrainedSettings;
use rlcore::block::Columns;

/// See the module documentation.
pub type Reinforce = PolicyGradient<ReinforceConfig>;

impl Method for ReinforceConfig {
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
        if self.normalize_return { Normalized::Each } else { Normalized::No }
    }

    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError> {
        let mut batch = learner.batch(samples)?;
        let done: Vec<u8> =
            batch.terminated.iter().zip(&batch.truncated).map(|(a, b)| a | b).collect();
        keep_finished(&mut batch, &done);
        let zeros = vec![0f32; batch.b];
        batch.return_ = discount_return(&batch.reward, &done, &zeros, self.discount);
        batch.advantage.clone_from(&batch.return_);
        Ok(batch)
    }

    fn loss(&self, outputs: &Outputs, targets: &Targets, _left: f64) -> (Losses, Option<Ratio>) {
        (loss(outputs, targets, self.entropy_loss_coeff), None)
    }
}

/// Marks the steps after each environment's last episode end as invalid.
fn keep_finished(batch: &mut Batch, done: &[u8]) {
    for column in 0..batch.b {
        let steps = (column..done.len()).step_by(batch.b).rev();
        steps.take_while(|i| done[*i] == 0).for_each(|i| batch.valid[i] = 0);
    }
}
