//! The words between a slice of columns and the program that steps it (see [`crate::foreign`] for the protocol).
//!
//! | word         | writer  | meaning                                                                                 |
//! |--------------|---------|-----------------------------------------------------------------------------------------|
//! | `ask`        | slice   | posted after the other words of the order are stored: carry it out                      |
//! | `answer`     | program | posted after everything that the order asks for is written                              |
//! | `progress`   | program | changed before every call of an environment, encoded as [`Progress`]; columns count from the slice's first |
//! | `op`         | slice   | [`DoorOp`]                                                                              |
//! | `slot`       | slice   | block slot that the step reads and writes                                               |
//! | `row`        | slice   | row `t` of the step                                                                     |
//! | `mode`       | slice   | after the end of an episode: 0 resets at once, 1 waits for the end of the batch         |
//! | `failed`     | program | 1 if the step failed; the slice then asks for the reason with a message                 |
//! | `notes`      | program | number of notes that a message can ask for                                              |
//! | `final_used` | slice   | rows of `final_observation` that one column has used in this batch                      |
//!
//! A segment has a door for each column of its block: a slice talks through the door of its first column. `final_used` alone
//! belongs to the column: the slice writes it into the door of each of its columns.
use crate::progress::Progress;
use crate::slice::{BlockRow, ResetMode};
use crate::wake::WakeWord;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU32, Ordering};

/// Orders to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DoorOp {
    /// Read a message from the socket and answer it there.
    Message = 1,
    /// Step every running column of the slice once.
    Step = 2,
}

/// See the module documentation.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Door {
    /// Slice to program.
    pub ask: CachePadded<WakeWord>,
    /// Program to slice.
    pub answer: CachePadded<WakeWord>,
    /// Program to slice.
    pub progress: CachePadded<Progress>,
    pub(crate) order: CachePadded<DoorOrder>,
    pub(crate) reply: CachePadded<DoorReply>,
}

/// Written by the slice before it posts `ask`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct DoorOrder {
    pub(crate) op: AtomicU32,
    pub(crate) slot: AtomicU32,
    pub(crate) row: AtomicU32,
    pub(crate) mode: AtomicU32,
    pub(crate) final_used: AtomicU32,
}

/// Written by the program before it posts `answer`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct DoorReply {
    pub(crate) failed: AtomicU32,
    pub(crate) notes: AtomicU32,
}

impl Door {
    /// Orders a step of row `at`, whose observations go to the row after it.
    pub fn order_step(&self, at: BlockRow, mode: ResetMode) {
        self.order.slot.store(at.slot as u32, Ordering::Relaxed);
        self.order.row.store(at.row as u32, Ordering::Relaxed);
        self.order.mode.store(u32::from(mode == ResetMode::Wait), Ordering::Relaxed);
        self.order(DoorOp::Step);
    }

    /// Orders an operation without arguments.
    pub fn order(&self, op: DoorOp) {
        self.order.op.store(op as u32, Ordering::Relaxed);
        self.ask.post();
    }

    /// Sets the number of rows of `final_observation` that this column has used in the batch; called before the order.
    pub fn set_final_used(&self, used: usize) {
        self.order.final_used.store(used as u32, Ordering::Relaxed);
    }

    /// Whether the last step failed, and the number of notes; valid after the answer.
    pub fn reply(&self) -> (bool, u32) {
        let failed = self.reply.failed.load(Ordering::Relaxed) != 0;
        (failed, self.reply.notes.load(Ordering::Relaxed))
    }
}
