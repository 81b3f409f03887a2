//! The sampler that the settings name.
use crate::config::SamplerKind;
use crate::error::SamplerError;
use crate::sampler::Sampler;
use crate::setup::{Plan, Setup};
use crate::{ParallelSampler, SerialSampler};

/// Checks the setup and starts its sampler.
pub fn build(setup: Setup) -> Result<Box<dyn Sampler>, SamplerError> {
    setup.check()?.build()
}

impl Plan {
    /// Takes the memory, starts the workers and resets every environment.
    pub fn build(self) -> Result<Box<dyn Sampler>, SamplerError> {
        Ok(match self.setup.config.kind {
            SamplerKind::Serial => Box::new(SerialSampler::new(self)?),
            _ => Box::new(ParallelSampler::new(self)?),
        })
    }
}
