//! The sample block: shared memory that holds everything that a batch records, and views of it.
//!
//! Samples are written once: environments and agents write their cells directly, and algorithms see the same memory as tensors.
//!
//! **Invariant:** a column has one writer: a mapping's bytes belong to one block, [`Block::columns`] and [`Block::slot`] hand
//! each column out once, and a process only claims the columns it was assigned. Between two hand-overs only that writer
//! accesses them; afterwards only leases do.
mod layout;
mod lease;

pub(crate) use self::layout::ALIGN;
pub use self::layout::{AgentSchema, BlockOptions, Layout, Part, PartLayout};
pub use self::lease::{Lease, Slot};
use crate::batch_spec::LocalSteps;
use crate::cells::Tree;
use crate::schema::LeafSpec;
use crate::segment::{Pages, Segment, SegmentError};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A block in shared memory.
#[derive(Debug)]
pub struct Block {
    layout: Layout,
    segment: &'static Segment,
    offset: usize,
    claimed: Mutex<Vec<bool>>,
}

impl Block {
    /// A block over `layout.bytes` of `segment` from `offset` on. Panics if these bytes are already in use in this mapping.
    pub fn new(layout: Layout, segment: &'static Segment, offset: usize) -> Self {
        assert!(offset.is_multiple_of(ALIGN) && offset + layout.bytes <= segment.len());
        segment.claim(offset, layout.bytes);
        let claimed = Mutex::new(vec![false; layout.spec.b]);
        Self { layout, segment, offset, claimed }
    }

    /// A block in a segment of its own.
    pub fn create(layout: Layout) -> Result<Self, SegmentError> {
        let segment = Segment::create("sample block", layout.bytes)?;
        Ok(Self::new(layout, segment, 0))
    }

    /// Its layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn tree(&self, part: Part, columns: Range<usize>) -> Tree {
        let p = self.layout.part(part);
        let b = self.layout.spec.b;
        assert!(p.offsets.iter().all(|o| o.is_multiple_of(ALIGN)), "a layout of another origin");
        let places = p.leaves.iter().zip(&p.offsets).map(|(leaf, offset)| {
            let first = self.offset + offset + columns.start * leaf.cell_bytes();
            let rest =
                (p.rows * b * leaf.cell_bytes()).saturating_sub(columns.start * leaf.cell_bytes());
            self.segment.at(first, rest)
        });
        let places: Vec<_> = places.collect();
        // SAFETY: `at` bounds every leaf; offsets are aligned; segments are never unmapped; one writer per column is the
        // invariant in the module header.
        unsafe { Tree::at(&p.leaves, &places, p.rows, columns.len(), b) }
    }

    fn views(&self, columns: &Range<usize>) -> Columns {
        Columns::of(|part| self.tree(part, columns.clone()))
    }

    /// The right to write `columns`. Panics if one of them was handed out before.
    pub fn columns(&self, columns: Range<usize>) -> Columns {
        let mut claimed = self.claimed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for c in columns.clone() {
            assert!(!std::mem::replace(&mut claimed[c], true), "column {c} has a writer already");
        }
        self.views(&columns)
    }

    /// All columns as a slot, which is written as a whole or by these groups of columns, and leased as a whole. Panics if a column
    /// was handed out before. `pages` are released when the slot and its leases are dropped.
    pub fn slot(&self, groups: &[Range<usize>], pages: Arc<Pages>) -> Slot {
        let whole = self.columns(0..self.layout.spec.b);
        let groups = groups.iter().map(|columns| self.views(columns)).collect();
        Slot::grouped(whole, groups, Some(pages))
    }

    /// A tree outside the blocks of a segment, for shared data other than samples (weights). Panics if its bytes are already in
    /// use in this mapping.
    pub fn beside(
        segment: &'static Segment,
        offset: usize,
        specs: &[LeafSpec],
        rows: usize,
        columns: usize,
    ) -> Tree {
        assert!(offset.is_multiple_of(ALIGN));
        let mut at = offset;
        let mut places = Vec::new();
        for leaf in specs {
            let bytes = rows * columns * leaf.cell_bytes();
            segment.claim(at, bytes);
            places.push(segment.at(at, bytes));
            at += bytes.next_multiple_of(ALIGN);
        }
        // SAFETY: `at` bounds every leaf; offsets are aligned; segments are never unmapped; `claim` refuses a second view.
        unsafe { Tree::at(specs, &places, rows, columns, columns) }
    }

    /// Number of bytes that [`Block::beside`] needs; `usize::MAX` on overflow.
    pub fn beside_bytes(specs: &[LeafSpec], rows: usize, columns: usize) -> usize {
        let bytes = specs.iter().map(|l| l.array_bytes(rows, columns, ALIGN));
        bytes.fold(0, usize::saturating_add)
    }

    /// A guard that releases the segment's memory when its last clone is dropped.
    pub fn pages(&self) -> Arc<Pages> {
        self.segment.pages()
    }

    /// Releases the memory; views read zeros afterwards.
    pub fn release(&self) {
        self.segment.release_pages();
    }
}

/// All parts over a range of columns.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are the parts, documented there")]
pub struct Columns {
    pub observation: Tree,
    pub action: Tree,
    pub prev_action: Tree,
    pub reward: Tree,
    pub prev_reward: Tree,
    pub flags: Tree,
    pub final_observation: Tree,
    pub env_info: Tree,
    pub agent_info: Tree,
    pub agent_state: Tree,
    pub bootstrap_value: Tree,
    pub trajectory: Tree,
}

/// Leaves of [`Part::Flags`].
pub mod flag {
    /// The episode ended and the value of the next state is zero.
    pub const TERMINATED: usize = 0;
    /// The episode was cut off; its last state has a value.
    pub const TRUNCATED: usize = 1;
    /// The environment was reset after this step, or waits for its reset.
    pub const RESET: usize = 2;
    /// The step was taken.
    pub const VALID: usize = 3;
}

impl Columns {
    /// Zeroed columns in memory of their own, for programs and tests without a sampler.
    pub fn owned(layout: &Layout) -> Self {
        let part = |part| layout.part(part);
        Self::of(|p| Tree::owned(&part(p).leaves, part(p).rows, layout.spec.b))
    }

    fn of(tree: impl Fn(Part) -> Tree) -> Self {
        Self {
            observation: tree(Part::Observation),
            action: tree(Part::Action),
            prev_action: tree(Part::PrevAction),
            reward: tree(Part::Reward),
            prev_reward: tree(Part::PrevReward),
            flags: tree(Part::Flags),
            final_observation: tree(Part::FinalObservation),
            env_info: tree(Part::EnvInfo),
            agent_info: tree(Part::AgentInfo),
            agent_state: tree(Part::AgentState),
            bootstrap_value: tree(Part::BootstrapValue),
            trajectory: tree(Part::Trajectory),
        }
    }

    /// Every part, in layout order.
    pub fn parts(&self) -> [(Part, &Tree); 12] {
        [
            (Part::Observation, &self.observation),
            (Part::Action, &self.action),
            (Part::PrevAction, &self.prev_action),
            (Part::Reward, &self.reward),
            (Part::PrevReward, &self.prev_reward),
            (Part::Flags, &self.flags),
            (Part::FinalObservation, &self.final_observation),
            (Part::EnvInfo, &self.env_info),
            (Part::AgentInfo, &self.agent_info),
            (Part::AgentState, &self.agent_state),
            (Part::BootstrapValue, &self.bootstrap_value),
            (Part::Trajectory, &self.trajectory),
        ]
    }

    /// Terminated or truncated.
    pub fn done(&self, t: usize, b: usize) -> bool {
        let cell = self.flags.cell(t, b);
        cell.u8(flag::TERMINATED)[0] != 0 || cell.u8(flag::TRUNCATED)[0] != 0
    }

    /// Environment steps that happened: steps of a waiting column do not count.
    pub fn valid_steps(&self) -> LocalSteps {
        let row =
            |t| self.flags.row(t).get::<u8>(flag::VALID).iter().map(|v| u64::from(*v)).sum::<u64>();
        LocalSteps((0..self.flags.rows()).map(row).sum())
    }

    /// Fills actions, rewards and infos with a pattern that makes a later use visible (NaN in floats); debug builds call this when a
    /// lease ends. Row T of the observations belongs to the next batch.
    pub fn poison(&mut self) {
        for tree in [&mut self.action, &mut self.reward, &mut self.agent_info, &mut self.env_info] {
            for row in 0..tree.rows() {
                let mut row = tree.row_mut(row);
                for leaf in 0..row.leaves() {
                    row.poison(leaf);
                }
            }
        }
    }
}

/// Spaces and an agent for tests.
#[cfg(test)]
mod testing {
    use super::AgentSchema;
    use crate::env::EnvSpaces;
    use crate::schema::{DType, LeafSpec};
    use crate::space::Space;

    pub(super) fn spaces(truncates: Option<usize>) -> EnvSpaces {
        let observation = Space::Dict(vec![
            ("image".into(), Space::uniform_box(DType::U8, &[3, 2], 0.0, 255.0)),
            ("speed".into(), Space::uniform_box(DType::F32, &[], -1.0, 1.0)),
        ]);
        EnvSpaces {
            truncates_every: truncates,
            ..EnvSpaces::new(observation, Space::Discrete { n: 2 })
        }
    }

    pub(super) fn agent() -> AgentSchema {
        AgentSchema {
            info: vec![LeafSpec::array("q", DType::F32, &[2])],
            state: vec![LeafSpec::array("h", DType::F32, &[3])],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{agent, spaces};
    use super::*;
    use crate::batch_spec::BatchSpec;

    #[test]
    fn columns_are_slices_of_the_whole() {
        let spec = BatchSpec { t: 3, b: 5 };
        let block =
            Block::create(Layout::new(spec, &spaces(None), &agent(), BlockOptions::default()))
                .unwrap();
        let slot = block.slot(&[0..2, 2..5], block.segment.pages());
        slot.write_groups(|groups| {
            let [left, right] = groups else { panic!("two groups") };
            left.observation.cell_mut(3, 1).u8(0)[5] = 7;
            right.observation.cell_mut(3, 0).u8(0)[0] = 8;
            right.reward.row_mut(2).get::<f32>(0).fill(0.5);
            left.flags.row_mut(0).get::<u8>(flag::VALID).fill(1);
            right.flags.row_mut(2).get::<u8>(flag::VALID)[1] = 1;
        });
        let all = slot.lease();
        assert_eq!(all.observation.cell(3, 1).u8(0)[5], 7);
        assert_eq!(all.observation.cell(3, 2).u8(0)[0], 8);
        assert_eq!(all.reward.row(2).get::<f32>(0), [0.0, 0.0, 0.5, 0.5, 0.5]);
        assert_eq!(all.final_observation.rows(), 0);
        assert_eq!(all.valid_steps(), LocalSteps(3));
        assert_eq!((all.agent_info.leaf("q"), all.agent_info.leaf("value")), (Some(0), None));
    }

    #[test]
    #[cfg(feature = "tch")]
    fn tensors_are_the_same_memory() {
        let spec = BatchSpec { t: 2, b: 3 };
        let block =
            Block::create(Layout::new(spec, &spaces(None), &agent(), BlockOptions::default()))
                .unwrap();
        let slot = block.slot(&[0..1, 1..3], block.segment.pages());
        slot.write_groups(|g| g[1].agent_info.cell_mut(1, 1).f32(0).copy_from_slice(&[1.0, 2.0]));
        let lease = slot.lease();
        let whole = &lease.agent_info.tensors()[0];
        assert_eq!(whole.size(), [2, 3, 2]);
        assert_eq!(whole.double_value(&[1, 2, 1]), 2.0);
        drop(lease);
        let row = slot.write_groups(|g| g[1].agent_info.row_tensors().remove(1).remove(0)).unwrap();
        assert_eq!(row.size(), [2, 2]);
        slot.write_groups(|g| g[1].agent_info.cell_mut(1, 1).f32(0)[0] = 3.0);
        assert_eq!(row.double_value(&[1, 0]), 3.0);
    }

    #[test]
    fn a_second_writer_is_refused() {
        let spec = BatchSpec { t: 1, b: 2 };
        let block =
            Block::create(Layout::new(spec, &spaces(None), &agent(), BlockOptions::default()))
                .unwrap();
        let _first = block.columns(0..1);
        let second = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block.columns(0..2)));
        assert!(second.is_err());
        let slot = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            block.slot(&[], block.segment.pages())
        }));
        assert!(slot.is_err());
    }

    #[test]
    fn a_second_block_over_the_same_bytes_is_refused() {
        let layout =
            Layout::new(BatchSpec { t: 1, b: 2 }, &spaces(None), &agent(), BlockOptions::default());
        let segment = Segment::create("test", 2 * layout.bytes).unwrap();
        let _first = Block::new(layout.clone(), segment, 0);
        let _beside = Block::new(layout.clone(), segment, layout.bytes);
        let weights = [LeafSpec::scalar("weights", crate::DType::F32)];
        assert!(std::panic::catch_unwind(|| Block::new(layout.clone(), segment, ALIGN)).is_err());
        assert!(std::panic::catch_unwind(|| Block::beside(segment, 0, &weights, 1, 1)).is_err());
    }
}
