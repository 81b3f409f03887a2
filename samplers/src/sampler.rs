//! What every sampler offers.
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

/// One batch. Dropping it (or its lease) gives the slot back, to be filled again.
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

    /// The version of the weights that every action of this batch was chosen with (see [`Publisher::publish`]); 0 for those
    /// that the agent was built with.
    pub fn weights_version(&self) -> u64 {
        self.weights
    }

    /// The samples alone, for an algorithm that keeps them until it has learned from them.
    pub fn into_lease(self) -> Lease {
        self.lease
    }
}

/// Fills slots with batches, one batch at a time.
///
/// Calls in an order that makes no sense (a second `begin`, a `finish` without one, an evaluation while a batch is under way)
/// are errors that change nothing. Any other error ends the sampler: from then on each call is [`SamplerError::Unusable`].
pub trait Sampler: Send {
    /// What it was built from: the settings, the spaces, the layout of a batch, the size of the model.
    fn plan(&self) -> &Plan;

    /// `T` and `B`.
    fn spec(&self) -> BatchSpec {
        self.plan().setup.spec()
    }

    /// The replica that it samples for.
    fn world(&self) -> World {
        self.plan().setup.world
    }

    /// Who acts and steps, for people: [`crate::SamplerConfig::arrangement`].
    fn arrangement(&self) -> String {
        self.plan().setup.config.arrangement()
    }

    /// The environment's spaces.
    fn spaces(&self) -> &EnvSpaces {
        self.plan().spaces()
    }

    /// What a batch holds, and where.
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

    /// A handle through which weights are published, from this thread or another.
    fn publisher(&self) -> Publisher;

    /// Begins a batch in a free slot, acting with the newest weights that are published now. Workers start at once. `now`:
    /// environment steps so far, for schedules.
    ///
    /// An error while another batch is under way or the samples of all slots are held.
    fn begin(&mut self, now: GlobalSteps) -> Result<(), SamplerError>;

    /// Completes the batch that was begun, and lends it out. A serial sampler does all of its work here.
    fn finish(&mut self) -> Result<Samples, SamplerError>;

    /// Collects one batch: [`Sampler::begin`] and [`Sampler::finish`].
    fn obtain_samples(&mut self, now: GlobalSteps) -> Result<Samples, SamplerError> {
        self.begin(now)?;
        self.finish()
    }

    /// Measures the agent, with the newest weights published, over `episodes` in environments of its own. The same `series`
    /// gives the same episodes. An error while a batch is under way.
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

    /// What a resumed run needs. An error while a batch is under way; samples may be held.
    fn save(&mut self) -> Result<SamplerState, SamplerError>;

    /// Takes back what [`Sampler::save`] gave. An error while a batch is under way or samples are held.
    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError>;

    /// Processes of the workers; empty without.
    fn worker_pids(&self) -> Vec<i32> {
        Vec::new()
    }
}
