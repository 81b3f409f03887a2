//! The progress word, which a worker changes before every call of an environment. Its watcher distinguishes a stalled environment from a
//! long batch by it, and knows which environment has stalled.
use std::sync::atomic::{AtomicU64, Ordering};

const COLUMN_BITS: u32 = 24;

/// Number of calls so far and the column of the last one. Single writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Called before each call of the environment in `column`.
    #[inline]
    pub fn tick(&self, column: usize) {
        let count = (self.0.load(Ordering::Relaxed) >> COLUMN_BITS) + 1;
        self.0.store((count << COLUMN_BITS) | column as u64, Ordering::Relaxed);
    }

    /// A value that changes with every tick.
    pub fn stamp(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The column of the last tick.
    pub fn column(&self) -> usize {
        (self.stamp() & ((1 << COLUMN_BITS) - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_is_seen() {
        let p = Progress::default();
        p.tick(5);
        let one = p.stamp();
        p.tick(5);
        assert_ne!(one, p.stamp());
        assert_eq!(p.column(), 5);
    }
}
