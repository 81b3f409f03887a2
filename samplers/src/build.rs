//! Builds the sampler that `sampler.kind` names.
use crate::config::SamplerKind;
use crate::error::SamplerError;
use crate::sampler::Sampler;
use crate::setup::{Plan, Setup};
use crate::{ParallelSampler, SerialSampler};
use rlcore::memory;

/// Checks the setup and starts its sampler.
pub fn build(setup: Setup) -> Result<Box<dyn Sampler>, SamplerError> {
    setup.check()?.build()
}

impl Plan {
    /// Allocates the memory, starts the workers and resets every environment.
    ///
    /// # Errors
    /// [`SamplerError::TooLarge`] where [`Plan::needs`] is more than what is free, before anything is taken; whatever fails while
    /// workers, agents and environments are built.
    pub fn build(self) -> Result<Box<dyn Sampler>, SamplerError> {
        memory::check(self.needs(), memory::available())?;
        Ok(match self.setup.config.kind {
            SamplerKind::Serial => Box::new(SerialSampler::new(self)?),
            _ => Box::new(ParallelSampler::new(self)?),
        })
    }
}
