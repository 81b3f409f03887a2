//! The slots that batches are collected into, in turn: [`Slots`] in the master, which leases them, and [`LaneSlots`] in the process
//! that steps environments.
//!
//! The states of a slot: free -> under way (`begin`) -> leased (`finish`) -> free (the lease is dropped). One batch is under way
//! at a time; with more than one slot, others may be leased meanwhile.
use crate::error::SamplerError;
use rlcore::GlobalSteps;
use rlcore::block::{Block, Columns, Lease, Slot};
use std::ops::Range;

/// All columns of every slot, in the master.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// The slot that was filled last: its row T precedes the next batch.
    last: usize,
    under_way: Option<Begun>,
}

/// A batch under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) slot: usize,
    /// The slot that was filled before this one.
    pub(crate) last: usize,
    pub(crate) now: GlobalSteps,
    /// Version of the weights that choose the actions.
    pub(crate) weights: u64,
}

impl Slots {
    pub(crate) fn new(slots: Vec<Slot>) -> Self {
        Self { slots, last: 0, under_way: None }
    }

    /// A free slot for a batch that begins now, the least recently filled one.
    pub(crate) fn next(&self) -> Result<usize, SamplerError> {
        self.idle("begin another")?;
        let n = self.slots.len();
        let mut turns = (1..=n).map(|i| (self.last + i) % n);
        turns.find(|i| self.slots[*i].is_free()).ok_or(SamplerError::NoFreeSlot { slots: n })
    }

    /// Notes that a batch is under way in `slot`, which [`Slots::next`] returned.
    pub(crate) fn begin(&mut self, slot: usize, now: GlobalSteps, weights: u64) {
        self.under_way = Some(Begun { slot, last: self.last, now, weights });
    }

    /// The batch under way; an error if there is none.
    pub(crate) fn begun(&self) -> Result<Begun, SamplerError> {
        self.under_way.ok_or(SamplerError::NotBegun)
    }

    /// Writes the slot of the batch under way.
    pub(crate) fn fill<R>(
        &self,
        begun: Begun,
        f: impl FnOnce(Place<'_>) -> R,
    ) -> Result<R, SamplerError> {
        let Begun { slot, last, .. } = begun;
        let written = self.slots[slot].write(|columns| match &self.slots[last] {
            _ if last == slot => f(Place { slot, columns, last: None }),
            last => last.read(|last| f(Place { slot, columns, last: Some(last) })),
        });
        written.ok_or(SamplerError::Leased)
    }

    /// Notes that the batch under way is complete, and leases its slot.
    pub(crate) fn finish(&mut self, begun: Begun) -> Lease {
        self.under_way = None;
        self.last = begun.slot;
        self.slots[begun.slot].lease()
    }

    /// Returns an error while a batch is under way; `refused` names the call.
    pub(crate) fn idle(&self, refused: &'static str) -> Result<(), SamplerError> {
        if self.under_way.is_some() { Err(SamplerError::UnderWay { refused }) } else { Ok(()) }
    }

    /// Returns an error while a batch is under way or leased: restoring a state overwrites the slots.
    pub(crate) fn all_free(&self) -> Result<(), SamplerError> {
        self.idle("load a state")?;
        let free = self.slots.iter().all(Slot::is_free);
        if free { Ok(()) } else { Err(SamplerError::Leased) }
    }

    pub(crate) fn slot(&self, slot: usize) -> &Slot {
        &self.slots[slot]
    }

    /// The slot whose row T precedes the next batch.
    pub(crate) fn last(&self) -> &Slot {
        &self.slots[self.last]
    }
}

/// The slot of a batch, seen by the process that fills it.
pub(crate) struct Place<'a> {
    /// Number of the slot.
    pub(crate) slot: usize,
    /// Its columns.
    pub(crate) columns: &'a mut Columns,
    /// Columns of the slot that was filled before; `None` if it is the same slot.
    pub(crate) last: Option<&'a Columns>,
}

/// The columns of one lane in every slot, in the worker that steps them.
pub(crate) struct LaneSlots {
    slots: Vec<Columns>,
    /// The slot that was filled last: its row T precedes the next batch.
    last: usize,
}

impl LaneSlots {
    /// These columns of every block.
    pub(crate) fn new(blocks: &[Block], columns: &Range<usize>) -> Self {
        Self { slots: blocks.iter().map(|b| b.columns(columns.clone())).collect(), last: 0 }
    }

    pub(crate) fn all(&self) -> &[Columns] {
        &self.slots
    }

    /// Where a batch in `slot` goes.
    pub(crate) fn place(&mut self, slot: usize) -> Place<'_> {
        let (last, slots) = (self.last, &mut self.slots);
        if slot == last {
            return Place { slot, columns: &mut slots[slot], last: None };
        }
        let (before, from) = slots.split_at_mut(slot.max(last));
        let (columns, last) =
            if slot < last { (&mut before[slot], &from[0]) } else { (&mut from[0], &before[last]) };
        Place { slot, columns, last: Some(last) }
    }

    /// Notes that the batch in `slot` is complete.
    pub(crate) fn filled(&mut self, slot: usize) {
        self.last = slot;
    }

    /// The columns of a slot, for writing.
    pub(crate) fn slot_mut(&mut self, slot: usize) -> &mut Columns {
        &mut self.slots[slot]
    }

    /// The columns of the slot that was filled last.
    pub(crate) fn last(&self) -> &Columns {
        &self.slots[self.last]
    }

    /// The same, for writing.
    pub(crate) fn last_mut(&mut self) -> &mut Columns {
        &mut self.slots[self.last]
    }
}
