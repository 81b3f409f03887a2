//! Errors of sampling, each with the name of the worker, environment or agent that failed.
use agents::AgentError;
use rlcore::forkserver::{Exit, ForkServerError};
use rlcore::memory::TooLarge;
pub(crate) use rlcore::panics::text as panic_text;
use rlcore::segment::SegmentError;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Why a worker (or the serial sampler) failed. Serialisable: a worker reports its own failure.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum Cause {
    /// The process ended.
    #[error("the process {0}")]
    Ended(Exit),
    /// An environment or the agent panicked.
    #[error("{}panicked: {text}", at(*env_rank))]
    Panic {
        /// Environment called last.
        env_rank: Option<usize>,
        /// Message of the panic.
        text: String,
    },
    /// The environment reported an error.
    #[error("environment {env_rank} reported: {text}")]
    Env {
        /// Its env rank.
        env_rank: usize,
        /// Message of the environment.
        text: String,
    },
    /// The environment returned an unusable value: a NaN, or an action mask that allows no action.
    #[error("environment {env_rank} gave {what}")]
    Gave {
        /// Its env rank.
        env_rank: usize,
        /// Description of the value.
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
        /// Env rank of the environment that was called last.
        env_rank: usize,
        /// Seconds since that call.
        seconds: f64,
    },
    /// A malformed or unexpected message.
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

/// An error of a sampler.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// A worker, the serial sampler or the action server failed.
    #[error("{worker} (pid {pid}, env ranks {}): {cause}", ranges(env_ranks))]
    Worker {
        /// `worker 3`, `serial sampler`.
        worker: String,
        /// Its process id.
        pid: i32,
        /// Env ranks of the environments that it ran.
        env_ranks: Vec<Range<usize>>,
        /// Why it failed.
        cause: Cause,
    },
    /// The fork server cannot start or supervise workers.
    #[error(transparent)]
    ForkServer(#[from] ForkServerError),
    /// Memory could not be allocated.
    #[error(transparent)]
    Memory(#[from] SegmentError),
    /// More memory than is free.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The agent could not be built.
    #[error("building the agent: {0}")]
    Agent(#[from] AgentError),
    /// The example environment could not be built.
    #[error("building an example environment: {0}")]
    Example(String),
    /// Settings that contradict each other.
    #[error("{0}")]
    Config(String),
    /// The system refused to start a worker.
    #[error("starting workers: {0}")]
    System(#[from] std::io::Error),
    /// The saved state belongs to another sampler.
    #[error("the saved sampler state does not fit: {0}")]
    State(String),
    /// An earlier error ended this sampler.
    #[error("this sampler failed before and cannot go on")]
    Unusable,
    /// The call is not allowed while a batch is under way.
    #[error("a batch is under way: finish it before you {refused}")]
    UnderWay {
        /// The refused call.
        refused: &'static str,
    },
    /// `finish` was called without `begin`.
    #[error("no batch is under way: begin one before you finish it")]
    NotBegun,
    /// All slots are leased.
    #[error(
        "no slot is free for another batch: the samples of the last {slots} are still held; drop some of them, or ask for more slots (Setup::slots)"
    )]
    NoFreeSlot {
        /// Number of slots of this sampler.
        slots: usize,
    },
    /// A state cannot be loaded while samples are leased.
    #[error("samples of this sampler are still held: drop them before you load a state")]
    Leased,
    /// The published weights belong to another model.
    #[error("the algorithm has {published} weights, the agent {agent}: give both the same model")]
    Weights {
        /// Number of weights that were published.
        published: usize,
        /// Number of weights of the agent's model.
        agent: usize,
    },
    /// A worker has not loaded the weights that it was ordered to act with.
    #[error(
        "worker {worker} has not loaded version {version} of the weights for {seconds:.1} s (limit: sampler.worker.step_timeout)"
    )]
    NotTaken {
        /// Index of the worker.
        worker: usize,
        /// Version that it was ordered to load.
        version: u64,
        /// Seconds that the publisher has waited.
        seconds: f64,
    },
}
