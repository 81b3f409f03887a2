//! What every policy-gradient algorithm does with a batch: several passes, each cut into minibatches, each of which is an update.
//!
//! The batch stays leased from [`Algo::take_in`] to its last update. The position within it (pass, minibatch) is kept here, and the
//! draws of a pass are a function of the number of updates made before it, so that [`Algo::learn`] can stop between any two updates.
use super::batch::Batch;
use super::learner::Learner;
use super::method::{Method, Order};
use super::minibatch::Minibatch;
use crate::algo::{Algo, OptInfo, Restored, SaveScope, Saved};
use crate::context::{LearnContext, in_step};
use crate::error::AlgoError;
use crate::passes::{Passes, refuse_batch, something_to_learn};
use crate::requires::Requires;
use crate::saved::between_batches;
use crate::settings::MakeAlgo;
use crate::steps::progress;
use crate::trained::LEARNING_RATE;
use agents::dist::Distribution;
use agents::params::Params;
use agents::pg::{MakePgModel, PgSettings};
use rlcore::block::Lease;
use rlcore::table::Values;
use rlcore::{BatchSpec, GlobalSteps, World};

/// An on-policy algorithm: it learns from each batch for some passes and gives it back.
#[derive(Debug)]
pub struct PolicyGradient<M> {
    method: M,
    learner: Learner,
    requires: Requires,
    spec: BatchSpec,
    world: World,
    n_steps: GlobalSteps,
    /// See [`Method::left`]; of the last batch.
    left: f64,
    work: Option<Work>,
}

/// A batch with updates to make.
#[derive(Debug)]
struct Work {
    samples: Lease,
    batch: Batch,
    /// See [`Method::left`].
    left: f64,
    passes: Passes<Minibatch>,
}

impl<M: Method> PolicyGradient<M> {
    /// A learner with initial weights from the run's seed.
    ///
    /// # Errors
    /// Settings that contradict each other or the batches; a model that cannot be built.
    pub fn new(
        method: M,
        model: &dyn MakePgModel,
        distribution: Box<dyn Distribution>,
        context: &LearnContext<'_>,
    ) -> Result<Self, AlgoError> {
        method.check(context.spec).map_err(AlgoError::Config)?;
        let coeff = method.entropy_loss_coeff();
        let learner = Learner::new(method.optimiser(), coeff, model, distribution, context)?;
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
        let bootstrap_value = method.records(context.spec).bootstrap_value;
        let discount = Some(method.discount());
        Ok(Self {
            requires: Requires { bootstrap_value, discount, ..learner.requires() },
            spec: context.spec,
            world: context.world,
            n_steps: context.n_steps,
            left: 1.0,
            work: None,
            method,
            learner,
        })
    }

    /// The minibatch of the next update; none after the last update of the batch.
    fn next(&self, work: &mut Work) -> Option<Minibatch> {
        let Work { batch, passes, .. } = work;
        passes.next(|| {
            let mut draws = self.learner.draws();
            let draws = (self.method.order() == Order::Shuffled).then_some(&mut draws);
            batch.minibatches(self.method.minibatches(), draws, self.method.normalized())
        })
    }

    /// Makes at most `at_most` updates.
    fn advance(&mut self, work: &mut Work, at_most: u64) -> Result<(), AlgoError> {
        for _ in 0..at_most {
            let Some(minibatch) = self.next(work) else { break };
            let outputs = self.learner.outputs(&minibatch);
            let targets = &minibatch.targets;
            let (losses, ratio) = self.method.loss(&outputs, targets, work.left);
            if let (Some(most), Some(ratio)) = (self.method.target_kl(), &ratio)
                && self.learner.mean(ratio.kl(targets.valid.as_ref()))? > most
            {
                work.passes.stop();
                break;
            }
            self.learner.step(&losses, &outputs, &minibatch, ratio)?;
            if work.passes.is_between() {
                self.learner.read(&work.batch)?;
            }
        }
        self.learner.read(&work.batch)
    }

    /// Keeps the batch while updates are due. After the last one adds its observations to the statistics and gives it back.
    fn keep(&mut self, work: Work) -> Result<(), AlgoError> {
        if work.passes.due() > 0 {
            self.work = Some(work);
            return Ok(());
        }
        self.learner.observe(&work.samples)
    }

    #[cfg(test)]
    pub(super) fn into_learner(self) -> Learner {
        self.learner
    }
}

impl<M: Method + 'static> MakeAlgo for M {
    type Model = Box<dyn PgSettings>;

    fn make(
        &self,
        agent: &Box<dyn PgSettings>,
        context: &LearnContext<'_>,
    ) -> Result<Box<dyn Algo>, AlgoError> {
        let distribution = agent.distribution(context.spaces)?;
        Ok(Box::new(PolicyGradient::new(self.clone(), agent.model(), distribution, context)?))
    }
}

impl<M: Method> Algo for PolicyGradient<M> {
    fn requires(&self) -> &Requires {
        &self.requires
    }

    fn take_in(&mut self, samples: Lease, now: GlobalSteps) -> Result<(), AlgoError> {
        refuse_batch(self.due())?;
        self.requires.check_samples(&samples)?;
        in_step(self.world, self.spec, &samples)?;
        self.learner.begin(now);
        let left = self.method.left(progress(&samples, now, self.n_steps, self.world));
        self.left = left;
        self.learner.scale_learning_rate(left);
        let batch = self.method.estimate(&self.learner, &samples)?;
        let parts = batch.parts(self.method.minibatches());
        something_to_learn(parts, self.world)?;
        let passes = Passes::new(self.method.epochs(), parts);
        self.keep(Work { samples, batch, left, passes })
    }

    fn due(&self) -> u64 {
        self.work.as_ref().map_or(0, |work| work.passes.due())
    }

    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError> {
        if let Some(mut work) = self.work.take() {
            self.advance(&mut work, at_most)?;
            self.keep(work)?;
        }
        Ok(self.learner.take_log())
    }

    fn schedules(&self) -> Values {
        let mut all = vec![(LEARNING_RATE.into(), self.learner.learning_rate())];
        all.extend(self.method.schedules(self.left));
        all
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

    fn save(&self, _scope: SaveScope) -> Result<Saved<'_>, AlgoError> {
        between_batches(self.due())?;
        self.learner.save()
    }

    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError> {
        self.learner.load(saved)?;
        self.work = None;
        Ok(())
    }
}
