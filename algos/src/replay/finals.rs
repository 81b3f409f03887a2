//! True last observations of truncated steps, beside the ring: few steps truncate, so they have
//! cells of their own, taken from a free list and given back when the ring overwrites the step. The
//! store grows to the largest number ever kept at once. rlpyt has no such store; its time-limit
//! replay bootstraps from the reset observation.
use super::ReplayError;
use super::leaf::{LeafStore, StoredLeaf};
use rlcore::{CellRef, LeafSpec};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Finals {
    pub(super) leaves: Vec<LeafStore>,
    free: Vec<u32>,
    /// Cells ever made.
    pub(super) cells: u32,
}

impl Finals {
    /// None yet of these observation leaves.
    pub(super) fn new(observation: Vec<StoredLeaf>) -> Result<Self, ReplayError> {
        let leaves: Result<_, _> = observation.into_iter().map(|l| LeafStore::new(l, 0)).collect();
        Ok(Self { leaves: leaves?, free: Vec::new(), cells: 0 })
    }

    /// Whether a block's final observations have these leaves, their names aside.
    pub(super) fn fit(&self, specs: &[LeafSpec]) -> bool {
        let shape = |spec: &LeafSpec| (spec.dtype, spec.shape.clone());
        specs.iter().map(shape).eq(self.leaves.iter().map(|kept| shape(&kept.leaf.spec)))
    }

    /// Forgets what is kept and makes `cells` cells, all of them in use.
    pub(super) fn reset(&mut self, cells: u32) {
        self.free.clear();
        self.cells = cells;
        self.leaves.iter_mut().for_each(|leaf| leaf.resize(cells as usize));
    }

    /// Gives a cell back.
    pub(super) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Keeps an observation; its cell.
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

    /// Bytes that are taken.
    pub(super) fn taken(&self) -> u64 {
        self.leaves.iter().map(LeafStore::taken).sum::<u64>() + self.free.capacity() as u64 * 4
    }
}
