//! The workers of a parallel sampler and their shared segment: starts, waits for and ends all workers together.
use crate::config::EvalConfig;
use crate::error::{Cause, SamplerError};
use crate::evaluation::{Evaluation, EvaluationOrder};
use crate::host::{FAREWELL, WorkerHandle};
use crate::protocol::{Acting, CHECK_EVERY, FromWorker, Lane, LaneState, ToWorker, WorkerSetup};
use crate::setup::Plan;
use crate::state::{ColumnState, SamplerState};
use crate::supervisor::Supervisor;
use crate::weights::{BUFFERS, Weights};
use agents::AgentContext;
use rlcore::GlobalSteps;
use rlcore::batch_spec::split_columns;
use rlcore::block::Slot;
use rlcore::control::{Op, Task};
use rlcore::forkserver::Surroundings;
use rlcore::gate::Gate;
use rlcore::manifest::{Counts, Manifest, SharedMemory};
use rlcore::patience::Patience;
use rlcore::seed::EvalSeries;
use rlcore::segment::Pages;
use rlcore::stopwatch::Stopwatch;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

/// See the module documentation.
pub(crate) struct Crew {
    workers: Vec<WorkerHandle>,
    /// Released when the crew and the last lease are dropped.
    _pages: Arc<Pages>,
    /// `None` after a failure, whose error is already being returned.
    supervisor: Option<Supervisor>,
    gates: &'static [Gate],
    /// Per gate: the last value of `all` that was seen.
    seen: Vec<u32>,
    weights: Weights,
    /// Wait statistics of the master at the gates.
    patience: Patience,
    /// Seconds after which a deadlock is reported, see [`Crew::wait`].
    limit: f64,
    failed: bool,
}

impl Crew {
    /// Lays out the memory, starts the workers and waits until all of them have reset their environments. Each of `groups` is a
    /// range of columns that are stepped together; every worker has a part of each group.
    pub(crate) fn start(
        plan: &Plan,
        groups: &[Range<usize>],
        acting: Acting,
    ) -> Result<(Self, Vec<Slot>), SamplerError> {
        let setup = &plan.setup;
        let context = AgentContext { device: "cpu".into(), ..plan.context.clone() };
        let n = setup.config.workers();
        let counts = Counts {
            workers: n,
            gates: groups.len(),
            doors: setup.env.doors(setup.config.b),
            weights: plan.model.params,
            weight_slots: BUFFERS,
            block_slots: setup.slots,
        };
        let memory =
            SharedMemory::create("sample block", Manifest::new(counts, plan.layout.clone()))?;
        let (segment, manifest) = (memory.segment, &memory.manifest);
        let pages = segment.pages();
        let slot = |i| memory.block(i).slot(groups, Arc::clone(&pages));
        let slots = (0..setup.slots).map(slot).collect();
        let parts: Vec<Vec<Range<usize>>> = groups
            .iter()
            .map(|g| {
                let within = split_columns(g.len(), n).into_iter();
                within.map(|p| g.start + p.start..g.start + p.end).collect()
            })
            .collect();
        let eval_parts =
            setup.eval.as_ref().map_or(vec![0..0; n], |(_, e)| split_columns(e.n_envs, n));
        // From here on, dropping the crew ends the workers started so far and releases the memory.
        let mut crew = Self {
            workers: Vec::new(),
            _pages: pages,
            supervisor: None,
            gates: manifest.gates(segment),
            seen: vec![0; groups.len()],
            weights: Weights::new(
                (0..BUFFERS).map(|i| manifest.weights(segment, i)).collect(),
                plan.model.params,
                manifest.control(segment).iter().collect(),
                setup.config.worker.step_timeout,
            ),
            patience: Patience::default(),
            limit: setup.config.worker.step_timeout,
            failed: false,
        };
        for (index, eval_part) in eval_parts.into_iter().enumerate() {
            let lane = |columns: Range<usize>| Lane {
                spec: plan.collector_spec(columns.clone()),
                columns,
            };
            let worker = WorkerSetup {
                index,
                manifest: (**manifest).clone(),
                lanes: parts.iter().map(|p| lane(p[index].clone())).collect(),
                acting,
                eval: plan.eval_spec(eval_part.clone()).filter(|_| !eval_part.is_empty()),
                agent: setup.agent.clone(),
                context: context.clone(),
                schema: plan.schema.clone(),
                max_decorrelation_steps: setup.config.max_decorrelation_steps,
            };
            let pinned = &setup.config.worker.cpus;
            let surroundings = Surroundings {
                cpus: if pinned.is_empty() { vec![] } else { vec![pinned[index % pinned.len()]] },
                log: setup.worker_logs.as_ref().map(|dir| dir.join(format!("worker_{index}.log"))),
            };
            let fd =
                segment.fd().ok_or_else(|| std::io::Error::other("a memfd has a descriptor"))?;
            let control = &manifest.control(segment)[index];
            let config = &setup.config.worker;
            crew.workers.push(WorkerHandle::start(
                &worker,
                config.host,
                surroundings,
                fd.as_fd(),
                control,
                config.step_timeout,
            )?);
        }
        crew.answers("that it is ready", |_, answer| {
            matches!(answer, FromWorker::Ready).then_some(())
        })?;
        let wards: Vec<_> = crew.workers.iter().filter_map(|w| w.ward().transpose()).collect();
        let wards = wards.into_iter().collect::<Result<Vec<_>, _>>()?;
        crew.supervisor = (!wards.is_empty()).then(|| Supervisor::start(wards)).transpose()?;
        Ok((crew, slots))
    }

    pub(crate) fn usable(&self) -> Result<(), SamplerError> {
        if self.failed { Err(SamplerError::Unusable) } else { Ok(()) }
    }

    /// Runs `f` unless the crew has failed before; marks the crew as failed if `f` fails.
    pub(crate) fn attempt<T>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, SamplerError>,
    ) -> Result<T, SamplerError> {
        self.usable()?;
        let out = f(self);
        if out.is_err() {
            self.failed = true;
            self.weights.close();
            self.supervisor = None;
        }
        out
    }

    /// Receives the messages of all workers; returns an error if one has failed, died or stalled.
    pub(crate) fn check(&mut self) -> Result<(), SamplerError> {
        self.workers.iter_mut().try_for_each(WorkerHandle::check)
    }

    /// Orders all workers to collect a batch, during which each arrives at every gate once more than the gate opens.
    pub(crate) fn order(&mut self, task: Task) {
        let gates = self.gates.len() as u32;
        for worker in &mut self.workers {
            worker.owes(gates);
            worker.order(task);
        }
    }

    /// The weights that workers act with.
    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Waits until all workers have arrived at a gate. A worker counts its own arrival before it increments the gate's count: a
    /// worker that is stopped between the two does not look busy although all wait for it, so this deadlock has a limit of its own.
    pub(crate) fn wait(&mut self, gate: usize) -> Result<(), SamplerError> {
        let mut since: Option<Stopwatch> = None;
        loop {
            let all = &self.gates[gate].all;
            if let Some(now) = all.wait(self.seen[gate], &mut self.patience, CHECK_EVERY) {
                self.seen[gate] = now;
                return Ok(());
            }
            self.check()?;
            if self.workers.iter().any(WorkerHandle::busy) {
                since = None;
                continue;
            }
            let idle = since.get_or_insert_with(Stopwatch::start).look();
            if idle > self.limit {
                return Err(self.all_wait(idle));
            }
        }
    }

    fn all_wait(&self, seconds: f64) -> SamplerError {
        SamplerError::Worker {
            worker: "all workers".into(),
            pid: std::process::id() as i32,
            env_ranks: self.workers.iter().flat_map(|w| w.lanes().to_vec()).collect(),
            cause: Cause::Protocol(format!(
                "deadlock: the master and all workers have waited for each other for {seconds:.1} s; one of them was stopped at a gate (limit: sampler.worker.step_timeout)"
            )),
        }
    }

    /// Waits for the gate without consuming the arrivals: the next wait returns at once.
    pub(crate) fn peek(&mut self, gate: usize) -> Result<(), SamplerError> {
        let seen = self.seen[gate];
        self.wait(gate)?;
        self.seen[gate] = seen;
        Ok(())
    }

    /// Opens a gate; every worker will arrive at it once more.
    pub(crate) fn open(&mut self, gate: usize) {
        self.workers.iter_mut().for_each(|w| w.owes(1));
        self.gates[gate].open.post();
    }

    /// Receives one answer per worker, in order, converted by `take`; returns an error if an answer is not `wanted`.
    fn answers<T>(
        &mut self,
        wanted: &str,
        take: impl Fn(&WorkerHandle, FromWorker) -> Option<T>,
    ) -> Result<Vec<T>, SamplerError> {
        self.attempt(|s| {
            let mut answers = Vec::new();
            for i in 0..s.workers.len() {
                let answer = loop {
                    s.check()?;
                    if let Some(answer) = s.workers[i].answer() {
                        break answer;
                    }
                };
                let worker = &s.workers[i];
                answers.push(take(worker, answer).ok_or_else(|| worker.unexpected(wanted))?);
            }
            Ok(answers)
        })
    }

    fn ask(&mut self, messages: &[ToWorker], now: GlobalSteps) -> Result<(), SamplerError> {
        self.attempt(|s| {
            let task = Task { op: Op::Message, now, weights: s.weights.order(), slot: 0 };
            s.workers.iter_mut().zip(messages).try_for_each(|(w, m)| w.ask(m, task))
        })
    }

    /// Runs an evaluation, whose environments are divided among the workers.
    pub(crate) fn evaluate(
        &mut self,
        series: EvalSeries,
        episodes: usize,
        now: GlobalSteps,
        config: EvalConfig,
    ) -> Result<Evaluation, SamplerError> {
        let order = EvaluationOrder { number: series.number(), now, episodes, config };
        let messages: Vec<_> = self.workers.iter().map(|_| ToWorker::Evaluate(order)).collect();
        self.ask(&messages, now)?;
        let parts = self.answers("an evaluation", |_, answer| match answer {
            FromWorker::Evaluation(part) => Some(part),
            _ => None,
        });
        Ok(Evaluation::merge(parts?))
    }

    /// The state of every column, in order of columns; includes the acting state if the workers act.
    pub(crate) fn save(&mut self, acting: Acting) -> Result<Vec<LaneState>, SamplerError> {
        let messages: Vec<_> = self.workers.iter().map(|_| ToWorker::Save).collect();
        self.ask(&messages, GlobalSteps(0))?;
        let whole = |lane: &LaneState, ranks: &Range<usize>| {
            let acts = if acting == Acting::Worker { ranks.len() } else { 0 };
            lane.envs.len() == ranks.len() && lane.acts.len() == acts
        };
        let wanted = "the state of each of its environments";
        let by_worker = self.answers(wanted, |worker, answer| match answer {
            FromWorker::State(lanes) if lanes.len() == worker.lanes().len() => {
                let all = lanes.iter().zip(worker.lanes()).all(|(lane, ranks)| whole(lane, ranks));
                all.then_some(lanes.into_iter())
            }
            _ => None,
        });
        let mut by_worker = by_worker?;
        let groups = 0..self.gates.len();
        Ok(groups
            .flat_map(|_| by_worker.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())
            .collect())
    }

    /// Sends every worker the states of its columns.
    pub(crate) fn load(&mut self, state: &SamplerState) -> Result<(), SamplerError> {
        let first = self.workers.first().map_or(0, |w| w.lanes()[0].start);
        let of = |ranks: &Range<usize>| -> Vec<ColumnState> {
            state.columns[ranks.start - first..ranks.end - first].to_vec()
        };
        let message = |w: &WorkerHandle| ToWorker::Load(w.lanes().iter().map(of).collect());
        let messages: Vec<_> = self.workers.iter().map(message).collect();
        self.ask(&messages, GlobalSteps(0))?;
        let loaded = self.answers("that it has loaded", |_, answer| {
            matches!(answer, FromWorker::Loaded).then_some(())
        });
        loaded.map(drop)
    }

    /// Free-form notes of environments since the last call.
    pub(crate) fn take_notes(&mut self) -> Vec<(usize, String)> {
        self.workers.iter_mut().flat_map(WorkerHandle::take_notes).collect()
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.workers.iter().map(WorkerHandle::pid).collect()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.supervisor = None;
        self.workers.iter_mut().for_each(WorkerHandle::dismiss);
        // A worker that waits in the middle of a batch checks for an order to quit when the gate opens.
        self.gates.iter().for_each(|g| g.open.post());
        let until = Instant::now() + FAREWELL;
        self.workers.iter_mut().for_each(|w| w.finish(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostKind, SamplerConfig, SamplerKind, WorkerConfig};
    use crate::setup::Setup;
    use agents::{AgentFactory, RandomAgentConfig};
    use rlcore::EnvFactory;
    use rlcore::envs::CartPole;

    #[test]
    fn waiting_for_what_nobody_owes_ends() {
        let env = EnvFactory::new(&CartPole::default()).unwrap();
        let agent = AgentFactory::new(&RandomAgentConfig::default()).unwrap();
        let worker =
            WorkerConfig { n: 2, host: HostKind::Thread, step_timeout: 0.3, ..Default::default() };
        let config = SamplerConfig { kind: SamplerKind::Gpu, worker, ..Default::default() };
        let setup = Setup::new(config, env, agent);
        let plan = setup.check().unwrap();
        let groups = std::slice::from_ref(&(0..8));
        let (mut crew, _) = Crew::start(&plan, groups, Acting::Master).unwrap();
        crew.order(Task { op: Op::Serve, now: GlobalSteps(0), weights: 0, slot: 0 });
        crew.wait(0).unwrap();
        // Both workers are at the gate, which is not opened.
        let error = crew.wait(0).unwrap_err().to_string();
        assert!(
            error.contains("env ranks 0..4, 4..8): deadlock: the master and all workers"),
            "{error}"
        );
    }
    #[test]
    fn an_unexpected_answer_is_an_error_that_names_the_worker() {
        let env = EnvFactory::new(&CartPole::default()).unwrap();
        let agent = AgentFactory::new(&RandomAgentConfig::default()).unwrap();
        let worker = WorkerConfig { n: 2, host: HostKind::Thread, ..Default::default() };
        let config = SamplerConfig { kind: SamplerKind::Gpu, worker, ..Default::default() };
        let plan = Setup::new(config, env, agent).check().unwrap();
        let groups = std::slice::from_ref(&(0..8));
        let start = || Crew::start(&plan, groups, Acting::Master).unwrap().0;

        // Workers send the states of environments only: the agent acts in this process.
        let error = start().save(Acting::Worker).err().unwrap().to_string();
        let wanted = "gave another answer than the state of each of its environments";
        assert!(error.contains("worker 0") && error.contains(wanted), "{error}");
        let mut crew = start();
        assert_eq!(crew.save(Acting::Master).unwrap().len(), 2);
        crew.ask(&[ToWorker::Save, ToWorker::Save], GlobalSteps(0)).unwrap();
        let loaded = crew
            .answers("that it has loaded", |_, a| matches!(a, FromWorker::Loaded).then_some(()));
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains("gave another answer than that it has loaded"), "{error}");
        assert!(matches!(crew.save(Acting::Master), Err(SamplerError::Unusable)));
    }
}
