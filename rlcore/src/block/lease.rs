//! A slot of a sampler: the sampler fills it, the holder of its lease reads it, then the sampler fills it again.
//!
//! A slot is free while no lease of it is held, and only a free slot can be written. The sampler may also read a leased slot: its row T
//! becomes row 0 of the next batch.
use super::Columns;
use crate::segment::Pages;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The columns of one slot. The reference count of the inner `Arc` is 1 if the slot is free, more if it is leased.
type Home = Arc<Mutex<Arc<Views>>>;

/// Two views of the same columns. A mutable borrow of this struct covers both.
#[derive(Debug)]
struct Views {
    whole: Columns,
    groups: Vec<Columns>,
    /// Dropped after the views.
    _pages: Option<Arc<Pages>>,
}

fn lock(home: &Home) -> MutexGuard<'_, Arc<Views>> {
    // A panic while the slot was written leaves samples that are never leased.
    home.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module documentation.
#[derive(Debug)]
pub struct Slot(Home);

impl Slot {
    /// A free slot of all columns in one group.
    pub fn new(whole: Columns) -> Self {
        Self::grouped(whole, vec![], None)
    }

    pub(super) fn grouped(whole: Columns, groups: Vec<Columns>, pages: Option<Arc<Pages>>) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(Views { whole, groups, _pages: pages }))))
    }

    /// Whether no lease is held.
    pub fn is_free(&self) -> bool {
        Arc::strong_count(&*lock(&self.0)) == 1
    }

    /// Leases the columns for reading.
    pub fn lease(&self) -> Lease {
        Lease { views: Some(Arc::clone(&*lock(&self.0))), home: Arc::clone(&self.0) }
    }

    /// Reads the columns, leased or not. A lease that is dropped meanwhile waits for the reader.
    pub fn read<R>(&self, f: impl FnOnce(&Columns) -> R) -> R {
        f(&lock(&self.0).whole)
    }

    /// Writes the columns; `None` while a lease is held.
    pub fn write<R>(&self, f: impl FnOnce(&mut Columns) -> R) -> Option<R> {
        Arc::get_mut(&mut *lock(&self.0)).map(|views| f(&mut views.whole))
    }

    /// Writes the groups of columns that [`super::Block::slot`] was given; `None` while a lease is held.
    pub fn write_groups<R>(&self, f: impl FnOnce(&mut [Columns]) -> R) -> Option<R> {
        Arc::get_mut(&mut *lock(&self.0)).map(|views| f(&mut views.groups))
    }
}

/// The samples of one batch, for reading. Dropping the lease returns the slot to the sampler; debug builds poison the samples first
/// (see [`Columns::poison`]).
#[derive(Debug)]
pub struct Lease {
    /// `None` only while the lease is dropped.
    views: Option<Arc<Views>>,
    home: Home,
}

impl Lease {
    /// A lease of columns that do not belong to a sampler.
    pub fn unslotted(columns: Columns) -> Self {
        Slot::new(columns).lease()
    }
}

impl std::ops::Deref for Lease {
    type Target = Columns;

    fn deref(&self) -> &Columns {
        &self.views.as_ref().expect("only drop takes the views").whole
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Under the lock: the sampler must not begin to write before the samples are poisoned.
        let mut home = lock(&self.home);
        self.views = None;
        if cfg!(debug_assertions)
            && let Some(views) = Arc::get_mut(&mut home)
        {
            views.whole.poison();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, spaces};
    use super::super::{Block, BlockOptions, Layout};
    use super::*;
    use crate::batch_spec::BatchSpec;

    fn slot() -> Slot {
        let layout =
            Layout::new(BatchSpec { t: 2, b: 3 }, &spaces(None), &agent(), BlockOptions::default());
        let block = Block::create(layout).unwrap();
        block.slot(&[], block.segment.pages())
    }

    #[test]
    fn a_leased_slot_is_read_and_not_written() {
        let slot = slot();
        slot.write(|c| c.reward.row_mut(1).get::<f32>(0).fill(4.0)).unwrap();
        let (one, two) = (slot.lease(), slot.lease());
        assert!(!slot.is_free() && slot.write(|_| ()).is_none());
        assert_eq!(slot.read(|c| c.reward.row(1).get::<f32>(0)[2]), 4.0);
        drop(one);
        assert!(!slot.is_free());
        assert_eq!(two.reward.row(1).get::<f32>(0), [4.0; 3]);
        drop(two);
        assert!(slot.is_free());
        let left = slot.read(|c| c.reward.row(1).get::<f32>(0)[0]);
        assert_eq!(left.is_nan(), cfg!(debug_assertions), "poisoned when given back");
        slot.write(|_| ()).unwrap();
    }

    #[test]
    fn a_lease_can_be_dropped_on_another_thread_and_outlive_its_slot() {
        let slot = slot();
        let lease = slot.lease();
        std::thread::spawn(move || drop(lease)).join().unwrap();
        assert!(slot.is_free());
        slot.write(|c| c.reward.row_mut(0).get::<f32>(0).fill(2.0)).unwrap();
        let lease = slot.lease();
        drop(slot);
        assert_eq!(lease.reward.row(0).get::<f32>(0), [2.0; 3]);
    }
}
