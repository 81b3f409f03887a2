//! The setting in which an algorithm is built ([`LearnContext`]), and the averaging over the replicas of a run ([`Average`]).
use crate::error::AlgoError;
use rlcore::block::Columns;
use rlcore::{BatchSpec, EnvSpaces, GlobalSteps, LocalSteps, World};
use std::fmt::Debug;
use std::sync::Arc;
use tch::{Device, Tensor};

/// The setting in which an algorithm is built: environments, batches, budget, seed, device, replicas.
#[derive(Clone, Debug)]
pub struct LearnContext<'a> {
    /// Spaces of the environments.
    pub spaces: &'a EnvSpaces,
    /// `T` and `B` of this replica's batches.
    pub spec: BatchSpec,
    /// Budget of the run in environment steps of all replicas: schedules end there.
    pub n_steps: GlobalSteps,
    /// Seed of the run.
    pub seed: u64,
    /// Device on which the algorithm computes.
    pub device: Device,
    /// Rank of this replica and number of replicas.
    pub world: World,
    /// Averages gradients, and the numbers that decide on updates, over the replicas.
    pub average: Arc<dyn Average>,
}

impl<'a> LearnContext<'a> {
    /// A context of one replica on the CPU. Change the fields for anything else.
    pub fn new(spaces: &'a EnvSpaces, spec: BatchSpec, n_steps: GlobalSteps, seed: u64) -> Self {
        Self {
            spaces,
            spec,
            n_steps,
            seed,
            device: Device::Cpu,
            world: World::default(),
            average: Arc::new(Alone),
        }
    }
}

/// Averages tensors over the replicas of a run: gradients, sums of observations, numbers that all replicas decide by.
///
/// Every replica makes the same calls in the same order, each with its own values, and gets the same mean. The algorithms of this
/// crate keep to that: with several replicas they refuse a batch in which a column waited for its reset (`sampler.reset =
/// "wait"`) or that holds nothing to learn from, since replicas would then make different numbers of updates, and whether
/// `target_kl` ends the updates of a batch is decided by the mean over all replicas. A replica that fails makes no further call, so an implementation must not wait for ever.
pub trait Average: Send + Sync + Debug {
    /// Replaces `values` (`[N]`, f32 or f64, on the device of the parameters) by their mean over all replicas.
    ///
    /// # Errors
    /// A replica that is gone, or that has another number or type of values.
    fn mean(&self, values: &mut Tensor) -> Result<(), AlgoError>;
}

/// An error where replicas would make different numbers of updates: one that took fewer steps than another.
pub(crate) fn in_step(world: World, spec: BatchSpec, samples: &Columns) -> Result<(), AlgoError> {
    let all = LocalSteps(spec.steps() as u64);
    if world.size == 1 || samples.valid_steps() == all {
        return Ok(());
    }
    Err(AlgoError::Samples(format!(
        "{} of the {} steps of a batch were taken, and each of the {} replicas must take all of them, so that all make the same updates: set sampler.reset to \"at-once\"",
        samples.valid_steps().0,
        all.0,
        world.size
    )))
}

/// The average of a run with one replica: its own values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Average for Alone {
    fn mean(&self, _values: &mut Tensor) -> Result<(), AlgoError> {
        Ok(())
    }
}
