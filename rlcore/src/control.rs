//! The control words that master and worker share in addition to the gates: one [`WorkerControl`] per worker, at the start of the
//! segment.
//!
//! | word         | writer | meaning                                                                        |
//! |--------------|--------|--------------------------------------------------------------------------------|
//! | `command`    | master | posted after `op` and its arguments are stored: carry out the order             |
//! | `arrivals`   | worker | number of arrivals at gates; afterwards the columns belong to the master until the gate opens or the next command |
//! | `progress`   | worker | changed before every call of an environment                                    |
//! | `taken`      | worker | version of the weights that the worker has loaded: it reads no older version        |
//! | `first_rank` | worker | env rank of the first column of the slice that it steps now; the column in `progress` counts from there |
//! | `evaluating` | worker | 1 while it constructs the environments of the evaluation at its start                  |
//!
//! A [`Op::Collect`] arrives once, at the end of the batch. A [`Op::Serve`] arrives at the gate of each of its lanes with
//! the first observations and after each of the T steps, and waits for the gate to open before each step; [`Op::Quit`] is
//! checked for there too. Everything else goes over the worker's socket (see [`crate::channel`]).
//!
//! Unsafe here: the marker that these are atomics throughout.
use crate::batch_spec::GlobalSteps;
use crate::door::Door;
use crate::gate::Gate;
use crate::progress::Progress;
use crate::segment::SharedAtomics;
use crate::wake::WakeWord;
use crate::words::Word;
use crossbeam_utils::CachePadded;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Orders to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Op {
    /// Close the environments and end.
    Quit = 0,
    /// Collect one batch into its columns, choosing the actions.
    Collect = 1,
    /// Read a message from the socket and answer it there.
    Message = 2,
    /// Step one batch with the master's actions.
    Serve = 3,
}

/// An order with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The order.
    pub op: Op,
    /// Environment steps before the batch, for schedules.
    pub now: GlobalSteps,
    /// Version of the weights to act with; they lie in buffer `version % 2`.
    pub weights: u64,
    /// The slot to fill.
    pub slot: usize,
}

/// See the module documentation.
#[derive(Debug, Default)]
#[repr(C)]
pub struct WorkerControl {
    /// Master to worker.
    pub command: CachePadded<WakeWord>,
    /// Worker to its watcher.
    pub progress: CachePadded<Progress>,
    arrivals: CachePadded<Arrivals>,
    arguments: CachePadded<Arguments>,
}

#[derive(Debug, Default)]
#[repr(C)]
struct Arrivals {
    /// Number of arrivals, wrapping.
    count: AtomicU32,
    first_rank: AtomicU64,
    /// 0 or 1.
    evaluating: AtomicU32,
    /// Version of weights.
    taken: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(C)]
struct Arguments {
    /// [`Op`], written by the master before a command.
    op: AtomicU64,
    /// Global environment steps before the batch, written by the master before a command.
    env_steps: AtomicU64,
    /// Version of the weights to act with, written by the master before a command.
    weights: AtomicU64,
    /// Number of the slot to fill, written by the master before a command.
    slot: AtomicU64,
}

// SAFETY: every field is an atomic or made of atomics, and all-zero is a value of each.
unsafe impl SharedAtomics for WorkerControl {}

// SAFETY: as above.
unsafe impl SharedAtomics for Gate {}

// SAFETY: as above.
unsafe impl SharedAtomics for Door {}

// SAFETY: as above.
unsafe impl SharedAtomics for CachePadded<AtomicU64> {}

impl WorkerControl {
    /// All words with their names in the manifest.
    pub(crate) fn words() -> Vec<Word> {
        let arrivals = offset_of!(Self, arrivals);
        let arguments = offset_of!(Self, arguments);
        let mut words = Word::wake("command", offset_of!(Self, command), "master").to_vec();
        words.push(Word::new("progress", offset_of!(Self, progress), 8, "worker"));
        words.push(Word::new("arrivals", arrivals + offset_of!(Arrivals, count), 4, "worker"));
        let first_rank = arrivals + offset_of!(Arrivals, first_rank);
        words.push(Word::new("first_rank", first_rank, 8, "worker"));
        let evaluating = arrivals + offset_of!(Arrivals, evaluating);
        words.push(Word::new("evaluating", evaluating, 4, "worker"));
        words.push(Word::new("taken", arrivals + offset_of!(Arrivals, taken), 8, "worker"));
        words.push(Word::new("op", arguments + offset_of!(Arguments, op), 8, "master"));
        let env_steps = arguments + offset_of!(Arguments, env_steps);
        words.push(Word::new("env_steps", env_steps, 8, "master"));
        words.push(Word::new("weights", arguments + offset_of!(Arguments, weights), 8, "master"));
        words.push(Word::new("slot", arguments + offset_of!(Arguments, slot), 8, "master"));
        words
    }

    /// Orders a task.
    pub fn order(&self, task: Task) {
        let a = &self.arguments;
        a.op.store(task.op as u64, Ordering::Relaxed);
        a.env_steps.store(task.now.0, Ordering::Relaxed);
        a.weights.store(task.weights, Ordering::Relaxed);
        a.slot.store(task.slot as u64, Ordering::Relaxed);
        self.command.post();
    }

    /// Orders the worker to end; replaces an earlier order.
    pub fn quit(&self) {
        self.arguments.op.store(Op::Quit as u64, Ordering::Relaxed);
        self.command.post();
    }

    /// The task that was ordered last.
    pub fn ordered(&self) -> Task {
        let op = match self.arguments.op.load(Ordering::Relaxed) {
            1 => Op::Collect,
            2 => Op::Message,
            3 => Op::Serve,
            _ => Op::Quit,
        };
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let (now, weights) =
            (GlobalSteps(load(&self.arguments.env_steps)), load(&self.arguments.weights));
        Task { op, now, weights, slot: load(&self.arguments.slot) as usize }
    }

    /// Confirms that the worker has loaded `version` and will read no older weights.
    pub fn take(&self, version: u64) {
        self.arrivals.taken.store(version, Ordering::Release);
    }

    /// The version that the worker has confirmed with [`WorkerControl::take`].
    pub fn taken(&self) -> u64 {
        self.arrivals.taken.load(Ordering::Acquire)
    }

    /// Called when the worker's part of a step is done: arrives at `gate`, where `workers` workers meet.
    pub fn arrive(&self, gate: &Gate, workers: u32) {
        let count = self.arrivals.count.load(Ordering::Relaxed).wrapping_add(1);
        self.arrivals.count.store(count, Ordering::Release);
        gate.arrive(workers);
    }

    /// Number of arrivals of the worker at gates, wrapping.
    pub fn arrivals(&self) -> u32 {
        self.arrivals.count.load(Ordering::Acquire)
    }

    /// Sets the env rank of the first column of the slice that is about to be called.
    pub fn set_first_rank(&self, rank: usize) {
        self.arrivals.first_rank.store(rank as u64, Ordering::Relaxed);
    }

    /// Env rank of the first column of the slice that the worker steps.
    pub fn first_rank(&self) -> usize {
        self.arrivals.first_rank.load(Ordering::Relaxed) as usize
    }

    /// Sets whether the environments that are about to be constructed are those of the evaluation.
    pub fn set_evaluating(&self, evaluating: bool) {
        self.arrivals.evaluating.store(u32::from(evaluating), Ordering::Relaxed);
    }

    /// Whether the worker is constructing environments of the evaluation. (The master knows when it has ordered an evaluation.)
    pub fn evaluating(&self) -> bool {
        self.arrivals.evaluating.load(Ordering::Relaxed) != 0
    }
}
