//! The one collector loop: agent and environments take turns over one slice of columns, straight into the sample block.
//!
//! Follows `rlpyt/samplers/collectors.py` and the six files beside it; differs: one loop for all; previous action and reward
//! are null after every `done`; what waits shows its true reset observation at the next batch; terminated, truncated, reset
//! and valid are kept apart.
//!
//! Its two halves, `stepper` and `actor`, can lie in different processes: an action server has the actor, its workers
//! the steppers, and the rows of the block go to and fro.
pub(crate) mod actor;
pub(crate) mod life;
mod scan;
mod spec;
pub(crate) mod stepper;

use self::actor::Actor;
pub use self::spec::{CollectorError, CollectorSpec};
use self::stepper::Stepper;
use crate::watchdog::NOBODY;
use agents::{Agent, Phase};
use rlcore::BatchSpec;
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout};
use rlcore::progress::Progress;

/// One slice of columns with everything that belongs to its environments.
pub struct Collector {
    stepper: Stepper,
    actor: Actor,
    /// Goes last: the others look into it.
    own_block: Option<OwnBlock>,
}

/// Memory to give back at the end, also where an environment's constructor fails or panics.
struct OwnBlock(Block);

impl Drop for OwnBlock {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spec = &self.stepper.spec;
        write!(f, "Collector({} columns from {:?})", spec.columns, spec.first_rank)
    }
}

impl Collector {
    /// Builds the environments. Nothing is reset yet.
    pub fn new(
        spec: CollectorSpec,
        columns: Columns,
        schema: &AgentSchema,
    ) -> Result<Self, CollectorError> {
        let (rank, interval) = (spec.first_rank, spec.state_interval);
        let stepper = Stepper::new(spec, columns)?;
        let actor = Actor::new(&stepper.columns, &stepper.spaces, schema, rank, interval)?;
        Ok(Self { stepper, actor, own_block: None })
    }

    /// A collector with a block of its own, for evaluation.
    pub fn with_own_block(
        spec: CollectorSpec,
        t: usize,
        schema: &AgentSchema,
    ) -> Result<Self, CollectorError> {
        let batch = BatchSpec { t, b: spec.columns };
        let layout = Layout::new(batch, &spec.spaces, schema, BlockOptions::default());
        let block = OwnBlock(Block::create(layout)?);
        let columns = block.0.columns(0..spec.columns);
        let mut collector = Self::new(spec, columns, schema)?;
        collector.own_block = Some(block);
        Ok(collector)
    }

    /// Fills the block once.
    pub fn collect(
        &mut self,
        agent: &mut dyn Agent,
        phase: Phase,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let (stepper, actor) = (&mut self.stepper, &mut self.actor);
        stepper.begin_batch(progress)?;
        for t in 0..stepper.t() {
            progress.tick(NOBODY);
            actor.act(t, &mut stepper.columns, &stepper.running, agent, phase)?;
            stepper.step(t, progress)?;
            actor.finish_step(t, &stepper.columns);
        }
        actor.bootstrap(&mut stepper.columns, agent)
    }

    /// Columns that still run; none when an evaluation is over.
    pub fn still_running(&self) -> usize {
        let all = self.stepper.spec.columns;
        self.stepper.quota.as_ref().map_or(all, |q| q.iter().filter(|q| **q > 0).count())
    }

    /// Episodes that the quota still has.
    pub fn episodes_left(&self) -> usize {
        self.stepper.quota.as_ref().map_or(0, |q| q.iter().sum())
    }

    /// The block's columns, to read records from.
    pub fn columns(&self) -> &Columns {
        &self.stepper.columns
    }

    /// Free-form notes of finished episodes since the last call, with their env rank.
    pub fn take_notes(&mut self) -> Vec<(usize, String)> {
        self.stepper.take_notes()
    }

    /// Ends the environments in order.
    pub fn close(&mut self) {
        self.stepper.close();
    }
}
