//! What runs in a worker, process or thread: a collector over its own columns, an agent of its own, and a loop that obeys
//! the control words (see [`rlcore::control`]).
use crate::collector::{Collector, CollectorError, CollectorSpec};
use crate::error::{Cause, panic_text};
use crate::evaluation::{EVAL_T, Evaluation, Order, evaluate};
use crate::state::ColumnState;
use crate::watchdog::{building, called};
use agents::{Agent, AgentContext, AgentFactory, Phase};
use rlcore::DType;
use rlcore::block::{AgentSchema, Block, Layout};
use rlcore::cells::Tree;
use rlcore::channel::{Channel, ChannelError};
use rlcore::control::{Op, WorkerControl};
use rlcore::schema::LeafSpec;
use rlcore::segment::Segment;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Limit for a message that the other side has announced.
pub(crate) const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// How often a waiting side looks whether its peer lives.
pub(crate) const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Where things lie in the shared segment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) bytes: usize,
    pub(crate) workers: usize,
    pub(crate) weights_at: usize,
    pub(crate) weights: usize,
    pub(crate) block_at: usize,
    pub(crate) layout: Layout,
}

impl Shared {
    pub(crate) fn new(workers: usize, weights: usize, layout: Layout) -> Self {
        let weights_at = workers * size_of::<WorkerControl>();
        let block_at = weights_at + Block::beside_bytes(&weight_leaf(weights), 1, 1);
        Self { bytes: block_at + layout.bytes, workers, weights_at, weights, block_at, layout }
    }

    pub(crate) fn weights(&self, segment: &'static Segment) -> Tree {
        Block::beside(segment, self.weights_at, &weight_leaf(self.weights), 1, 1)
    }

    pub(crate) fn control(&self, segment: &'static Segment) -> &'static [WorkerControl] {
        segment.atomics(0, self.workers)
    }
}

fn weight_leaf(count: usize) -> [LeafSpec; 1] {
    [LeafSpec::array("weights", DType::F32, &[count])]
}

/// Everything a worker needs to begin.
#[derive(Serialize, Deserialize)]
pub(crate) struct WorkerSetup {
    pub(crate) index: usize,
    pub(crate) shared: Shared,
    pub(crate) columns: Range<usize>,
    pub(crate) train: CollectorSpec,
    pub(crate) eval: Option<CollectorSpec>,
    pub(crate) agent: AgentFactory,
    pub(crate) context: AgentContext,
    pub(crate) schema: AgentSchema,
    pub(crate) max_decorrelation_steps: usize,
    pub(crate) spins: u32,
}

/// Orders that need more than the control words.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToWorker {
    Evaluate(Order),
    Save,
    Load(Vec<ColumnState>),
}

/// Answers, and what a worker says by itself.
#[derive(Serialize, Deserialize)]
pub(crate) enum FromWorker {
    Ready,
    Fatal(Cause),
    Notes(Vec<(usize, String)>),
    Evaluation(Evaluation),
    State(Vec<ColumnState>),
    Loaded,
}

/// Exit code of a worker that said [`FromWorker::Fatal`].
const FATAL: i32 = 3;

/// Entry of a worker.
pub(crate) fn main(channel: Channel) -> i32 {
    // Set per thread, before the first op: workers share the cores.
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
    let segment = match Segment::attach(fd, setup.shared.bytes) {
        Ok(segment) => segment,
        Err(e) => return fail(&channel, Cause::Protocol(e.to_string())),
    };
    let control = &setup.shared.control(segment)[setup.index];
    let first_rank = Cell::new(setup.train.first_rank.0);
    match catch_unwind(AssertUnwindSafe(|| run(&setup, segment, control, &channel, &first_rank))) {
        Ok(Ok(()) | Err(Stop::MasterGone)) => 0,
        Ok(Err(Stop::Cause(cause))) => fail(&channel, cause),
        Err(payload) => {
            let env_rank = called(&control.progress, first_rank.get());
            fail(&channel, Cause::Panic { env_rank, text: panic_text(&*payload) })
        }
    }
}

fn fail(channel: &Channel, cause: Cause) -> i32 {
    eprintln!("worker: {cause}");
    // Where the master is gone too, nobody is left to tell.
    let _ = channel.send(&FromWorker::Fatal(cause), MESSAGE_LIMIT);
    FATAL
}

enum Stop {
    Cause(Cause),
    MasterGone,
}

impl From<CollectorError> for Stop {
    fn from(e: CollectorError) -> Self {
        Self::Cause(e.into_cause())
    }
}

impl From<ChannelError> for Stop {
    fn from(e: ChannelError) -> Self {
        match e {
            ChannelError::Closed => Self::MasterGone,
            e => Self::Cause(Cause::Protocol(e.to_string())),
        }
    }
}

struct Worker<'a> {
    collector: Collector,
    eval: Option<Collector>,
    agent: Box<dyn Agent>,
    weights: Tree,
    weights_version: u64,
    control: &'a WorkerControl,
}

fn run(
    setup: &WorkerSetup,
    segment: &'static Segment,
    control: &'static WorkerControl,
    channel: &Channel,
    first_rank: &Cell<usize>,
) -> Result<(), Stop> {
    // The master may have posted already: it dismisses whoever has not said that it is ready.
    let mut seen = 0;
    let block = Block::new(setup.shared.layout.clone(), segment, setup.shared.block_at);
    let agent =
        setup.agent.build(&setup.context).map_err(|e| Stop::Cause(Cause::Agent(e.to_string())))?;
    let columns = block.columns(setup.columns.clone());
    let mut collector = building(&control.progress, || {
        Collector::new(setup.train.clone(), columns, &setup.schema)
    })?;
    collector.start(setup.max_decorrelation_steps, &control.progress)?;
    let eval = match &setup.eval {
        Some(spec) => {
            let build = || Collector::with_own_block(spec.clone(), EVAL_T, &setup.schema);
            Some(building(&control.progress, build)?)
        }
        None => None,
    };
    let weights = setup.shared.weights(segment);
    let mut worker = Worker { collector, eval, agent, weights, weights_version: 0, control };
    channel.send(&FromWorker::Ready, MESSAGE_LIMIT)?;
    loop {
        let alive = || if channel.closed() { Err(Stop::MasterGone) } else { Ok(()) };
        seen = control.command.wait_checked(seen, setup.spins, CHECK_EVERY * 10, alive)?;
        let (op, env_steps, version) = control.ordered();
        worker.take_weights(version);
        first_rank.set(setup.train.first_rank.0);
        match op {
            Op::Quit => {
                worker.close();
                return Ok(());
            }
            Op::Collect => {
                worker.collector.collect(
                    &mut *worker.agent,
                    Phase::Sample { env_steps },
                    &control.progress,
                )?;
                let notes = worker.collector.take_notes();
                if !notes.is_empty() {
                    channel.send(&FromWorker::Notes(notes), MESSAGE_LIMIT)?;
                }
                control.done.post();
            }
            Op::Message => {
                let answer = worker.answer(channel.recv(MESSAGE_LIMIT)?, setup, first_rank)?;
                channel.send(&answer, MESSAGE_LIMIT)?;
            }
        }
    }
}

impl Worker<'_> {
    fn take_weights(&mut self, version: u64) {
        if version != self.weights_version {
            self.agent.load_weights(self.weights.row(0).get::<f32>(0));
            self.weights_version = version;
        }
    }

    fn answer(
        &mut self,
        order: ToWorker,
        setup: &WorkerSetup,
        first_rank: &Cell<usize>,
    ) -> Result<FromWorker, Stop> {
        match order {
            ToWorker::Evaluate(order) => {
                let (Some(eval), Some(spec)) = (&mut self.eval, &setup.eval) else {
                    return Ok(FromWorker::Evaluation(Evaluation::default()));
                };
                first_rank.set(spec.first_rank.0);
                let ranks = spec.first_rank.0..spec.first_rank.0 + spec.columns;
                let found =
                    evaluate(eval, &mut *self.agent, &order, &ranks, &self.control.progress)?;
                Ok(FromWorker::Evaluation(found))
            }
            ToWorker::Save => Ok(FromWorker::State(self.collector.save())),
            ToWorker::Load(columns) => {
                self.collector.load(&columns, &self.control.progress)?;
                Ok(FromWorker::Loaded)
            }
        }
    }

    fn close(&mut self) {
        self.collector.close();
        if let Some(eval) = &mut self.eval {
            eval.close();
        }
    }
}
