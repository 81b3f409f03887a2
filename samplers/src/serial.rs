//! Acts and steps in this process: the reference with which all other samplers agree to the bit, and the one to debug with.
use crate::collector::actor::RowViews;
use crate::collector::{Collector, CollectorError};
use crate::error::{Cause, SamplerError, panic_text};
use crate::evaluation::{Evaluation, EvaluationOrder, Evaluator};
use crate::sampler::{Sampler, Samples};
use crate::setup::{Plan, Setup};
use crate::slots::Slots;
use crate::state::SamplerState;
use crate::watchdog::{Watchdog, Who, called};
use crate::weights::{Publisher, Weights};
use agents::{Agent, Phase};
use rlcore::block::Slot;
use rlcore::manifest::{Counts, Manifest, SharedMemory};
use rlcore::progress::Progress;
use rlcore::seed::EvalSeries;
use rlcore::{GlobalSteps, SlicePlace};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// See the module documentation.
pub struct SerialSampler {
    plan: Plan,
    slots: Slots,
    weights: Weights,
    agent: Box<dyn Agent>,
    /// Version of the weights that the agent has loaded.
    held: u64,
    collector: Collector,
    eval: Option<Evaluator>,
    watchdog: Watchdog,
    failed: bool,
}

impl std::fmt::Debug for SerialSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SerialSampler({:?})", self.plan.setup.spec())
    }
}

impl SerialSampler {
    /// Builds environments, resets them and takes the decorrelating steps.
    pub fn new(plan: Plan) -> Result<Self, SamplerError> {
        let setup = &plan.setup;
        let b = setup.config.b;
        let counts =
            Counts { doors: setup.env.doors(b), block_slots: setup.slots, ..Counts::default() };
        let memory =
            SharedMemory::create("sample block", Manifest::new(counts, plan.layout.clone()))?;
        let pages = memory.segment.pages();
        let slot = |i| memory.block(i).slot(&[], Arc::clone(&pages));
        let slots: Vec<Slot> = (0..setup.slots).map(slot).collect();
        let agent = setup.agent.build(&plan.context)?;
        let watchdog = Watchdog::start(setup.config.worker.step_timeout)?;
        let place = SlicePlace { columns: 0..b, memory: Some(memory) };
        let collector = guard(&watchdog, &sampling(setup), |progress| {
            let spec = plan.collector_spec(0..b);
            let rows = slots.iter().map(|slot| slot.read(RowViews::of)).collect();
            let mut collector = Collector::new(spec, rows, &plan.schema, &place, progress)?;
            let steps = setup.config.max_decorrelation_steps;
            slots[0].write(|c| collector.start(c, steps, progress)).transpose()?;
            Ok(collector)
        })?;
        let n_envs = setup.eval.as_ref().map_or(0, |(_, config)| config.n_envs);
        let eval = guard(&watchdog, &evaluating(0..n_envs), |progress| {
            let build = |spec| Evaluator::new(spec, &plan.schema, progress);
            plan.eval_spec(0..n_envs).map(build).transpose()
        })?;
        let weights = Weights::local(plan.model.params);
        let slots = Slots::new(slots);
        Ok(Self { plan, slots, weights, agent, held: 0, collector, eval, watchdog, failed: false })
    }

    fn usable(&self) -> Result<(), SamplerError> {
        if self.failed { Err(SamplerError::Unusable) } else { Ok(()) }
    }

    /// Marks the sampler as failed if `out` is an error.
    fn ended<T>(&mut self, out: Result<T, SamplerError>) -> Result<T, SamplerError> {
        if out.is_err() {
            self.failed = true;
            self.weights.close();
        }
        out
    }
}

fn sampling(setup: &Setup) -> Who {
    let first = setup.first_rank();
    Who { worker: "serial sampler", env_ranks: first..first + setup.config.b }
}

fn evaluating(env_ranks: Range<usize>) -> Who {
    Who { worker: "serial sampler, evaluating", env_ranks }
}

/// Runs `f` under watch and converts its error or panic into an error that names the environment.
fn guard<T>(
    watchdog: &Watchdog,
    who: &Who,
    f: impl FnOnce(&Progress) -> Result<T, CollectorError>,
) -> Result<T, SamplerError> {
    let calls = AssertUnwindSafe(|| f(watchdog.progress()));
    match watchdog.watch(who, || catch_unwind(calls)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(CollectorError::Memory(e))) => Err(e.into()),
        Ok(Err(CollectorError::Cause(cause))) => Err(who.error(cause)),
        Err(payload) => {
            let env_rank = called(watchdog.progress(), who.env_ranks.start);
            Err(who.error(Cause::Panic { env_rank, text: panic_text(&*payload) }))
        }
    }
}

impl Sampler for SerialSampler {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn publisher(&self) -> Publisher {
        self.weights.publisher()
    }

    fn begin(&mut self, now: GlobalSteps) -> Result<(), SamplerError> {
        self.usable()?;
        let slot = self.slots.next()?;
        let weights = self.weights.order_here(&mut *self.agent, &mut self.held);
        self.slots.begin(slot, now, weights);
        Ok(())
    }

    fn finish(&mut self) -> Result<Samples, SamplerError> {
        self.usable()?;
        let begun = self.slots.begun()?;
        let who = sampling(&self.plan.setup);
        let Self { collector, slots, agent, watchdog, .. } = self;
        let phase = Phase::Sample { now: begun.now };
        let out = slots.fill(begun, |place| {
            guard(watchdog, &who, |progress| {
                collector.collect(place, &mut **agent, phase, progress)
            })
        });
        let out = out.and_then(std::convert::identity);
        self.ended(out)?;
        let notes = self.collector.take_notes();
        let lease = self.slots.finish(begun);
        Ok(Samples::new(lease, who.env_ranks.start, begun.weights, notes))
    }

    fn evaluate(
        &mut self,
        series: EvalSeries,
        episodes: usize,
        now: GlobalSteps,
    ) -> Result<Evaluation, SamplerError> {
        self.usable()?;
        self.slots.idle("evaluate")?;
        let config = self.plan.eval_config()?;
        let Some(eval) = &mut self.eval else { return Err(SamplerError::Unusable) };
        let order = EvaluationOrder { number: series.number(), now, episodes, config };
        self.weights.order_here(&mut *self.agent, &mut self.held);
        let agent = &mut *self.agent;
        let who = evaluating(eval.ranks().clone());
        let out = guard(&self.watchdog, &who, |progress| eval.run(agent, &order, progress));
        self.ended(out)
    }

    fn save(&mut self) -> Result<SamplerState, SamplerError> {
        self.usable()?;
        self.slots.idle("save")?;
        let Self { collector, slots, .. } = self;
        let saved = guard(&self.watchdog, &sampling(&self.plan.setup), |progress| {
            slots.last().read(|c| collector.save(c, progress))
        });
        Ok(SamplerState { columns: self.ended(saved)? })
    }

    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError> {
        self.usable()?;
        self.slots.all_free()?;
        self.plan.check_state(&state)?;
        let Self { collector, slots, .. } = self;
        let out = guard(&self.watchdog, &sampling(&self.plan.setup), |progress| {
            let load = |c: &mut _| collector.load(c, &state.columns, progress);
            slots.last().write(load).unwrap_or(Ok(()))
        });
        self.ended(out)
    }
}

impl Drop for SerialSampler {
    fn drop(&mut self) {
        let who = sampling(&self.plan.setup);
        let (collector, eval) = (&mut self.collector, &mut self.eval);
        let close = AssertUnwindSafe(|| {
            // All are asked to end before one is waited for.
            collector.begin_close();
            if let Some(eval) = eval {
                eval.begin_close();
                eval.close();
            }
            collector.close();
        });
        // A panic while closing must not hide the error that led here.
        let _ = self.watchdog.watch(&who, || catch_unwind(close));
    }
}
