//! The interface of all samplers.
use crate::error::SamplerError;
use crate::evaluation::{Evaluation, trajectories};
use crate::setup::Plan;
use crate::state::SamplerState;
use crate::weights::Publisher;
use rlcore::block::{Columns, Layout, Lease};
use rlcore::seed::EvalSeries;
use rlcore::table::Values;
use rlcore::traj::TrajInfo;
use rlcore::{BatchSpec, EnvSpaces, GlobalSteps, World};

/// The samples of one batch. Dropping them (or their lease) frees the slot for another batch.
#[derive(Debug)]
pub struct Samples {
    lease: Lease,
    first_rank: usize,
    weights: u64,
    notes: Vec<(usize, String)>,
}

impl Samples {
    pub(crate) fn new(
        lease: Lease,
        first_rank: usize,
        weights: u64,
        mut notes: Vec<(usize, String)>,
    ) -> Self {
        notes.sort_by_key(|(rank, _)| *rank);
        Self { lease, first_rank, weights, notes }
    }

    /// The `[T, B]` block: slices and tensors of every part.
    pub fn columns(&self) -> &Columns {
        &self.lease
    }

    /// Episodes that ended in this batch, ordered by (t, env rank).
    pub fn trajectories(&self) -> Vec<TrajInfo> {
        trajectories(&self.lease, 0, self.first_rank)
    }

    /// Free-form notes of environments by env rank, then in order of time.
    pub fn notes(&self) -> &[(usize, String)] {
        &self.notes
    }

    /// The version of the weights with which every action of this batch was chosen (see [`Publisher::publish`]); 0 for the weights
    /// that the agent was built with.
    pub fn weights_version(&self) -> u64 {
        self.weights
    }

    /// The lease of the samples, for an algorithm that keeps them until it has learned from them.
    pub fn into_lease(self) -> Lease {
        self.lease
    }
}

/// Fills slots with batches, one batch at a time.
///
/// Calls in an invalid order (a second `begin`, a `finish` without `begin`, an evaluation while a batch is under way) return an
/// error and change nothing. Any other error ends the sampler: every later call returns [`SamplerError::Unusable`].
pub trait Sampler: Send {
    /// What it was built from: the settings, the spaces, the layout of a batch, the size of the model.
    fn plan(&self) -> &Plan;

    /// `T` and `B`.
    fn spec(&self) -> BatchSpec {
        self.plan().setup.spec()
    }

    /// The replica that this sampler belongs to.
    fn world(&self) -> World {
        self.plan().setup.world
    }

    /// A description for log lines: [`crate::SamplerConfig::arrangement`].
    fn arrangement(&self) -> String {
        self.plan().setup.config.arrangement()
    }

    /// The environment's spaces.
    fn spaces(&self) -> &EnvSpaces {
        self.plan().spaces()
    }

    /// The memory layout of a batch.
    fn layout(&self) -> &Layout {
        self.plan().layout()
    }

    /// Discount per step of the episodes' `DiscountedReturn`: [`crate::Setup::discount`].
    fn discount(&self) -> f64 {
        self.plan().setup.discount
    }

    /// Number of `f32` weights that [`Publisher::publish`] takes: those of the agent's model.
    fn weight_count(&self) -> usize {
        self.plan().model().params
    }

    /// The values of the agent's schedules after `now` environment steps, for the log: [`agents::MakeAgent::schedules`].
    fn schedules(&self, now: GlobalSteps) -> Result<Values, SamplerError> {
        let Plan { setup, context, .. } = self.plan();
        Ok(setup.agent.schedules(context, now)?)
    }

    /// A handle for publishing weights, from this thread or another.
    fn publisher(&self) -> Publisher;

    /// Begins a batch in a free slot, acting with the weights that were published last. Workers start at once. `now`: environment
    /// steps so far, for schedules.
    ///
    /// # Errors
    /// Another batch is under way, or the samples of all slots are held.
    fn begin(&mut self, now: GlobalSteps) -> Result<(), SamplerError>;

    /// Waits until the batch that was begun is complete, and leases its samples. A serial sampler collects the batch here.
    fn finish(&mut self) -> Result<Samples, SamplerError>;

    /// Collects one batch: [`Sampler::begin`] and [`Sampler::finish`].
    fn obtain_samples(&mut self, now: GlobalSteps) -> Result<Samples, SamplerError> {
        self.begin(now)?;
        self.finish()
    }

    /// Evaluates the agent, with the weights that were published last, over `episodes` episodes in the evaluation environments. The same
    /// `series` gives the same episodes.
    ///
    /// # Errors
    /// A batch is under way.
    fn evaluate(
        &mut self,
        series: EvalSeries,
        episodes: usize,
        now: GlobalSteps,
    ) -> Result<Evaluation, SamplerError>;

    /// Episodes per evaluation according to the settings; 0 without an evaluation.
    fn eval_episodes(&self) -> usize {
        self.plan().setup.eval.as_ref().map_or(0, |(_, config)| config.n_episodes)
    }

    /// The state that a resumed run needs. Samples may be held.
    ///
    /// # Errors
    /// A batch is under way.
    fn save(&mut self) -> Result<SamplerState, SamplerError>;

    /// Restores the state that [`Sampler::save`] returned.
    ///
    /// # Errors
    /// A batch is under way, or samples are held.
    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError>;

    /// Process ids of the workers; empty for a serial sampler.
    fn worker_pids(&self) -> Vec<i32> {
        Vec::new()
    }
}
