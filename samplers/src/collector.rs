//! The one collector loop: agent and environments take turns over one slice of columns, straight into the sample block.
//!
//! Follows `rlpyt/samplers/collectors.py` and the six files beside it. Differences: one loop serves every sampler; the previous action and
//! reward are null after every `done`; a column that waits for its reset shows its true reset observation at the start of the next
//! batch; `terminated`, `truncated`, `reset` and `valid` are separate flags.
//!
//! Its two halves, `stepper` and `actor`, can lie in different processes: an action server has the actor, its workers
//! the steppers, and the rows of the block go to and fro.
pub(crate) mod actor;
pub(crate) mod life;
mod scan;
mod spec;
mod status;
pub(crate) mod stepper;

use self::actor::{Actor, RowViews};
pub(crate) use self::spec::{CollectorError, CollectorSpec};
use self::stepper::Stepper;
use crate::slots::Place;
use crate::watchdog::NOBODY;
use agents::{Agent, Phase};
use rlcore::SlicePlace;
use rlcore::block::AgentSchema;
use rlcore::progress::Progress;

/// One slice of columns, with the environments' half and the agent's half of the loop.
pub(crate) struct Collector {
    stepper: Stepper,
    actor: Actor,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spec = &self.stepper.spec;
        write!(f, "Collector({} columns from {:?})", spec.columns, spec.first_rank)
    }
}

impl Collector {
    /// Builds the environments, whose columns lie in `place`. Nothing is reset yet.
    pub(crate) fn new(
        spec: CollectorSpec,
        rows: Vec<RowViews>,
        schema: &AgentSchema,
        place: &SlicePlace,
        progress: &Progress,
    ) -> Result<Self, CollectorError> {
        let (n, rank, interval) = (spec.columns, spec.first_rank, spec.state_interval);
        let stepper = Stepper::new(spec, place, progress)?;
        let actor = Actor::new(rows, n, &stepper.spaces, schema, rank, interval)?;
        Ok(Self { stepper, actor })
    }

    /// Fills a slot.
    pub(crate) fn collect(
        &mut self,
        place: Place<'_>,
        agent: &mut dyn Agent,
        phase: Phase,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let (stepper, actor) = (&mut self.stepper, &mut self.actor);
        let Place { slot, columns, last } = place;
        actor.begin_batch(slot);
        stepper.begin_batch(slot, columns, last, progress)?;
        for t in 0..columns.reward.rows() {
            progress.tick(NOBODY);
            actor.act(t, columns, &stepper.running, agent, phase)?;
            stepper.step(columns, t, progress)?;
            actor.finish_step(t, columns);
        }
        actor.bootstrap(columns, agent)
    }

    /// Number of columns that still run; 0 when an evaluation is complete.
    pub(crate) fn still_running(&self) -> usize {
        self.stepper.status.iter().filter(|status| status.quota != Some(0)).count()
    }

    /// Number of episodes of the evaluation's quota that have not ended yet.
    pub(crate) fn episodes_left(&self) -> usize {
        self.stepper.status.iter().filter_map(|status| status.quota).sum()
    }

    /// Free-form notes of finished episodes since the last call, with their env rank.
    pub(crate) fn take_notes(&mut self) -> Vec<(usize, String)> {
        self.stepper.take_notes()
    }

    /// Asks environments that lie outside this process to end, without waiting for them.
    pub(crate) fn begin_close(&mut self) {
        self.stepper.begin_close();
    }

    /// Closes the environments; waits for those that were asked to end.
    pub(crate) fn close(&mut self) {
        self.stepper.close();
    }
}
