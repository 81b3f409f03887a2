//! Environments step in workers. Actions are chosen in each worker on its own columns (`rlpyt/samplers/parallel/cpu`), or in
//! the master for all of them (`rlpyt/samplers/parallel/gpu`), all at once or one half after the other.
use crate::config::SamplerKind;
use crate::crew::Crew;
use crate::error::SamplerError;
use crate::evaluation::Evaluation;
use crate::protocol::Acting;
use crate::sampler::{Sampler, Samples};
use crate::server::ActionServer;
use crate::setup::Plan;
use crate::slots::Slots;
use crate::state::{ColumnState, SamplerState};
use crate::weights::Publisher;
use rlcore::GlobalSteps;
use rlcore::control::{Op, Task};
use rlcore::seed::EvalSeries;
use std::ops::Range;

/// See the module documentation.
pub struct ParallelSampler {
    plan: Plan,
    slots: Slots,
    crew: Crew,
    /// Present if the master acts.
    server: Option<ActionServer>,
}

impl std::fmt::Debug for ParallelSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let setup = &self.plan.setup;
        write!(f, "ParallelSampler({:?}, {:?})", setup.config.kind, setup.spec())
    }
}

/// The groups of columns that are stepped together.
fn groups(kind: SamplerKind, b: usize) -> Vec<Range<usize>> {
    match kind {
        SamplerKind::Alternating => vec![0..b / 2, b / 2..b],
        SamplerKind::Serial | SamplerKind::Cpu | SamplerKind::Gpu => {
            std::iter::once(0..b).collect()
        }
    }
}

impl ParallelSampler {
    /// Lays out the memory, starts the workers and waits until all have reset their environments.
    pub fn new(plan: Plan) -> Result<Self, SamplerError> {
        let setup = &plan.setup;
        let groups = groups(setup.config.kind, setup.config.b);
        let acting =
            if setup.config.kind == SamplerKind::Cpu { Acting::Worker } else { Acting::Master };
        let (crew, slots) = Crew::start(&plan, &groups, acting)?;
        let server = match acting {
            Acting::Worker => None,
            Acting::Master => Some(ActionServer::new(&plan, &slots, &groups)?),
        };
        Ok(Self { slots: Slots::new(slots), plan, crew, server })
    }
}

impl Sampler for ParallelSampler {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn publisher(&self) -> Publisher {
        self.crew.weights().publisher()
    }

    fn begin(&mut self, now: GlobalSteps) -> Result<(), SamplerError> {
        let Self { crew, slots, server, .. } = self;
        crew.usable()?;
        let slot = slots.next()?;
        let (op, weights) = match server {
            Some(server) => (Op::Serve, server.order(crew.weights())),
            None => (Op::Collect, crew.weights().order()),
        };
        crew.order(Task { op, now, weights, slot });
        slots.begin(slot, now, weights);
        Ok(())
    }

    fn finish(&mut self) -> Result<Samples, SamplerError> {
        let Self { crew, slots, server, .. } = self;
        crew.usable()?;
        let begun = slots.begun()?;
        crew.attempt(|crew| {
            if let Some(server) = server {
                let serve = |c: &mut [_]| server.collect(crew, begun.slot, c, begun.now);
                slots.slot(begun.slot).write_groups(serve).ok_or(SamplerError::Leased)??;
            } else {
                crew.wait(0)?;
            }
            // Receives the notes and errors that workers sent during the batch.
            crew.check()
        })?;
        let (notes, lease) = (crew.take_notes(), slots.finish(begun));
        Ok(Samples::new(lease, self.plan.setup.first_rank(), begun.weights, notes))
    }

    fn evaluate(
        &mut self,
        series: EvalSeries,
        episodes: usize,
        now: GlobalSteps,
    ) -> Result<Evaluation, SamplerError> {
        self.crew.usable()?;
        self.slots.idle("evaluate")?;
        let config = self.plan.eval_config()?;
        self.crew.evaluate(series, episodes, now, config)
    }

    fn save(&mut self) -> Result<SamplerState, SamplerError> {
        self.crew.usable()?;
        self.slots.idle("save")?;
        let acting = if self.server.is_none() { Acting::Worker } else { Acting::Master };
        let (mut envs, mut acts) = (Vec::new(), Vec::new());
        for lane in self.crew.save(acting)? {
            envs.extend(lane.envs);
            acts.extend(lane.acts);
        }
        if let Some(server) = &self.server {
            acts = server.save();
        }
        let columns = envs.into_iter().zip(acts).map(|(env, act)| ColumnState { env, act });
        Ok(SamplerState { columns: columns.collect() })
    }

    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError> {
        self.crew.usable()?;
        self.slots.all_free()?;
        self.plan.check_state(&state)?;
        self.crew.load(&state)?;
        if let Some(server) = &mut self.server {
            server.load(&state.columns);
        }
        Ok(())
    }

    fn worker_pids(&self) -> Vec<i32> {
        self.crew.pids()
    }
}
