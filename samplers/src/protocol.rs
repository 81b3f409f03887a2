//! What master and worker say to each other: the segment's plan and the messages over the worker's socket.
use crate::collector::CollectorSpec;
use crate::error::Cause;
use crate::evaluation::{Evaluation, Order};
use crate::state::{ActState, ColumnState, EnvState};
use agents::{AgentContext, AgentFactory};
use rlcore::DType;
use rlcore::block::{AgentSchema, Block, Layout};
use rlcore::cells::Tree;
use rlcore::control::WorkerControl;
use rlcore::gate::Gate;
use rlcore::schema::LeafSpec;
use rlcore::segment::Segment;
use rlcore::wake::Patience;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

/// Limit for a message that the other side has announced.
pub(crate) const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// How often a waiting side looks whether its peer lives.
pub(crate) const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Where things lie in the shared segment: control words | gates | weights | block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) bytes: usize,
    pub(crate) workers: usize,
    gates: usize,
    weights_at: usize,
    weights: usize,
    pub(crate) block_at: usize,
    pub(crate) layout: Layout,
}

impl Shared {
    pub(crate) fn new(workers: usize, gates: usize, weights: usize, layout: Layout) -> Self {
        let weights_at = workers * size_of::<WorkerControl>() + gates * size_of::<Gate>();
        let block_at = Block::beside_bytes(&weight_leaf(weights), 1, 1).saturating_add(weights_at);
        let bytes = layout.bytes.saturating_add(block_at);
        Self { bytes, workers, gates, weights_at, weights, block_at, layout }
    }

    pub(crate) fn weights(&self, segment: &'static Segment) -> Tree {
        Block::beside(segment, self.weights_at, &weight_leaf(self.weights), 1, 1)
    }

    pub(crate) fn control(&self, segment: &'static Segment) -> &'static [WorkerControl] {
        segment.atomics(0, self.workers)
    }

    pub(crate) fn gates(&self, segment: &'static Segment) -> &'static [Gate] {
        segment.atomics(self.workers * size_of::<WorkerControl>(), self.gates)
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
    /// One for each gate.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) acting: Acting,
    pub(crate) eval: Option<CollectorSpec>,
    pub(crate) agent: AgentFactory,
    pub(crate) context: AgentContext,
    pub(crate) schema: AgentSchema,
    pub(crate) max_decorrelation_steps: usize,
    pub(crate) between_batches: Patience,
    pub(crate) at_gates: Patience,
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
    Evaluate(Order),
    Save,
    /// By lane.
    Load(Vec<Vec<ColumnState>>),
}

/// Answers, and what a worker says by itself.
#[derive(Serialize, Deserialize)]
pub(crate) enum FromWorker {
    Ready,
    Fatal(Cause),
    Notes(Vec<(usize, String)>),
    Evaluation(Evaluation),
    /// By lane.
    State(Vec<LaneState>),
    Loaded,
}

/// What a checkpoint keeps of a lane; `acts` is empty where the master acts.
#[derive(Serialize, Deserialize)]
pub(crate) struct LaneState {
    pub(crate) envs: Vec<EnvState>,
    pub(crate) acts: Vec<ActState>,
}
