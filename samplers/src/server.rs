//! The action server: chooses the actions of all environments in this process, in one batch per time step, while workers step them.
//!
//! Follows the three classes of `rlpyt/samplers/parallel/gpu/action_server.py`: the columns are one group, or two halves of which
//! workers step one while the agent acts on the other. Differences: the recurrent state lies here, one row per environment, so that
//! agents do not know about halves; any number of workers shares each half.
//!
//! One turn of a group: all workers have arrived (its observations lie in row t) -> the agent acts -> the gate opens. An agent
//! that fails or panics ends the batch with an error that names it; one that never returns ends the process.
use crate::collector::CollectorError;
use crate::collector::actor::{Actor, RowViews};
use crate::collector::life::continues;
use crate::crew::Crew;
use crate::error::{Cause, SamplerError, panic_text};
use crate::setup::Plan;
use crate::state::{ActState, ColumnState};
use crate::watchdog::{NOBODY, Watchdog, Who};
use crate::weights::Weights;
use agents::{Agent, Phase};
use rlcore::block::{Columns, Slot};
use rlcore::slice::ResetMode;
use rlcore::{EnvRank, GlobalSteps};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module documentation.
pub(crate) struct ActionServer {
    agent: Box<dyn Agent>,
    /// Version of the weights that the agent has loaded.
    held: u64,
    groups: Vec<Group>,
    overlap: bool,
    mode: ResetMode,
    watchdog: Watchdog,
}

/// A group of columns that are stepped together.
struct Group {
    who: Who,
    actor: Actor,
    /// Columns that are stepped in this batch: not zero.
    running: Vec<u8>,
}

impl ActionServer {
    pub(crate) fn new(
        plan: &Plan,
        slots: &[Slot],
        groups: &[Range<usize>],
    ) -> Result<Self, SamplerError> {
        let setup = &plan.setup;
        let first = setup.first_rank();
        let mut all = Vec::new();
        for (i, range) in groups.iter().enumerate() {
            let ranks = first + range.start..first + range.end;
            let who = Who { worker: "the action server", env_ranks: ranks.clone() };
            let interval = setup.options.state_interval.max(1);
            let rank = EnvRank(ranks.start);
            let views = |slot: &Slot| slot.write_groups(|groups| RowViews::of(&groups[i]));
            let rows = slots.iter().filter_map(views).collect();
            let (n, spaces) = (range.len(), &plan.spaces);
            let mut actor = Actor::new(rows, n, spaces, &plan.schema, rank, interval)?;
            actor.seed(setup.seed);
            all.push(Group { who, running: vec![1; n], actor });
        }
        Ok(Self {
            agent: setup.agent.build(&plan.context)?,
            held: 0,
            groups: all,
            overlap: setup.config.overlap,
            mode: setup.config.reset,
            watchdog: Watchdog::start(setup.config.worker.step_timeout)?,
        })
    }

    /// Chooses the actions of one batch, which the workers were ordered to step in `slot`. One entry of `columns` per group.
    pub(crate) fn collect(
        &mut self,
        crew: &mut Crew,
        slot: usize,
        columns: &mut [Columns],
        now: GlobalSteps,
    ) -> Result<(), SamplerError> {
        let phase = Phase::Sample { now };
        let steps = columns[0].reward.rows();
        let n = self.groups.len();
        for group in &mut self.groups {
            group.running.fill(1);
            group.actor.begin_batch(slot);
        }
        for t in 0..=steps {
            for (i, c) in columns.iter_mut().enumerate() {
                crew.wait(i)?;
                let (group, agent) = (&mut self.groups[i], &mut *self.agent);
                if t > 0 {
                    group.finish_step(t - 1, c, self.mode);
                }
                if t == steps {
                    group.bootstrap(c, agent, &self.watchdog)?;
                    continue;
                }
                group.act(t, c, agent, phase, &self.watchdog)?;
                if !self.overlap && n > 1 {
                    // The other half is idle before this half is stepped.
                    crew.peek(1 - i)?;
                }
                crew.open(i);
            }
        }
        Ok(())
    }

    /// Loads the newest weights into the agent; returns their version.
    pub(crate) fn order(&mut self, weights: &Weights) -> u64 {
        weights.order_here(&mut *self.agent, &mut self.held)
    }

    /// One entry per column.
    pub(crate) fn save(&self) -> Vec<ActState> {
        self.groups.iter().flat_map(|g| g.actor.save()).collect()
    }

    pub(crate) fn load(&mut self, columns: &[ColumnState]) {
        let mut rest = columns;
        for group in &mut self.groups {
            let (mine, others) = rest.split_at(group.running.len());
            group.actor.load(mine.iter().map(|c| (&c.act, continues(c))));
            rest = others;
        }
    }
}

impl Group {
    fn act(
        &mut self,
        t: usize,
        c: &mut Columns,
        agent: &mut dyn Agent,
        phase: Phase,
        watchdog: &Watchdog,
    ) -> Result<(), SamplerError> {
        let Self { who, actor, running } = self;
        guard(watchdog, who, || actor.act(t, c, running, agent, phase))
    }

    fn finish_step(&mut self, t: usize, columns: &Columns, mode: ResetMode) {
        self.actor.finish_step(t, columns);
        if mode == ResetMode::Wait {
            for (c, running) in self.running.iter_mut().enumerate() {
                *running &= u8::from(!columns.done(t, c));
            }
        }
    }

    fn bootstrap(
        &mut self,
        c: &mut Columns,
        agent: &mut dyn Agent,
        watchdog: &Watchdog,
    ) -> Result<(), SamplerError> {
        let Self { who, actor, .. } = self;
        guard(watchdog, who, || actor.bootstrap(c, agent))
    }
}

/// Runs `f` and converts an error or panic of the agent into an error that names the action server.
fn guard(
    watchdog: &Watchdog,
    who: &Who,
    call: impl FnOnce() -> Result<(), CollectorError>,
) -> Result<(), SamplerError> {
    watchdog.progress().tick(NOBODY);
    match watchdog.watch(who, || catch_unwind(AssertUnwindSafe(call))) {
        Ok(done) => done.map_err(|e| who.error(e.into_cause())),
        Err(payload) => {
            Err(who.error(Cause::Panic { env_rank: None, text: panic_text(&*payload) }))
        }
    }
}
