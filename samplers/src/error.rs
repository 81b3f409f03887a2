//! What can go wrong while sampling, always with the name of who failed.
use agents::AgentError;
use rlcore::forkserver::{Exit, ForkServerError};
use rlcore::memory::TooLarge;
pub(crate) use rlcore::panics::text as panic_text;
use rlcore::segment::SegmentError;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Why a worker (or the serial sampler) failed. Serialises, so that workers can say it themselves.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum Cause {
    /// The process is gone.
    #[error("the process {0}")]
    Ended(Exit),
    /// A panic.
    #[error("{}panicked: {text}", at(*env_rank))]
    Panic {
        /// Environment called last.
        env_rank: Option<usize>,
        /// What the panic said.
        text: String,
    },
    /// The environment reported an error.
    #[error("environment {env_rank} reported: {text}")]
    Env {
        /// Which one.
        env_rank: usize,
        /// Its words.
        text: String,
    },
    /// A value that nothing can be done with: a NaN, an action mask that allows no action.
    #[error("environment {env_rank} gave {what}")]
    Gave {
        /// Which one.
        env_rank: usize,
        /// What it gave.
        what: String,
    },
    /// The agent could not act.
    #[error("the agent reported: {0}")]
    Agent(String),
    /// No call of an environment returned in time.
    #[error(
        "environment {env_rank} has not returned for {seconds:.1} s: where its constructor, a reset or a step may take that long, raise sampler.worker.step_timeout"
    )]
    Stalled {
        /// The one called last.
        env_rank: usize,
        /// How long ago.
        seconds: f64,
    },
    /// A message that makes no sense.
    #[error("{0}")]
    Protocol(String),
}

fn at(env_rank: Option<usize>) -> String {
    env_rank.map_or(String::new(), |rank| format!("environment {rank} "))
}

fn ranges(all: &[Range<usize>]) -> String {
    let one = |r: &Range<usize>| format!("{}..{}", r.start, r.end);
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Why there are no samples.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// Somebody who runs environments failed.
    #[error("{worker} (pid {pid}, env ranks {}): {cause}", ranges(env_ranks))]
    Worker {
        /// `worker 3`, `serial sampler`.
        worker: String,
        /// Its process.
        pid: i32,
        /// The environments it ran.
        env_ranks: Vec<Range<usize>>,
        /// What happened.
        cause: Cause,
    },
    /// Nobody supervises the workers any more.
    #[error(transparent)]
    ForkServer(#[from] ForkServerError),
    /// No memory.
    #[error(transparent)]
    Memory(#[from] SegmentError),
    /// More memory than is free.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The agent could not be built.
    #[error("building the agent: {0}")]
    Agent(#[from] AgentError),
    /// The environment could not say what it is.
    #[error("building an example environment: {0}")]
    Example(String),
    /// Settings that contradict each other.
    #[error("{0}")]
    Config(String),
    /// The system's reason.
    #[error("starting workers: {0}")]
    System(#[from] std::io::Error),
    /// A saved state of another sampler.
    #[error("the saved sampler state does not fit: {0}")]
    State(String),
    /// An earlier error ended this sampler.
    #[error("this sampler failed before and cannot go on")]
    Unusable,
    /// Asked for something while a batch is under way.
    #[error("a batch is under way: finish it before you {refused}")]
    UnderWay {
        /// What was asked for.
        refused: &'static str,
    },
    /// Asked to finish a batch that was not begun.
    #[error("no batch is under way: begin one before you finish it")]
    NotBegun,
    /// No slot for another batch.
    #[error(
        "no slot is free for another batch: the samples of the last {slots} are still held; drop some of them, or ask for more slots (Setup::slots)"
    )]
    NoFreeSlot {
        /// Slots of this sampler.
        slots: usize,
    },
    /// A state cannot be loaded while samples are leased.
    #[error("samples of this sampler are still held: drop them before you load a state")]
    Leased,
    /// Weights of another model.
    #[error("the algorithm has {published} weights, the agent {agent}: give both the same model")]
    Weights {
        /// Weights that were published.
        published: usize,
        /// Weights that the agent takes.
        agent: usize,
    },
    /// A worker neither took in the weights that it was ordered nor failed.
    #[error(
        "worker {worker} has not taken in version {version} of the weights for {seconds:.1} s (limit: sampler.worker.step_timeout)"
    )]
    NotTaken {
        /// Its number.
        worker: usize,
        /// Version that it was ordered.
        version: u64,
        /// How long it was waited for.
        seconds: f64,
    },
}
