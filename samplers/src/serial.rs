//! Everything in this process: the reference that all other samplers agree with to the bit, and the one to debug in.
use crate::collector::{Collector, CollectorError};
use crate::error::{Cause, SamplerError, panic_text};
use crate::evaluation::{EVAL_T, Evaluation, Order, evaluate};
use crate::sampler::{Sampler, Samples, free};
use crate::setup::{Plan, Setup};
use crate::state::SamplerState;
use crate::watchdog::{Watchdog, Who, building, called};
use agents::{Agent, Phase};
use rlcore::block::{Block, Layout, Slot};
use rlcore::progress::Progress;
use rlcore::{BatchSpec, EnvSpaces};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module documentation.
pub struct SerialSampler {
    plan: Plan,
    block: Block,
    slot: Slot,
    agent: Box<dyn Agent>,
    collector: Collector,
    eval: Option<Collector>,
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
        let block = Block::create(plan.layout.clone())?;
        let slot = Slot::new(block.reader());
        let started = Self::parts(&plan, &block);
        let (agent, collector, eval, watchdog) = started.inspect_err(|_| block.release())?;
        Ok(Self { plan, block, slot, agent, collector, eval, watchdog, failed: false })
    }

    fn parts(plan: &Plan, block: &Block) -> Result<Parts, SamplerError> {
        let setup = &plan.setup;
        let agent = setup.agent.build(&plan.context)?;
        let columns = block.columns(0..setup.config.b);
        let watchdog = Watchdog::start(setup.config.worker.step_timeout)?;
        let (collector, eval) = guard(&watchdog, &sampling(setup), |progress| {
            let spec = plan.collector_spec(0..setup.config.b);
            let build = || Collector::new(spec, columns, &plan.schema);
            let mut collector = building(progress, build)?;
            collector.start(setup.config.max_decorrelation_steps, progress)?;
            let n_envs = setup.eval.as_ref().map_or(0, |(_, config)| config.n_envs);
            let eval = match plan.eval_spec(0..n_envs) {
                Some(spec) => {
                    let build = || Collector::with_own_block(spec, EVAL_T, &plan.schema);
                    Some(building(progress, build)?)
                }
                None => None,
            };
            Ok((collector, eval))
        })?;
        Ok((agent, collector, eval, watchdog))
    }

    fn usable(&self) -> Result<(), SamplerError> {
        if self.failed { Err(SamplerError::Unusable) } else { Ok(()) }
    }
}

type Parts = (Box<dyn Agent>, Collector, Option<Collector>, Watchdog);

fn sampling(setup: &Setup) -> Who {
    let first = setup.first_rank();
    Who { worker: "serial sampler", env_ranks: first..first + setup.config.b }
}

/// Turns what happens to environments of this process into the named error.
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
    fn spec(&self) -> BatchSpec {
        self.plan.setup.spec()
    }

    fn spaces(&self) -> &EnvSpaces {
        &self.plan.spaces
    }

    fn layout(&self) -> &Layout {
        &self.plan.layout
    }

    fn weight_count(&self) -> usize {
        self.plan.model.params
    }

    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError> {
        self.usable()?;
        self.agent.load_weights(weights);
        Ok(())
    }

    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples, SamplerError> {
        self.usable()?;
        free(&self.slot)?;
        let who = sampling(&self.plan.setup);
        let (collector, agent) = (&mut self.collector, &mut *self.agent);
        let phase = Phase::Sample { env_steps };
        let out = guard(&self.watchdog, &who, |progress| collector.collect(agent, phase, progress));
        self.failed = out.is_err();
        out?;
        let notes = self.collector.take_notes();
        Ok(Samples::new(self.slot.lease(), who.env_ranks.start, notes))
    }

    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError> {
        self.usable()?;
        let config = self.plan.eval_config()?;
        let Some(collector) = &mut self.eval else { return Err(SamplerError::Unusable) };
        let order = Order { number, env_steps, episodes, config };
        let agent = &mut *self.agent;
        let who = Who { worker: "serial sampler, evaluating", env_ranks: 0..config.n_envs };
        let out = guard(&self.watchdog, &who, |progress| {
            evaluate(collector, agent, &order, &who.env_ranks, progress)
        });
        self.failed = out.is_err();
        out
    }

    fn eval_episodes(&self) -> usize {
        self.plan.setup.eval.as_ref().map_or(0, |(_, config)| config.n_episodes)
    }

    fn save(&mut self) -> Result<SamplerState, SamplerError> {
        self.usable()?;
        Ok(SamplerState { columns: self.collector.save() })
    }

    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError> {
        self.usable()?;
        state.fits(self.plan.setup.config.b)?;
        let collector = &mut self.collector;
        let out = guard(&self.watchdog, &sampling(&self.plan.setup), |progress| {
            collector.load(&state.columns, progress)
        });
        self.failed = out.is_err();
        out
    }
}

impl Drop for SerialSampler {
    fn drop(&mut self) {
        let who = sampling(&self.plan.setup);
        let (collector, eval) = (&mut self.collector, &mut self.eval);
        let close = AssertUnwindSafe(|| {
            collector.close();
            if let Some(eval) = eval {
                eval.close();
            }
        });
        // A panic while closing must not hide the error that led here.
        let _ = self.watchdog.watch(&who, || catch_unwind(close));
        self.block.release();
    }
}
