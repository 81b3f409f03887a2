//! Messages between master and worker over the worker's socket. The layout of their shared segment: [`rlcore::manifest`].
use crate::collector::CollectorSpec;
use crate::error::Cause;
use crate::evaluation::{Evaluation, EvaluationOrder};
use crate::state::{ActState, ColumnState, EnvState};
use agents::{AgentContext, AgentFactory};
use rlcore::block::AgentSchema;
use rlcore::manifest::Manifest;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

/// Time limit for a message that the peer is known to send or to read.
pub(crate) const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// How often a waiting side checks that its peer lives.
pub(crate) const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Everything a worker needs to begin.
#[derive(Serialize, Deserialize)]
pub(crate) struct WorkerSetup {
    pub(crate) index: usize,
    pub(crate) manifest: Manifest,
    /// One per gate.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) acting: Acting,
    pub(crate) eval: Option<CollectorSpec>,
    pub(crate) agent: AgentFactory,
    pub(crate) context: AgentContext,
    pub(crate) schema: AgentSchema,
    pub(crate) max_decorrelation_steps: usize,
}

/// Columns of a worker that step together.
#[derive(Serialize, Deserialize)]
pub(crate) struct Lane {
    pub(crate) columns: Range<usize>,
    pub(crate) spec: CollectorSpec,
}

/// Who chooses the actions of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Acting {
    Worker,
    Master,
}

/// Orders that need more than the control words.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToWorker {
    Evaluate(EvaluationOrder),
    Save,
    /// One entry per lane.
    Load(Vec<Vec<ColumnState>>),
}

/// Answers, and messages that a worker sends unasked.
#[derive(Serialize, Deserialize)]
pub(crate) enum FromWorker {
    Ready,
    Fatal(Cause),
    Notes(Vec<(usize, String)>),
    Evaluation(Evaluation),
    /// One entry per lane.
    State(Vec<LaneState>),
    Loaded,
}

/// The state of a lane that a checkpoint keeps; `acts` is empty if the master acts.
#[derive(Serialize, Deserialize)]
pub(crate) struct LaneState {
    pub(crate) envs: Vec<EnvState>,
    pub(crate) acts: Vec<ActState>,
}
