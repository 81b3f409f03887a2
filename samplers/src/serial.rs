//! Everything in this process: the reference that all other samplers agree with to the bit, and the one to debug in.
use crate::collector::{Collector, CollectorError, CollectorSpec};
use crate::error::{Cause, SamplerError, panic_text};
use crate::evaluation::{EVAL_T, Evaluation, Order, evaluate};
use crate::sampler::{Plan, Sampler, Samples, Setup, block_for};
use crate::state::SamplerState;
use crate::watchdog::Watchdog;
use agents::{Agent, Phase};
use rlcore::block::{Block, Columns};
use rlcore::progress::Progress;
use rlcore::{BatchSpec, EnvRank, EnvSpaces};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module documentation.
pub struct SerialSampler {
    setup: Setup,
    plan: Plan,
    block: Block,
    reader: Columns,
    agent: Box<dyn Agent>,
    collector: Collector,
    eval: Option<Collector>,
    watchdog: Watchdog,
}

impl std::fmt::Debug for SerialSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SerialSampler({:?})", self.setup.spec())
    }
}

impl SerialSampler {
    /// Builds environments, resets them and takes the decorrelating steps.
    pub fn new(setup: Setup) -> Result<Self, SamplerError> {
        let plan = setup.plan()?;
        let (block, reader) = block_for(&plan)?;
        let agent = setup.agent.build(&plan.context)?;
        let columns = block.columns(0..setup.config.b);
        let first = setup.first_rank();
        let watchdog =
            Watchdog::start(setup.config.worker.step_timeout, first..first + setup.config.b)?;
        let failures = Failures { first_rank: first, columns: setup.config.b };
        let (collector, eval) = failures.guard(&watchdog, |progress| {
            let spec = collector_spec(&setup, first, setup.config.b);
            let mut collector = Collector::new(spec, columns, &plan.schema)?;
            collector.start(setup.config.max_decorrelation_steps, progress)?;
            let eval = match &setup.eval {
                Some((env, config)) => {
                    let spec = eval_spec(&setup, env.clone(), 0, config.n_envs);
                    Some(Collector::with_own_block(spec, EVAL_T, &plan.schema)?)
                }
                None => None,
            };
            Ok((collector, eval))
        })?;
        Ok(Self { setup, plan, block, reader, agent, collector, eval, watchdog })
    }

    fn failures(&self) -> Failures {
        Failures { first_rank: self.setup.first_rank(), columns: self.setup.config.b }
    }
}

/// A training slice of these columns.
pub(crate) fn collector_spec(setup: &Setup, first_rank: usize, columns: usize) -> CollectorSpec {
    CollectorSpec {
        env: setup.env.clone(),
        first_rank: EnvRank(first_rank),
        columns,
        mode: setup.config.reset,
        seed: setup.seed,
        discount: setup.discount,
        state_interval: setup.options.state_interval.max(1),
    }
}

/// An evaluation slice.
pub(crate) fn eval_spec(
    setup: &Setup,
    env: rlcore::EnvFactory,
    first_rank: usize,
    columns: usize,
) -> CollectorSpec {
    CollectorSpec {
        env,
        first_rank: EnvRank(first_rank),
        columns,
        mode: rlcore::envs::columns::ResetMode::AtOnce,
        seed: setup.seed,
        discount: setup.discount,
        state_interval: 1,
    }
}

/// Turns what happens to environments of this process into the named error.
struct Failures {
    first_rank: usize,
    columns: usize,
}

impl Failures {
    fn guard<T>(
        &self,
        watchdog: &Watchdog,
        f: impl FnOnce(&Progress) -> Result<T, CollectorError>,
    ) -> Result<T, SamplerError> {
        watchdog.busy(true);
        let out = catch_unwind(AssertUnwindSafe(|| f(watchdog.progress())));
        watchdog.busy(false);
        let cause = match out {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(CollectorError::Memory(e))) => return Err(e.into()),
            Ok(Err(CollectorError::Cause(cause))) => cause,
            Err(payload) => Cause::Panic {
                env_rank: (watchdog.progress().stamp() != 0)
                    .then(|| self.first_rank + watchdog.progress().column()),
                text: panic_text(&*payload),
            },
        };
        Err(SamplerError::Worker {
            worker: "serial sampler".into(),
            pid: std::process::id() as i32,
            env_ranks: self.first_rank..self.first_rank + self.columns,
            cause,
        })
    }
}

impl Sampler for SerialSampler {
    fn spec(&self) -> BatchSpec {
        self.setup.spec()
    }

    fn spaces(&self) -> &EnvSpaces {
        &self.plan.spaces
    }

    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError> {
        self.agent.load_weights(weights);
        Ok(())
    }

    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples<'_>, SamplerError> {
        let failures = self.failures();
        let (collector, agent) = (&mut self.collector, &mut *self.agent);
        let phase = Phase::Sample { env_steps };
        failures.guard(&self.watchdog, |progress| collector.collect(agent, phase, progress))?;
        let notes = self.collector.take_notes();
        Ok(Samples::new(&mut self.reader, failures.first_rank, notes))
    }

    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError> {
        let (Some(collector), Some((_, config))) = (&mut self.eval, &self.setup.eval) else {
            return Err(SamplerError::Config(
                "evaluation was not asked for when the sampler was built".into(),
            ));
        };
        let order = Order { number, env_steps, episodes, config: *config };
        let agent = &mut *self.agent;
        let failures = Failures { first_rank: 0, columns: config.n_envs };
        failures.guard(&self.watchdog, |progress| {
            evaluate(collector, agent, &order, &(0..config.n_envs), progress)
        })
    }

    fn eval_episodes(&self) -> usize {
        self.setup.eval.as_ref().map_or(0, |(_, config)| config.n_episodes)
    }

    fn save(&mut self) -> Result<SamplerState, SamplerError> {
        Ok(SamplerState { columns: self.collector.save() })
    }

    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError> {
        let want = self.setup.config.b;
        if state.columns.len() != want {
            return Err(SamplerError::State(format!(
                "{} environments were saved, sampler.b = {want}",
                state.columns.len()
            )));
        }
        let failures = self.failures();
        let collector = &mut self.collector;
        failures.guard(&self.watchdog, |progress| collector.load(&state.columns, progress))
    }
}

impl Drop for SerialSampler {
    fn drop(&mut self) {
        // A panic while closing must not hide the error that led here.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            self.collector.close();
            if let Some(eval) = &mut self.eval {
                eval.close();
            }
        }));
        self.block.release();
    }
}
