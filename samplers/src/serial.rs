//! Everything in this process: the reference that all other samplers agree with to the bit, and the one to debug in.
use crate::collector::{Collector, CollectorError, CollectorSpec};
use crate::error::{Cause, SamplerError, panic_text};
use crate::evaluation::{EVAL_T, Evaluation, Order, evaluate};
use crate::sampler::{Plan, Sampler, Samples, Setup, block_for};
use crate::state::SamplerState;
use crate::watchdog::{Watchdog, Who, building, called};
use agents::{Agent, Phase};
use rlcore::block::{Block, Columns};
use rlcore::progress::Progress;
use rlcore::{BatchSpec, EnvRank, EnvSpaces};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module documentation.
pub struct SerialSampler {
    plan: Plan,
    block: Block,
    reader: Columns,
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
    pub fn new(setup: Setup) -> Result<Self, SamplerError> {
        Self::start(setup.check()?)
    }

    pub(crate) fn start(plan: Plan) -> Result<Self, SamplerError> {
        let (block, reader) = block_for(&plan)?;
        let started = Self::parts(&plan, &block);
        let (agent, collector, eval, watchdog) = started.inspect_err(|_| block.release())?;
        Ok(Self { plan, block, reader, agent, collector, eval, watchdog, failed: false })
    }

    fn parts(plan: &Plan, block: &Block) -> Result<Parts, SamplerError> {
        let setup = &plan.setup;
        let agent = setup.agent.build(&plan.context)?;
        let columns = block.columns(0..setup.config.b);
        let watchdog = Watchdog::start(setup.config.worker.step_timeout)?;
        let (collector, eval) = guard(&watchdog, &sampling(setup), |progress| {
            let spec = collector_spec(plan, 0, setup.config.b);
            let build = || Collector::new(spec, columns, &plan.schema);
            let mut collector = building(progress, build)?;
            collector.start(setup.config.max_decorrelation_steps, progress)?;
            let eval = match &setup.eval {
                Some((_, config)) => {
                    let spec = eval_spec(plan, 0, config.n_envs);
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

/// The plan, made under watch: an example environment is built for it.
pub(crate) fn watched_plan(setup: Setup) -> Result<Plan, SamplerError> {
    // Settings first: the time-out is one of them.
    setup.config.check().map_err(SamplerError::Config)?;
    let watchdog = Watchdog::start(setup.config.worker.step_timeout)?;
    let who = Who { worker: "the master, for an example", env_ranks: 0..1 };
    watchdog.watch(&who, || setup.plan())
}

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

/// A training slice of these columns.
pub(crate) fn collector_spec(plan: &Plan, first_column: usize, columns: usize) -> CollectorSpec {
    let setup = &plan.setup;
    CollectorSpec {
        env: setup.env.clone(),
        spaces: plan.spaces.clone(),
        first_rank: EnvRank(setup.first_rank() + first_column),
        columns,
        mode: setup.config.reset,
        seed: setup.seed,
        discount: setup.discount,
        state_interval: setup.options.state_interval.max(1),
    }
}

/// An evaluation slice.
pub(crate) fn eval_spec(plan: &Plan, first_rank: usize, columns: usize) -> CollectorSpec {
    let setup = &plan.setup;
    CollectorSpec {
        env: setup.eval.as_ref().map_or_else(|| setup.env.clone(), |(env, _)| env.clone()),
        spaces: plan.eval_spaces.clone().unwrap_or_else(|| plan.spaces.clone()),
        first_rank: EnvRank(first_rank),
        columns,
        mode: rlcore::envs::columns::ResetMode::AtOnce,
        seed: setup.seed,
        discount: setup.discount,
        state_interval: 1,
    }
}

impl Sampler for SerialSampler {
    fn spec(&self) -> BatchSpec {
        self.plan.setup.spec()
    }

    fn spaces(&self) -> &EnvSpaces {
        &self.plan.spaces
    }

    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError> {
        self.usable()?;
        self.agent.load_weights(weights);
        Ok(())
    }

    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples<'_>, SamplerError> {
        self.usable()?;
        let who = sampling(&self.plan.setup);
        let (collector, agent) = (&mut self.collector, &mut *self.agent);
        let phase = Phase::Sample { env_steps };
        let out = guard(&self.watchdog, &who, |progress| collector.collect(agent, phase, progress));
        self.failed = out.is_err();
        out?;
        let notes = self.collector.take_notes();
        Ok(Samples::new(&mut self.reader, who.env_ranks.start, notes))
    }

    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError> {
        self.usable()?;
        let (Some(collector), Some((_, config))) = (&mut self.eval, &self.plan.setup.eval) else {
            return Err(SamplerError::Config(
                "evaluation was not asked for when the sampler was built".into(),
            ));
        };
        let order = Order { number, env_steps, episodes, config: *config };
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
