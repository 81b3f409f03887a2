//! The worker, a process or a thread: the environments of its columns, an agent if the worker chooses actions (of training or of
//! evaluation), and the loop that carries out the orders in its control words (see [`rlcore::control`]).
use crate::collector::actor::RowViews;
use crate::collector::stepper::Stepper;
use crate::collector::{Collector, CollectorError};
use crate::error::{Cause, panic_text};
use crate::evaluation::{Evaluation, Evaluator};
use crate::protocol::{Acting, FromWorker, LaneState, MESSAGE_LIMIT, ToWorker, WorkerSetup};
use crate::slots::{LaneSlots, Place};
use crate::watchdog::{NOBODY, called};
use crate::weights::{BUFFERS, buffer};
use agents::{Agent, Phase};
use rlcore::SlicePlace;
use rlcore::block::Block;
use rlcore::cells::Tree;
use rlcore::channel::{Channel, ChannelError};
use rlcore::control::{Op, Task, WorkerControl};
use rlcore::gate::Gate;
use rlcore::manifest::SharedMemory;
use rlcore::patience::Patience;
use rlcore::segment::Segment;
use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Exit code of a worker that has sent [`FromWorker::Fatal`].
const FATAL: i32 = 3;

/// Entry point of a worker; returns its exit code.
pub(crate) fn main(channel: Channel) -> i32 {
    // Set per thread, before the first libtorch op: the workers share the cores.
    tch::set_num_threads(1);
    let begin = || -> Result<_, ChannelError> {
        let setup: WorkerSetup = channel.recv(MESSAGE_LIMIT)?;
        let fd = channel.recv_fds(MESSAGE_LIMIT)?.pop().ok_or(ChannelError::Closed)?;
        Ok((setup, fd))
    };
    let (setup, fd) = match begin() {
        Ok(begun) => begun,
        Err(ChannelError::Closed) => return 0,
        Err(e) => return fail(&channel, Cause::Protocol(format!("start-up: {e}"))),
    };
    let segment = match Segment::attach(fd, setup.manifest.bytes) {
        Ok(segment) => segment,
        Err(e) => return fail(&channel, Cause::Protocol(e.to_string())),
    };
    let control = &setup.manifest.control(segment)[setup.index];
    control.set_first_rank(setup.lanes[0].spec.first_rank.0);
    match catch_unwind(AssertUnwindSafe(|| run(&setup, segment, control, &channel))) {
        Ok(Ok(()) | Err(Ending::MasterGone)) => 0,
        Ok(Err(Ending::Cause(cause))) => fail(&channel, cause),
        Err(payload) => {
            let env_rank = called(&control.progress, control.first_rank());
            fail(&channel, Cause::Panic { env_rank, text: panic_text(&*payload) })
        }
    }
}

fn fail(channel: &Channel, cause: Cause) -> i32 {
    let _ = writeln!(std::io::stderr(), "worker: {cause}");
    // If the master is gone, the error has no receiver.
    let _ = channel.send(&FromWorker::Fatal(cause), MESSAGE_LIMIT);
    FATAL
}

enum Ending {
    Cause(Cause),
    MasterGone,
}

impl From<CollectorError> for Ending {
    fn from(e: CollectorError) -> Self {
        Self::Cause(e.into_cause())
    }
}

impl From<ChannelError> for Ending {
    fn from(e: ChannelError) -> Self {
        match e {
            ChannelError::Closed => Self::MasterGone,
            e => Self::Cause(Cause::Protocol(e.to_string())),
        }
    }
}

/// The environments of training.
enum Work {
    Collect(Box<Collector>, LaneSlots),
    Serve(Vec<(Stepper, LaneSlots)>),
}

struct Worker<'a> {
    setup: &'a WorkerSetup,
    channel: &'a Channel,
    control: &'static WorkerControl,
    gates: &'static [Gate],
    /// Per gate: the last value of `open` that was seen.
    opened: Vec<u32>,
    /// Wait statistics at the gates.
    patience: Patience,
    work: Work,
    eval: Option<Evaluator>,
    agent: Option<Box<dyn Agent>>,
    weights: Vec<Tree>,
    weights_version: u64,
}

fn run(
    setup: &WorkerSetup,
    segment: &'static Segment,
    control: &'static WorkerControl,
    channel: &Channel,
) -> Result<(), Ending> {
    // Starts at 0, not at the current value: the master may already have ordered this worker to quit.
    let mut seen = 0;
    let mut patience = Patience::default();
    let mut worker = Worker::start(setup, segment, control, channel)?;
    channel.send(&FromWorker::Ready, MESSAGE_LIMIT)?;
    loop {
        let alive = || alive(channel);
        seen = control.command.wait_checked(seen, &mut patience, IDLE_CHECK, alive)?;
        let task = control.ordered();
        control.set_first_rank(setup.lanes[0].spec.first_rank.0);
        match task.op {
            Op::Quit => {
                worker.close();
                return Ok(());
            }
            Op::Collect => {
                worker.take_weights(task.weights);
                worker.collect(task)?;
            }
            Op::Serve => {
                // The master acts: this worker loads no weights, so it confirms none.
                worker.serve(task.slot)?;
            }
            Op::Message => {
                worker.take_weights(task.weights);
                let answer = worker.answer(channel.recv(MESSAGE_LIMIT)?)?;
                channel.send(&answer, MESSAGE_LIMIT)?;
            }
        }
    }
}

/// How often an idle worker checks that its master lives.
const IDLE_CHECK: Duration = Duration::from_millis(200);

fn alive(channel: &Channel) -> Result<(), Ending> {
    if channel.closed() { Err(Ending::MasterGone) } else { Ok(()) }
}

/// Sends notes. The master reads them when it finishes the batch, which may be long after they have filled the socket, so this waits
/// as long as the master lives.
fn say(channel: &Channel, notes: Vec<(usize, String)>) -> Result<(), Ending> {
    if notes.is_empty() {
        return Ok(());
    }
    Ok(channel.send_unhurried(&FromWorker::Notes(notes))?)
}

fn out_of_place(what: &str) -> Ending {
    Ending::Cause(Cause::Protocol(format!(
        "was told to {what}, which this kind of sampler does not"
    )))
}

impl<'a> Worker<'a> {
    fn start(
        setup: &'a WorkerSetup,
        segment: &'static Segment,
        control: &'static WorkerControl,
        channel: &'a Channel,
    ) -> Result<Self, Ending> {
        let manifest = &setup.manifest;
        let memory = SharedMemory { segment, manifest: Arc::new(manifest.clone()) };
        let slots = 0..manifest.block.slots.len();
        let blocks: Vec<Block> = slots.map(|i| memory.block(i)).collect();
        let place = |columns: &Range<usize>| SlicePlace {
            columns: columns.clone(),
            memory: Some(memory.clone()),
        };
        let progress = &control.progress;
        progress.tick(NOBODY);
        let build = || setup.agent.build(&setup.context);
        let wanted = setup.acting == Acting::Worker || setup.eval.is_some();
        let agent = wanted.then(build).transpose();
        let agent = agent.map_err(|e| Ending::Cause(Cause::Agent(e.to_string())))?;
        let steps = setup.max_decorrelation_steps;
        let work = match setup.acting {
            Acting::Worker => {
                let lane = &setup.lanes[0];
                let mut slots = LaneSlots::new(&blocks, &lane.columns);
                let rows = slots.all().iter().map(RowViews::of).collect();
                let (spec, place) = (lane.spec.clone(), place(&lane.columns));
                let mut collector =
                    Box::new(Collector::new(spec, rows, &setup.schema, &place, progress)?);
                collector.start(slots.last_mut(), steps, progress)?;
                Work::Collect(collector, slots)
            }
            Acting::Master => {
                let mut steppers = Vec::new();
                for lane in &setup.lanes {
                    control.set_first_rank(lane.spec.first_rank.0);
                    let mut slots = LaneSlots::new(&blocks, &lane.columns);
                    let place = place(&lane.columns);
                    let mut stepper = Stepper::new(lane.spec.clone(), &place, progress)?;
                    stepper.start(slots.last_mut(), steps, progress)?;
                    steppers.push((stepper, slots));
                }
                Work::Serve(steppers)
            }
        };
        let eval = match &setup.eval {
            Some(spec) => {
                control.set_first_rank(spec.first_rank.0);
                control.set_evaluating(true);
                let evaluator = Evaluator::new(spec.clone(), &setup.schema, progress)?;
                control.set_evaluating(false);
                Some(evaluator)
            }
            None => None,
        };
        Ok(Self {
            gates: setup.manifest.gates(segment),
            opened: vec![0; setup.lanes.len()],
            patience: Patience::default(),
            weights: (0..BUFFERS).map(|i| setup.manifest.weights(segment, i)).collect(),
            weights_version: 0,
            setup,
            channel,
            control,
            work,
            eval,
            agent,
        })
    }

    fn take_weights(&mut self, version: u64) {
        if version != self.weights_version
            && let Some(agent) = &mut self.agent
        {
            agent.load_weights(self.weights[buffer(version)].row(0).get::<f32>(0));
            self.weights_version = version;
        }
        self.control.take(version);
    }

    fn collect(&mut self, task: Task) -> Result<(), Ending> {
        let (Work::Collect(collector, slots), Some(agent)) = (&mut self.work, &mut self.agent)
        else {
            return Err(out_of_place("choose actions"));
        };
        let phase = Phase::Sample { now: task.now };
        let place = slots.place(task.slot);
        collector.collect(place, &mut **agent, phase, &self.control.progress)?;
        slots.filled(task.slot);
        say(self.channel, collector.take_notes())?;
        self.control.arrive(&self.gates[0], self.setup.manifest.control.count as u32);
        Ok(())
    }

    /// Steps one batch with the master's actions; returns early on an order to quit.
    fn serve(&mut self, slot: usize) -> Result<(), Ending> {
        let Work::Serve(steppers) = &mut self.work else {
            return Err(out_of_place("step with the master's actions"));
        };
        let (control, gates) = (self.control, self.gates);
        let workers = self.setup.manifest.control.count as u32;
        for ((stepper, slots), gate) in steppers.iter_mut().zip(gates) {
            control.set_first_rank(stepper.first_rank());
            let Place { columns, last, .. } = slots.place(slot);
            stepper.begin_batch(slot, columns, last, &control.progress)?;
            slots.filled(slot);
            control.arrive(gate, workers);
        }
        let steps = self.setup.manifest.block.layout.spec.t;
        for t in 0..steps {
            for (i, (stepper, slots)) in steppers.iter_mut().enumerate() {
                let (gate, patience) = (&gates[i], &mut self.patience);
                let alive = || alive(self.channel);
                self.opened[i] =
                    gate.open.wait_checked(self.opened[i], patience, IDLE_CHECK, alive)?;
                if control.ordered().op == Op::Quit {
                    return Ok(());
                }
                control.set_first_rank(stepper.first_rank());
                stepper.step(slots.slot_mut(slot), t, &control.progress)?;
                if t + 1 == steps {
                    say(self.channel, stepper.take_notes())?;
                }
                control.arrive(gate, workers);
            }
        }
        Ok(())
    }

    fn answer(&mut self, order: ToWorker) -> Result<FromWorker, Ending> {
        let (control, progress) = (self.control, &self.control.progress);
        match order {
            ToWorker::Evaluate(order) => {
                let (Some(eval), Some(agent)) = (&mut self.eval, &mut self.agent) else {
                    return Ok(FromWorker::Evaluation(Evaluation::default()));
                };
                control.set_first_rank(eval.ranks().start);
                let found = eval.run(&mut **agent, &order, progress)?;
                Ok(FromWorker::Evaluation(found))
            }
            ToWorker::Save => Ok(FromWorker::State(match &mut self.work {
                Work::Collect(collector, slots) => {
                    let saved = collector.save(slots.last(), progress)?;
                    let (envs, acts) = saved.into_iter().map(|c| (c.env, c.act)).unzip();
                    vec![LaneState { envs, acts }]
                }
                Work::Serve(steppers) => {
                    let mut lanes = Vec::new();
                    for (stepper, slots) in steppers {
                        control.set_first_rank(stepper.first_rank());
                        let envs = stepper.save(slots.last(), progress)?;
                        lanes.push(LaneState { envs, acts: vec![] });
                    }
                    lanes
                }
            })),
            ToWorker::Load(lanes) => {
                let wanted: Vec<usize> = self.setup.lanes.iter().map(|l| l.columns.len()).collect();
                let given: Vec<usize> = lanes.iter().map(Vec::len).collect();
                if given != wanted {
                    return Err(Ending::Cause(Cause::Protocol(format!(
                        "was given the states of {given:?} environments, it has {wanted:?}"
                    ))));
                }
                match &mut self.work {
                    Work::Collect(collector, slots) => {
                        collector.load(slots.last_mut(), &lanes[0], progress)?;
                    }
                    Work::Serve(steppers) => {
                        for ((stepper, slots), saved) in steppers.iter_mut().zip(&lanes) {
                            control.set_first_rank(stepper.first_rank());
                            stepper.load(slots.last_mut(), saved, progress)?;
                        }
                    }
                }
                Ok(FromWorker::Loaded)
            }
        }
    }

    /// Closes all environments: all are asked to end before one is waited for.
    fn close(&mut self) {
        match &mut self.work {
            Work::Collect(collector, _) => collector.begin_close(),
            Work::Serve(steppers) => steppers.iter_mut().for_each(|(s, _)| s.begin_close()),
        }
        if let Some(eval) = &mut self.eval {
            eval.begin_close();
            eval.close();
        }
        match &mut self.work {
            Work::Collect(collector, _) => collector.close(),
            Work::Serve(steppers) => steppers.iter_mut().for_each(|(s, _)| s.close()),
        }
    }
}
