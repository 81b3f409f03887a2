//! The gate at which workers and master meet at every time step: all workers arrive, the master opens the gate, all workers go on.
//!
//! Each side waits on one word, whatever the number of workers: the last worker to arrive wakes the master once, and one system call
//! wakes all sleeping workers.
//!
//! | word      | writer            | meaning                                                                  |
//! |-----------|-------------------|--------------------------------------------------------------------------|
//! | `arrived` | arriving workers  | number of workers that have arrived; the last one resets it to zero         |
//! | `all`     | the last to arrive | posted: what every worker wrote before arriving is visible to the master  |
//! | `open`    | master            | posted: what the master wrote is visible to every worker                  |
//!
//! The poster of `all` changes, but there is only one at a time: a worker arrives again only after `open`, which the master posts
//! only after `all`. The increments of `arrived` acquire and release, so the last worker has seen what all others wrote.
use crate::wake::WakeWord;
use crossbeam_utils::CachePadded;
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// See the module documentation.
#[derive(Debug, Default)]
#[cfg_attr(not(loom), repr(C))]
pub struct Gate {
    arrived: CachePadded<AtomicU32>,
    /// Workers to master.
    pub all: CachePadded<WakeWord>,
    /// Master to workers.
    pub open: CachePadded<WakeWord>,
}

impl Gate {
    /// Called by a worker that has done its part of the step; `workers` workers meet at this gate.
    pub fn arrive(&self, workers: u32) {
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == workers {
            self.arrived.store(0, Ordering::Relaxed);
            self.all.post();
        }
    }
}
