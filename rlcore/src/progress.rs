//! A word that a worker writes before every environment call, and that its watcher reads: it tells a stalled environment
//! from a long batch, and which environment it is.
use std::sync::atomic::{AtomicU64, Ordering};

const COLUMN_BITS: u32 = 24;

/// Steps so far and the column at work. One writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Progress(AtomicU64);

impl Progress {
    /// The environment of `column` is about to be called.
    #[inline]
    pub fn tick(&self, column: usize) {
        let count = (self.0.load(Ordering::Relaxed) >> COLUMN_BITS) + 1;
        self.0.store((count << COLUMN_BITS) | column as u64, Ordering::Relaxed);
    }

    /// Changes with every tick.
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
