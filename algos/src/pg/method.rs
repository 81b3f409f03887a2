//! The parts in which policy-gradient algorithms differ.
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

/// The settings of one algorithm, its advantage estimates and its loss. [`PolicyGradient`](super::PolicyGradient) makes the passes over a
/// batch with them.
pub trait Method: AlgoSettings + Clone + Send {
    /// Settings of the optimiser.
    fn optimiser(&self) -> TrainedSettings;

    /// Coefficient of the entropy bonus. At 0 the entropy is computed for the log alone, without gradient.
    fn entropy_loss_coeff(&self) -> f64;

    /// Number of passes over each batch.
    fn epochs(&self) -> usize {
        1
    }

    /// Number of minibatches, and so of updates, per pass.
    fn minibatches(&self) -> usize {
        1
    }

    /// The order in which a pass takes the members of a batch.
    fn order(&self) -> Order {
        Order::InPlace
    }

    /// Whether the advantages of each minibatch are normalised.
    fn normalized(&self) -> Normalized;

    /// The factor of the learning rate and of the clipping ranges, for linear schedules. `progress`: the share of the run's steps that
    /// came before the batch, within 0 and 1.
    fn left(&self, _progress: f64) -> f64 {
        1.0
    }

    /// The values of further schedules than the learning rate, for the log: see [`Algo::schedules`](crate::Algo::schedules). `left`: see
    /// [`Method::left`].
    fn schedules(&self, _left: f64) -> Values {
        Values::new()
    }

    /// The batch of `samples`, with advantages and returns filled in.
    ///
    /// # Errors
    /// Samples without a leaf that is needed.
    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError>;

    /// The loss of a minibatch, and its likelihood ratios to the policy that sampled, where the loss has them. `left`: see
    /// [`Method::left`].
    fn loss(&self, outputs: &Outputs, targets: &Targets, left: f64) -> (Losses, Option<Ratio>);

    /// Largest KL(old, new) in nats: no further update is made from a batch once the estimate of a minibatch is larger. None: no limit.
    fn target_kl(&self) -> Option<f64> {
        None
    }
}

/// The order in which a pass takes the members of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Their order in the batch.
    InPlace,
    /// Shuffled again for each pass.
    Shuffled,
}
