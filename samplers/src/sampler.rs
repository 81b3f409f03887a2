//! What every sampler offers.
use crate::error::SamplerError;
use crate::evaluation::{Evaluation, trajectories};
use crate::state::SamplerState;
use rlcore::block::Columns;
use rlcore::traj::TrajInfo;
use rlcore::{BatchSpec, EnvSpaces};

/// One batch, lent until dropped. Everything in it is overwritten by the next.
#[derive(Debug)]
pub struct Samples<'a> {
    columns: &'a mut Columns,
    first_rank: usize,
    notes: Vec<(usize, String)>,
}

impl<'a> Samples<'a> {
    pub(crate) fn new(
        columns: &'a mut Columns,
        first_rank: usize,
        mut notes: Vec<(usize, String)>,
    ) -> Self {
        notes.sort_by_key(|(rank, _)| *rank);
        Self { columns, first_rank, notes }
    }

    /// The `[T, B]` block: slices and tensors of every part.
    pub fn columns(&self) -> &Columns {
        self.columns
    }

    /// Episodes that ended in this batch, ordered by (t, env rank).
    pub fn trajectories(&self) -> Vec<TrajInfo> {
        trajectories(self.columns, 0, self.first_rank)
    }

    /// Free-form notes of environments by env rank, then in order of time.
    pub fn notes(&self) -> &[(usize, String)] {
        &self.notes
    }
}

impl Drop for Samples<'_> {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            self.columns.poison();
        }
    }
}

/// Fills blocks, one at a time.
pub trait Sampler: Send {
    /// `T` and `B`.
    fn spec(&self) -> BatchSpec;

    /// The environment's spaces.
    fn spaces(&self) -> &EnvSpaces;

    /// The weights that the next batch or evaluation acts with.
    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError>;

    /// Collects one batch. `env_steps`: global environment steps so far, for schedules.
    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples<'_>, SamplerError>;

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
