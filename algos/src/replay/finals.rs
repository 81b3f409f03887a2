//! True last observations of truncated steps, beside the ring: few steps truncate, so they have
//! cells of their own, taken from a free list and given back when the ring overwrites the step. The
//! store grows to the largest number ever kept at once. rlpyt has no such store; its time-limit
//! replay bootstraps from the reset observation.
use super::column::Column;
use rlcore::{CellRef, LeafSpec};

#[derive(Debug)]
pub(crate) struct Finals {
    columns: Vec<Column>,
    free: Vec<u32>,
    /// Cells ever made.
    pub(crate) cells: u32,
}

impl Finals {
    pub(crate) fn new(observation: &[LeafSpec]) -> Self {
        Self { columns: Column::all(observation, 0), free: Vec::new(), cells: 0 }
    }

    /// A cell to write; its index.
    pub(crate) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.columns.iter_mut().for_each(Column::grow);
            self.cells += 1;
            self.cells - 1
        })
    }

    /// Gives a cell back.
    pub(crate) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Keeps an observation; its cell.
    pub(crate) fn keep(&mut self, observation: CellRef<'_>) -> u32 {
        let slot = self.take();
        for leaf in 0..self.columns.len() {
            self.write(leaf, slot, observation.bytes(leaf));
        }
        slot
    }

    pub(crate) fn write(&mut self, leaf: usize, slot: u32, bytes: &[u8]) {
        self.columns[leaf].write(slot as usize, bytes);
    }

    #[inline]
    pub(crate) fn cell(&self, leaf: usize, slot: u32) -> &[u8] {
        self.columns[leaf].cell(slot as usize)
    }
}
