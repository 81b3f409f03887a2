//! What every policy-gradient algorithm is: a [`Method`], and the [`Learner`] that it moves.
use super::learner::{Learner, LearnerSettings};
use crate::algo::{Algo, AlgoError, OptInfo, Saved};
use agents::dist::Distribution;
use agents::params::Params;
use agents::pg::MakePgModel;
use rlcore::block::{Columns, flag};
use rlcore::{BatchSpec, EnvSpaces};
use tch::Device;

/// The settings of one algorithm, and how it learns from a batch.
pub trait Method: Send + std::fmt::Debug {
    /// What the learner needs of the settings.
    fn learner(&self) -> LearnerSettings;

    /// Updates that one pass over a batch is cut into.
    fn minibatches(&self) -> usize {
        1
    }

    /// Says which setting cannot be, and what to change.
    fn check(&self) -> Result<(), String>;

    /// Makes the updates of a batch. `progress` within 0 and 1: the share of the run's steps that came before the batch.
    fn learn(
        &self,
        learner: &mut Learner,
        samples: &Columns,
        progress: f64,
    ) -> Result<OptInfo, AlgoError>;
}

/// What an algorithm is built for.
#[derive(Debug)]
pub struct PgContext<'a> {
    /// Of the environments.
    pub spaces: &'a EnvSpaces,
    /// Of the batches.
    pub spec: BatchSpec,
    /// The run's budget, global environment steps: where schedules end.
    pub n_steps: u64,
    /// The run's seed.
    pub seed: u64,
    /// Where tensors are computed.
    pub device: Device,
}

/// An algorithm that learns from each batch once and forgets it.
#[derive(Debug)]
pub struct PolicyGradient<M> {
    method: M,
    learner: Learner,
    spec: BatchSpec,
    n_steps: u64,
}

impl<M: Method> PolicyGradient<M> {
    /// Initial weights from the run's seed. The batches must record the agent's values and log what `distribution` wants,
    /// `bootstrap_value`, and the recurrent state before their first row.
    pub fn new(
        method: M,
        model: &impl MakePgModel,
        distribution: Box<dyn Distribution>,
        context: &PgContext<'_>,
    ) -> Result<Self, AlgoError> {
        method.check().map_err(AlgoError::Config)?;
        let learner = Learner::new(method.learner(), model, distribution, context)?;
        let (parts, BatchSpec { t, b }) = (method.minibatches(), context.spec);
        let (most, unit, setting) = if learner.recurrent() {
            (b, "environments of a recurrent model", "sampler.b")
        } else {
            (t * b, "steps of a batch", "sampler.t or sampler.b")
        };
        if parts > most {
            return Err(AlgoError::Config(format!(
                "algo.minibatches = {parts}, but there are {most} {unit} to share out: lower algo.minibatches or raise {setting}"
            )));
        }
        Ok(Self { method, learner, spec: context.spec, n_steps: context.n_steps })
    }

    #[cfg(test)]
    pub(super) fn into_learner(self) -> Learner {
        self.learner
    }
}

impl<M: Method> Algo for PolicyGradient<M> {
    fn optimize(&mut self, samples: &Columns, env_steps: u64) -> Result<OptInfo, AlgoError> {
        let row = |t| samples.flags.row(t).get::<u8>(flag::VALID).iter().map(|v| u64::from(*v));
        let steps: u64 = (0..samples.flags.rows()).flat_map(row).sum();
        let before = env_steps.saturating_sub(steps) as f64;
        self.learner.begin(env_steps);
        let progress = (before / self.n_steps.max(1) as f64).min(1.0);
        let info = self.method.learn(&mut self.learner, samples, progress)?;
        self.learner.observe(samples);
        Ok(info)
    }

    fn updates(&self) -> u64 {
        self.learner.updates()
    }

    fn version(&self) -> u64 {
        self.learner.version()
    }

    fn batch_size(&self) -> usize {
        self.spec.steps() / self.method.minibatches()
    }

    fn params(&self) -> &Params {
        self.learner.params()
    }

    fn params_mut(&mut self) -> &mut Params {
        self.learner.params_mut()
    }

    fn save(&self) -> Result<Saved<'_>, AlgoError> {
        self.learner.save()
    }

    fn load(&mut self, saved: &Saved<'_>) -> Result<(), AlgoError> {
        self.learner.load(saved)
    }
}
