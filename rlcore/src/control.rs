//! The words that master and worker share on the step path, one [`WorkerControl`] a worker at the start of the segment.
//!
//! | word       | writer | meaning                                                                          |
//! |------------|--------|----------------------------------------------------------------------------------|
//! | `command`  | master | posted after `op` and its arguments are stored: do it                             |
//! | `done`     | worker | posted when a [`Op::Collect`] is finished; its columns are the master's until the next command |
//! | `progress` | worker | before every environment call                                                    |
//!
//! Everything else goes over the worker's socket (see [`crate::channel`]).
//!
//! Unsafe here: the marker that these are atomics throughout.
use crate::progress::Progress;
use crate::segment::SharedAtomics;
use crate::wake::WakeWord;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a worker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Op {
    /// End in order.
    Quit = 0,
    /// Collect one batch into its columns.
    Collect = 1,
    /// Read a message from the socket and answer it there.
    Message = 2,
}

/// See the module documentation.
#[derive(Debug, Default)]
#[repr(C)]
pub struct WorkerControl {
    /// Master to worker.
    pub command: CachePadded<WakeWord>,
    /// Worker to master.
    pub done: CachePadded<WakeWord>,
    /// Worker to whoever watches.
    pub progress: CachePadded<Progress>,
    arguments: CachePadded<Arguments>,
}

#[derive(Debug, Default)]
#[repr(C)]
struct Arguments {
    /// [`Op`], written by the master before a command.
    op: AtomicU64,
    /// Global environment steps before the batch, written by the master before a command.
    env_steps: AtomicU64,
    /// Raised by the master when it has written new weights.
    weights: AtomicU64,
}

// SAFETY: every field is an atomic or made of atomics, and all-zero is a value of each.
unsafe impl SharedAtomics for WorkerControl {}

impl WorkerControl {
    /// Hands the worker a task.
    pub fn order(&self, op: Op, env_steps: u64, weights: u64) {
        self.arguments.op.store(op as u64, Ordering::Relaxed);
        self.arguments.env_steps.store(env_steps, Ordering::Relaxed);
        self.arguments.weights.store(weights, Ordering::Relaxed);
        self.command.post();
    }

    /// The task handed over, with the global environment steps and the version of the weights.
    pub fn ordered(&self) -> (Op, u64, u64) {
        let op = match self.arguments.op.load(Ordering::Relaxed) {
            1 => Op::Collect,
            2 => Op::Message,
            _ => Op::Quit,
        };
        (op, self.arguments.env_steps.load(Ordering::Relaxed), self.arguments.weights.load(Ordering::Relaxed))
    }
}
