//! Where the workers of a batch and its master meet at every time step: all workers arrive, the master opens, all go on.
//!
//! One word to wait on for either side, whatever the number of workers: the last to arrive wakes the master once, and one
//! system call wakes all workers that sleep.
//!
//! | word      | writer            | meaning                                                                  |
//! |-----------|-------------------|--------------------------------------------------------------------------|
//! | `arrived` | arriving workers  | how many are here; the last one puts it back to zero                      |
//! | `all`     | the last to arrive | posted: what every worker wrote before arriving is visible to the master  |
//! | `open`    | master            | posted: what the master wrote is visible to every worker                  |
//!
//! `all` has another poster each time, but one at a time: a worker arrives again only after `open`, which the master posts
//! only after `all`. The increments of `arrived` acquire and release, so the last one has seen what all others wrote.
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
    /// One of `workers` has done its part.
    pub fn arrive(&self, workers: u32) {
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == workers {
            self.arrived.store(0, Ordering::Relaxed);
            self.all.post();
        }
    }
}
