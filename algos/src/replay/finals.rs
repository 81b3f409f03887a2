//! Final observations of truncated steps, apart from the ring. Few steps truncate, so final
//! observations have their own cells, which come from a free list and return to it when the ring
//! overwrites the step. The number of cells grows to the largest number ever kept at once. rlpyt has
//! no such store: its time-limit replay bootstraps from the reset observation.
use super::ReplayError;
use super::leaf::{LeafStore, StoredLeaf};
use rlcore::{CellRef, LeafSpec};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Finals {
    pub(super) leaves: Vec<LeafStore>,
    free: Vec<u32>,
    /// Number of cells, used and free.
    pub(super) cells: u32,
}

impl Finals {
    /// A store of these observation leaves, without cells.
    pub(super) fn new(observation: Vec<StoredLeaf>) -> Result<Self, ReplayError> {
        let leaves: Result<_, _> = observation.into_iter().map(|l| LeafStore::new(l, 0)).collect();
        Ok(Self { leaves: leaves?, free: Vec::new(), cells: 0 })
    }

    /// Whether the final observations of a block have these leaves, whatever their names.
    pub(super) fn fit(&self, specs: &[LeafSpec]) -> bool {
        let shape = |spec: &LeafSpec| (spec.dtype, spec.shape.clone());
        specs.iter().map(shape).eq(self.leaves.iter().map(|kept| shape(&kept.leaf.spec)))
    }

    /// Clears the store and makes `cells` cells, all of them in use.
    pub(super) fn reset(&mut self, cells: u32) {
        self.free.clear();
        self.cells = cells;
        self.leaves.iter_mut().for_each(|leaf| leaf.resize(cells as usize));
    }

    /// Returns a cell to the free list.
    pub(super) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Stores an observation and returns its cell.
    pub(super) fn keep(&mut self, observation: CellRef<'_>) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.cells += 1;
            self.leaves.iter_mut().for_each(|leaf| leaf.resize(self.cells as usize));
            self.cells - 1
        });
        for (i, leaf) in self.leaves.iter_mut().enumerate() {
            leaf.write(slot as usize, observation.bytes(i));
        }
        slot
    }

    /// Bytes of memory in use.
    pub(super) fn taken(&self) -> u64 {
        self.leaves.iter().map(LeafStore::taken).sum::<u64>() + self.free.capacity() as u64 * 4
    }
}
