//! What tells one policy-gradient algorithm from another.
use super::batch::Batch;
use super::learner::Learner;
use super::log::Ratio;
use super::loss::{Losses, Outputs, Targets};
use super::minibatch::Normalized;
use crate::error::AlgoError;
use crate::settings::AlgoSettings;
use crate::trained::TrainedSettings;
use rlcore::block::Columns;
use rlcore::table::Values;

/// The settings of one algorithm, and its part of the work: what actions were worth, and the loss of a minibatch. The passes
/// over a batch are [`PolicyGradient`](super::PolicyGradient)'s.
pub trait Method: AlgoSettings + Clone + Send {
    /// Settings of the optimiser.
    fn optimiser(&self) -> TrainedSettings;

    /// Weight of the entropy in the loss; at 0 the entropy is computed for the log alone, without gradient.
    fn entropy_loss_coeff(&self) -> f64;

    /// Passes over a batch.
    fn epochs(&self) -> usize {
        1
    }

    /// Updates that one pass over a batch is cut into.
    fn minibatches(&self) -> usize {
        1
    }

    /// Whether each pass takes the members of a batch in an order of its own.
    fn order(&self) -> Order {
        Order::InPlace
    }

    /// Whether each minibatch's advantages are shifted and scaled.
    fn normalized(&self) -> Normalized;

    /// The share of the learning rate and of the clipping ranges that is left. `progress` within 0 and 1: the share of the
    /// run's steps that came before the batch.
    fn left(&self, _progress: f64) -> f64 {
        1.0
    }

    /// The values of further schedules than the learning rate, for the log: see [`Algo::schedules`](crate::Algo::schedules). `left`: see
    /// [`Method::left`].
    fn schedules(&self, _left: f64) -> Values {
        Values::new()
    }

    /// The batch, its advantages and returns filled in.
    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError>;

    /// The loss of a minibatch, and the ratio to the policy that sampled where the loss has one. `left`: see [`Method::left`].
    fn loss(&self, outputs: &Outputs, targets: &Targets, left: f64) -> (Losses, Option<Ratio>);

    /// No further update from a batch once a minibatch's estimate of KL(old, new) is above this, nats.
    fn target_kl(&self) -> Option<f64> {
        None
    }
}

/// The order in which a pass takes the members of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they lie.
    InPlace,
    /// Shuffled again for each pass.
    Shuffled,
}
