//! What an algorithm is built for, and where the gradients of replicas meet.
use crate::error::AlgoError;
use rlcore::{BatchSpec, EnvSpaces, GlobalSteps, World};
use std::fmt::Debug;
use std::sync::Arc;
use tch::{Device, Tensor};

/// What every algorithm is built for.
#[derive(Clone, Debug)]
pub struct LearnContext<'a> {
    /// Spaces of the environments.
    pub spaces: &'a EnvSpaces,
    /// `T` and `B` of this replica's batches.
    pub spec: BatchSpec,
    /// The run's budget, environment steps of all replicas: where schedules end.
    pub n_steps: GlobalSteps,
    /// Seed of the run.
    pub seed: u64,
    /// Where tensors are computed.
    pub device: Device,
    /// This replica among all.
    pub world: World,
    /// Averages gradients over the replicas.
    pub average: Arc<dyn Average>,
}

impl<'a> LearnContext<'a> {
    /// One replica on the CPU. Change the fields for more.
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

/// Averages a gradient over the replicas of a run.
///
/// Every replica calls it once for each update, in the same order, with its own gradient; every replica gets the same mean.
pub trait Average: Send + Sync + Debug {
    /// Replaces `gradient` `[P] f32`, on the device of the parameters, by its mean over all replicas.
    ///
    /// # Errors
    /// A replica that is gone, or that has a gradient of another length.
    fn mean(&self, gradient: &mut Tensor) -> Result<(), AlgoError>;
}

/// The only replica: the mean is its own gradient.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Average for Alone {
    fn mean(&self, _gradient: &mut Tensor) -> Result<(), AlgoError> {
        Ok(())
    }
}
