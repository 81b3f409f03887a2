//! What every sampler offers.
use crate::error::SamplerError;
use crate::evaluation::{Evaluation, trajectories};
use crate::state::SamplerState;
use rlcore::block::{Columns, Layout, Lease, Slot};
use rlcore::traj::TrajInfo;
use rlcore::{BatchSpec, EnvSpaces};

/// One batch, leased until dropped. The sampler cannot fill its slot again before.
#[derive(Debug)]
pub struct Samples {
    lease: Lease,
    first_rank: usize,
    notes: Vec<(usize, String)>,
}

impl Samples {
    pub(crate) fn new(lease: Lease, first_rank: usize, mut notes: Vec<(usize, String)>) -> Self {
        notes.sort_by_key(|(rank, _)| *rank);
        Self { lease, first_rank, notes }
    }

    /// The `[T, B]` block: slices and tensors of every part.
    pub fn columns(&self) -> &Columns {
        &self.lease
    }

    /// The block alone, as an algorithm takes it in.
    pub fn into_lease(self) -> Lease {
        self.lease
    }

    /// Episodes that ended in this batch, ordered by (t, env rank).
    pub fn trajectories(&self) -> Vec<TrajInfo> {
        trajectories(&self.lease, 0, self.first_rank)
    }

    /// Free-form notes of environments by env rank, then in order of time.
    pub fn notes(&self) -> &[(usize, String)] {
        &self.notes
    }
}

/// Refuses to fill a slot that is leased.
pub(crate) fn free(slot: &Slot) -> Result<(), SamplerError> {
    if slot.is_free() {
        return Ok(());
    }
    Err(SamplerError::Config(
        "the samples of the last batch are still held: drop them, or let the algorithm learn from them to the end, before the next batch".into(),
    ))
}

/// Fills blocks, one at a time.
pub trait Sampler: Send {
    /// `T` and `B`.
    fn spec(&self) -> BatchSpec;

    /// The environment's spaces.
    fn spaces(&self) -> &EnvSpaces;

    /// What a batch holds, and where.
    fn layout(&self) -> &Layout;

    /// Number of `f32` weights that [`Sampler::publish`] takes: those of the agent's model.
    fn weight_count(&self) -> usize;

    /// The weights that the next batch or evaluation acts with.
    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError>;

    /// Collects one batch. `env_steps`: global environment steps so far, for schedules.
    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples, SamplerError>;

    /// Measures the agent over `episodes` in environments of its own. The same `number` gives the same episodes.
    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError>;

    /// Episodes of an evaluation, as the settings have it.
    fn eval_episodes(&self) -> usize;

    /// What a resumed run needs, taken between batches.
    fn save(&mut self) -> Result<SamplerState, SamplerError>;

    /// Takes back what [`Sampler::save`] gave.
    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError>;

    /// Processes of the workers; empty without.
    fn worker_pids(&self) -> Vec<i32> {
        Vec::new()
    }
}
