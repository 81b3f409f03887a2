//! From samples to a batch with generalised advantage estimates.
use super::batch::Batch;
use super::finals;
use super::learner::Learner;
use crate::error::AlgoError;
use crate::returns::{Steps, gae};
use rlcore::block::Columns;

/// The batch of `samples`, with generalised advantage estimates and targets of the value function filled in.
///
/// # Errors
/// A truncated step without its final observation; samples without the value of row T.
pub fn estimated(
    learner: &Learner,
    samples: &Columns,
    discount: f64,
    lambda: f64,
) -> Result<Batch, AlgoError> {
    let mut batch = learner.batch(samples)?;
    let steps = Steps {
        reward: &batch.reward,
        terminated: &batch.terminated,
        truncated: &batch.truncated,
        value: &batch.value,
        final_value: &finals::values(learner, &batch, samples)?,
        bootstrap_value: samples.bootstrap_value.row(0).get::<f32>(0),
    };
    batch.advantage = gae(&steps, &batch.valid, discount, lambda);
    batch.returns_from_advantages();
    Ok(batch)
}
