//! Workers step their environments and choose their actions, each on its own columns of the block, with its own copy of the
//! agent. Follows `rlpyt/samplers/parallel/cpu/sampler.py`.
use crate::config::EvalConfig;
use crate::error::SamplerError;
use crate::evaluation::{Evaluation, Order};
use crate::host::{FAREWELL, WorkerHandle};
use crate::sampler::{Plan, Sampler, Samples, Setup};
use crate::serial::{collector_spec, eval_spec, watched_plan};
use crate::state::SamplerState;
use crate::worker::{FromWorker, Shared, ToWorker, WorkerSetup};
use agents::AgentContext;
use rlcore::affinity;
use rlcore::batch_spec::split_columns;
use rlcore::block::{Block, Columns};
use rlcore::cells::Tree;
use rlcore::control::Op;
use rlcore::forkserver::Surroundings;
use rlcore::segment::Segment;
use rlcore::{BatchSpec, EnvSpaces};
use std::os::fd::AsFd;
use std::time::Instant;

/// Spins of a worker before it sleeps, about 20 us: enough to see the next command where the master has nothing to do between.
/// The learner wants the cores, so no longer.
// PERF: MLP 64-64, B=64, T=16, two workers on two cores: 0.87 of the bound instead of 0.73 (`experiments bench samplers`).
const WORKER_SPINS: u32 = 1500;

/// See the module documentation.
pub struct CpuSampler {
    setup: Setup,
    plan: Plan,
    reader: Columns,
    weights: Tree,
    weights_version: u64,
    workers: Vec<WorkerHandle>,
    segment: &'static Segment,
    spins: u32,
    failed: bool,
}

impl std::fmt::Debug for CpuSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CpuSampler({:?}, {} workers)", self.setup.spec(), self.workers.len())
    }
}

impl CpuSampler {
    /// Lays out the memory, starts the workers and waits until all have reset their environments.
    pub fn new(setup: Setup) -> Result<Self, SamplerError> {
        let plan = watched_plan(&setup)?;
        let context = AgentContext { device: "cpu".into(), ..plan.context.clone() };
        let count = setup.agent.build(&context)?.weight_count();
        let n = setup.config.workers();
        let shared = Shared::new(n, count, plan.layout.clone());
        let segment = Segment::create("sample block", shared.bytes)?;
        let block = Block::new(plan.layout.clone(), segment, shared.block_at);
        // The master spins only on a core of its own.
        let spins = if n < setup.config.worker.cpu_count() { affinity::SPINS } else { 0 };
        let first = setup.first_rank();
        let eval_parts =
            setup.eval.as_ref().map_or(vec![0..0; n], |(_, e)| split_columns(e.n_envs, n));
        let (weights, reader) = (shared.weights(segment), block.reader());
        // From here on dropping it ends the workers that there are, and gives the memory back.
        let mut sampler = Self {
            setup,
            plan,
            reader,
            weights,
            weights_version: 0,
            workers: Vec::new(),
            segment,
            spins,
            failed: false,
        };
        let (setup, plan) = (&sampler.setup, &sampler.plan);
        for (index, columns) in split_columns(setup.config.b, n).into_iter().enumerate() {
            let part = eval_parts[index].clone();
            let eval = setup.eval.as_ref().filter(|_| !part.is_empty());
            let worker = WorkerSetup {
                index,
                shared: shared.clone(),
                train: collector_spec(setup, first + columns.start, columns.len()),
                columns,
                eval: eval.map(|(env, _)| eval_spec(setup, env.clone(), part.start, part.len())),
                agent: setup.agent.clone(),
                context: context.clone(),
                schema: plan.schema.clone(),
                max_decorrelation_steps: setup.config.max_decorrelation_steps,
                spins: if n <= setup.config.worker.cpu_count() { WORKER_SPINS } else { 0 },
            };
            let cpus = &setup.config.worker.cpus;
            let surroundings = Surroundings {
                cpus: if cpus.is_empty() { vec![] } else { vec![cpus[index % cpus.len()]] },
                log: setup.worker_logs.as_ref().map(|dir| dir.join(format!("worker_{index}.log"))),
            };
            let fd =
                segment.fd().ok_or_else(|| std::io::Error::other("a memfd has a descriptor"))?;
            let control = &shared.control(segment)[index];
            let config = &setup.config.worker;
            sampler.workers.push(WorkerHandle::start(
                &worker,
                config.host,
                surroundings,
                fd.as_fd(),
                control,
                config.step_timeout,
            )?);
        }
        sampler.answers()?;
        Ok(sampler)
    }

    /// Marks the sampler as failed where `f` fails.
    fn attempt<T>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, SamplerError>,
    ) -> Result<T, SamplerError> {
        if self.failed {
            return Err(SamplerError::Unusable);
        }
        let out = f(self);
        self.failed = out.is_err();
        out
    }

    fn check(&mut self) -> Result<(), SamplerError> {
        self.workers.iter_mut().try_for_each(WorkerHandle::check)
    }

    /// One answer of each worker, in order.
    fn answers(&mut self) -> Result<Vec<FromWorker>, SamplerError> {
        self.attempt(|s| {
            let mut answers = Vec::new();
            for i in 0..s.workers.len() {
                let answer = loop {
                    s.check()?;
                    if let Some(answer) = s.workers[i].answer() {
                        break answer;
                    }
                };
                answers.push(answer);
            }
            Ok(answers)
        })
    }

    fn ask(
        &mut self,
        messages: Vec<ToWorker>,
        env_steps: u64,
    ) -> Result<Vec<FromWorker>, SamplerError> {
        self.attempt(|s| {
            let version = s.weights_version;
            s.workers.iter_mut().zip(&messages).try_for_each(|(w, m)| w.ask(m, env_steps, version))
        })?;
        self.answers()
    }
}

impl Sampler for CpuSampler {
    fn spec(&self) -> BatchSpec {
        self.setup.spec()
    }

    fn spaces(&self) -> &EnvSpaces {
        &self.plan.spaces
    }

    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError> {
        if self.failed {
            return Err(SamplerError::Unusable);
        }
        // The workers wait for a command: nobody reads.
        self.weights.row_mut(0).get::<f32>(0).copy_from_slice(weights);
        self.weights_version += 1;
        Ok(())
    }

    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples<'_>, SamplerError> {
        self.attempt(|s| {
            let version = s.weights_version;
            s.workers.iter_mut().for_each(|w| w.order(Op::Collect, env_steps, version));
            for i in 0..s.workers.len() {
                while !s.workers[i].collected(s.spins) {
                    s.check()?;
                }
            }
            s.check()
        })?;
        let notes = self.workers.iter_mut().flat_map(WorkerHandle::take_notes).collect();
        Ok(Samples::new(&mut self.reader, self.setup.first_rank(), notes))
    }

    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError> {
        let Some(config): Option<EvalConfig> = self.setup.eval.as_ref().map(|(_, c)| *c) else {
            return Err(SamplerError::Config(
                "evaluation was not asked for when the sampler was built".into(),
            ));
        };
        let order = Order { number, env_steps, episodes, config };
        let messages = self.workers.iter().map(|_| ToWorker::Evaluate(order)).collect();
        let parts = self.ask(messages, env_steps)?.into_iter().filter_map(|a| match a {
            FromWorker::Evaluation(part) => Some(part),
            _ => None,
        });
        Ok(Evaluation::merge(parts.collect()))
    }

    fn eval_episodes(&self) -> usize {
        self.setup.eval.as_ref().map_or(0, |(_, config)| config.n_episodes)
    }

    fn save(&mut self) -> Result<SamplerState, SamplerError> {
        let messages = self.workers.iter().map(|_| ToWorker::Save).collect();
        let parts = self.ask(messages, 0)?.into_iter().filter_map(|a| match a {
            FromWorker::State(part) => Some(part),
            _ => None,
        });
        Ok(SamplerState { columns: parts.flatten().collect() })
    }

    fn load(&mut self, mut state: SamplerState) -> Result<(), SamplerError> {
        let want = self.setup.config.b;
        if state.columns.len() != want {
            return Err(SamplerError::State(format!(
                "{} environments were saved, sampler.b = {want}",
                state.columns.len()
            )));
        }
        let part =
            |w: &WorkerHandle| ToWorker::Load(state.columns.drain(..w.ranks().len()).collect());
        let messages = self.workers.iter().map(part).collect();
        self.ask(messages, 0).map(|_| ())
    }

    fn worker_pids(&self) -> Vec<i32> {
        self.workers.iter().map(WorkerHandle::pid).collect()
    }
}

impl Drop for CpuSampler {
    fn drop(&mut self) {
        self.workers.iter_mut().for_each(WorkerHandle::dismiss);
        let until = Instant::now() + FAREWELL;
        self.workers.iter_mut().for_each(|w| w.finish(until));
        self.segment.release_pages();
    }
}
