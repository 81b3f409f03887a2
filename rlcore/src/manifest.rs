//! The layout of a sampler's shared segment, in a form that programs in other languages can read.
//!
//! One segment holds, in this order: one [`WorkerControl`] per worker | one [`Gate`] per group of columns | one [`Door`]
//! per column that a foreign program may step | the weights | the block's slots. [`Manifest::to_json`] names every word
//! with its offset, its width in bytes and its writer, and every leaf of the block with dtype, shape, lead and offset:
//!
//! ```text
//! word `w` of structure `i` of a kind:  kind.at + i * kind.stride + kind.words[w].offset
//! cell (row, column) of a leaf:         block.slots[slot] + part.offsets[leaf] + (row * B + column) * bytes of a cell
//! ```
//!
//! Words are little-endian unsigned integers. A wake word is a pair `x.seq`, `x.sleepers`; [`crate::foreign`] describes how to post
//! and how to wait.
//!
//! Sizes and offsets of the words are asserted below: raise [`VERSION`] when they change.
use crate::block::{Block, Layout};
use crate::cells::Tree;
use crate::control::WorkerControl;
use crate::door::{Door, DoorOrder, DoorReply};
use crate::gate::Gate;
use crate::schema::{DType, LeafSpec};
use crate::segment::{Segment, SegmentError, SharedAtomics};
use crate::wake::WakeWord;
use crate::words::Word;
use crossbeam_utils::CachePadded;
use serde::{Deserialize, Serialize};
use std::mem::offset_of;
use std::sync::Arc;

/// Version of the manifest; raised when a word or the meaning of a field changes. The block has its own version ([`Layout::version`]).
pub const VERSION: u32 = 1;

// Facts that other programs may rely on although the manifest does not state them.
const _: () = {
    assert!(cfg!(target_endian = "little"), "the manifest promises little-endian words");
    assert!(size_of::<WakeWord>() == 8 && align_of::<WakeWord>() == 4);
    assert!(size_of::<CachePadded<WakeWord>>() == align_of::<CachePadded<WakeWord>>());
    assert!(size_of::<WorkerControl>() == 4 * size_of::<CachePadded<WakeWord>>());
    assert!(size_of::<Gate>() == 3 * size_of::<CachePadded<WakeWord>>());
    assert!(size_of::<Door>() == 5 * size_of::<CachePadded<WakeWord>>());
    assert!(size_of::<DoorOrder>() == 20 && size_of::<DoorReply>() == 8);
};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const _: () = {
    assert!(size_of::<CachePadded<WakeWord>>() == 128);
    assert!(offset_of!(WorkerControl, command) == 0 && offset_of!(WorkerControl, progress) == 128);
    assert!(offset_of!(Gate, all) == 128 && offset_of!(Gate, open) == 256);
    assert!(offset_of!(Door, ask) == 0 && offset_of!(Door, answer) == 128);
    assert!(offset_of!(Door, progress) == 256 && offset_of!(Door, order) == 384);
    assert!(offset_of!(Door, reply) == 512);
};

/// Shared structures of one kind, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Offset of the first structure, bytes.
    pub at: usize,
    /// Number of structures.
    pub count: usize,
    /// Distance between two structures, bytes.
    pub stride: usize,
    /// The words of one structure.
    pub words: Vec<Word>,
}

impl Words {
    fn new<T: SharedAtomics>(at: &mut usize, count: usize, words: Vec<Word>) -> Self {
        let stride = size_of::<T>();
        let first = aligned(*at, align_of::<T>());
        *at = count.saturating_mul(stride).saturating_add(first);
        Self { at: first, count, stride, words }
    }

    fn of<T: SharedAtomics>(&self, segment: &'static Segment) -> &'static [T] {
        assert_eq!(self.stride, size_of::<T>(), "a manifest of another program");
        segment.atomics(self.at, self.count)
    }
}

/// The weights that agents in workers act with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Offset of each buffer of `count` f32, bytes.
    pub slots: Vec<usize>,
    /// Number of weights in a buffer.
    pub count: usize,
}

/// The slots of the block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockPlace {
    /// Offset of each slot, bytes. A slot is a complete block; one slot is filled while others are read.
    pub slots: Vec<usize>,
    /// Parts, leaves and their offsets within a slot.
    pub layout: Layout,
}

/// Numbers of the structures in a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Worker processes or threads.
    pub workers: usize,
    /// Groups of columns that step together.
    pub gates: usize,
    /// One per column if foreign programs may step them, otherwise 0.
    pub doors: usize,
    /// Number of weights of the agent's model.
    pub weights: usize,
    /// Buffers of weights.
    pub weight_slots: usize,
    /// Number of block slots.
    pub block_slots: usize,
}

/// See the module documentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Size of the segment, bytes; `usize::MAX` on overflow, which no segment can hold.
    pub bytes: usize,
    /// [`WorkerControl`], by worker.
    pub control: Words,
    /// [`Gate`], by group.
    pub gates: Words,
    /// [`Door`], by column of the block.
    pub doors: Words,
    /// The weights.
    pub weights: Weights,
    /// The slots of the block.
    pub block: BlockPlace,
}

impl Manifest {
    /// Lays out a segment.
    pub fn new(counts: Counts, layout: Layout) -> Self {
        let mut at = 0;
        let control = Words::new::<WorkerControl>(&mut at, counts.workers, WorkerControl::words());
        let gates = Words::new::<Gate>(&mut at, counts.gates, gate_words());
        let doors = Words::new::<Door>(&mut at, counts.doors, door_words());
        let mut slots = |n: usize, bytes: usize| -> Vec<usize> {
            let place = |_| {
                let first = aligned(at, crate::block::ALIGN);
                at = first.saturating_add(bytes);
                first
            };
            (0..n).map(place).collect()
        };
        let leaf = weight_leaf(counts.weights);
        let weights = slots(counts.weight_slots, Block::beside_bytes(&leaf, 1, 1));
        let weights = Weights { slots: weights, count: counts.weights };
        let block = BlockPlace { slots: slots(counts.block_slots, layout.bytes), layout };
        Self { version: VERSION, bytes: at, control, gates, doors, weights, block }
    }

    /// The manifest as another program reads it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a manifest is plain data: numbers, texts, lists")
    }

    /// Control words, by worker.
    pub fn control(&self, segment: &'static Segment) -> &'static [WorkerControl] {
        self.control.of(segment)
    }

    /// Gates, by group of columns.
    pub fn gates(&self, segment: &'static Segment) -> &'static [Gate] {
        self.gates.of(segment)
    }

    /// Doors, by column of the block; empty if no foreign program may step them.
    pub fn doors(&self, segment: &'static Segment) -> &'static [Door] {
        self.doors.of(segment)
    }

    /// One buffer of weights: one leaf `[count] f32`, one row, one column.
    pub fn weights(&self, segment: &'static Segment, slot: usize) -> Tree {
        Block::beside(segment, self.weights.slots[slot], &weight_leaf(self.weights.count), 1, 1)
    }

    /// One slot of the block.
    pub fn block(&self, segment: &'static Segment, slot: usize) -> Block {
        Block::new(self.block.layout.clone(), segment, self.block.slots[slot])
    }
}

/// `at` rounded up to a multiple of `align`; `usize::MAX` on overflow.
fn aligned(at: usize, align: usize) -> usize {
    at.checked_next_multiple_of(align).unwrap_or(usize::MAX)
}

fn weight_leaf(count: usize) -> [LeafSpec; 1] {
    [LeafSpec::array("weights", DType::F32, &[count])]
}

fn gate_words() -> Vec<Word> {
    let mut words = vec![Word::new("arrived", 0, 4, "worker")];
    words.extend(Word::wake("all", offset_of!(Gate, all), "worker"));
    words.extend(Word::wake("open", offset_of!(Gate, open), "master"));
    words
}

fn door_words() -> Vec<Word> {
    let (order, reply) = (offset_of!(Door, order), offset_of!(Door, reply));
    let mut words = Vec::new();
    words.extend(Word::wake("ask", offset_of!(Door, ask), "slice"));
    words.extend(Word::wake("answer", offset_of!(Door, answer), "program"));
    words.push(Word::new("progress", offset_of!(Door, progress), 8, "program"));
    words.push(Word::new("op", order + offset_of!(DoorOrder, op), 4, "slice"));
    words.push(Word::new("slot", order + offset_of!(DoorOrder, slot), 4, "slice"));
    words.push(Word::new("row", order + offset_of!(DoorOrder, row), 4, "slice"));
    words.push(Word::new("mode", order + offset_of!(DoorOrder, mode), 4, "slice"));
    words.push(Word::new("final_used", order + offset_of!(DoorOrder, final_used), 4, "slice"));
    words.push(Word::new("failed", reply + offset_of!(DoorReply, failed), 4, "program"));
    words.push(Word::new("notes", reply + offset_of!(DoorReply, notes), 4, "program"));
    words
}

/// A segment with its manifest.
#[derive(Clone, Debug)]
pub struct SharedMemory {
    /// The memory.
    pub segment: &'static Segment,
    /// The layout of the segment.
    pub manifest: Arc<Manifest>,
}

impl SharedMemory {
    /// Reserves memory for a manifest; `what` names it in errors.
    pub fn create(what: &str, manifest: Manifest) -> Result<Self, SegmentError> {
        let segment = Segment::create(what, manifest.bytes)?;
        Ok(Self { segment, manifest: Arc::new(manifest) })
    }

    /// Reserves memory for a block of one slot without workers, with `doors` for foreign programs that step its columns.
    pub fn for_block(layout: Layout, doors: usize) -> Result<Self, SegmentError> {
        let counts = Counts { doors, block_slots: 1, ..Counts::default() };
        Self::create("sample block", Manifest::new(counts, layout))
    }

    /// One slot of the block.
    pub fn block(&self, slot: usize) -> Block {
        self.manifest.block(self.segment, slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch_spec::{BatchSpec, GlobalSteps};
    use crate::block::{AgentSchema, BlockOptions};
    use crate::control::{Op, Task};
    use crate::env::EnvSpaces;
    use crate::slice::{BlockRow, ResetMode};
    use crate::space::Space;

    fn manifest() -> Manifest {
        let spaces = EnvSpaces::new(Space::Discrete { n: 3 }, Space::Discrete { n: 2 });
        let agent = AgentSchema::default();
        let layout =
            Layout::new(BatchSpec { t: 2, b: 3 }, &spaces, &agent, BlockOptions::default());
        let counts =
            Counts { workers: 2, gates: 2, doors: 3, weights: 5, weight_slots: 2, block_slots: 2 };
        Manifest::new(counts, layout)
    }

    /// The value of a word, found as another program finds it: by name, in the JSON.
    fn read(json: &serde_json::Value, segment: &Segment, kind: &str, i: u64, word: &str) -> u64 {
        let kind = &json[kind];
        let words = kind["words"].as_array().unwrap();
        let found = words.iter().find(|w| w["name"] == word).expect("the word is named");
        let number = |v: &serde_json::Value| v.as_u64().unwrap();
        let at = number(&kind["at"]) + i * number(&kind["stride"]) + number(&found["offset"]);
        let width = number(&found["bytes"]) as usize;
        let file = std::fs::File::from(segment.fd().unwrap());
        let mut bytes = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes[..width], at).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// Broken by any word that is named at another place than where it lies.
    #[test]
    fn every_word_lies_where_the_manifest_says() {
        let manifest = manifest();
        let memory = SharedMemory::create("test", manifest.clone()).unwrap();
        let (segment, json) = (memory.segment, manifest.to_json());
        let read = |kind: &str, i, word: &str| read(&json, segment, kind, i, word);

        let control = &manifest.control(segment)[1];
        control.order(Task { op: Op::Serve, now: GlobalSteps(77), weights: 9, slot: 1 });
        control.take(8);
        control.progress.tick(5);
        control.set_first_rank(12);
        let gate = &manifest.gates(segment)[1];
        control.arrive(gate, 2);
        gate.open.post();
        assert_eq!(read("control", 1, "command.seq"), 1);
        assert_eq!(read("control", 0, "command.seq"), 0);
        assert_eq!(read("control", 1, "op"), 3);
        assert_eq!(read("control", 1, "env_steps"), 77);
        assert_eq!(read("control", 1, "weights"), 9);
        assert_eq!(read("control", 1, "slot"), 1);
        assert_eq!(read("control", 1, "taken"), 8);
        assert_eq!(read("control", 1, "progress"), (1 << 24) | 5);
        assert_eq!(read("control", 1, "first_rank"), 12);
        assert_eq!(read("control", 1, "arrivals"), 1);
        assert_eq!(read("gates", 1, "arrived"), 1);
        assert_eq!(read("gates", 1, "open.seq"), 1);
        control.arrive(gate, 2);
        assert_eq!((read("gates", 1, "arrived"), read("gates", 1, "all.seq")), (0, 1));

        let door = &manifest.doors(segment)[2];
        door.set_final_used(4);
        door.order_step(BlockRow { slot: 1, row: 6 }, ResetMode::Wait);
        door.progress.tick(3);
        door.answer.post();
        door.answer.post();
        door.reply.failed.store(1, std::sync::atomic::Ordering::Relaxed);
        door.reply.notes.store(8, std::sync::atomic::Ordering::Relaxed);
        for (word, value) in [
            ("ask.seq", 1),
            ("answer.seq", 2),
            ("ask.sleepers", 0),
            ("op", 2),
            ("slot", 1),
            ("row", 6),
            ("mode", 1),
            ("final_used", 4),
            ("progress", (1 << 24) | 3),
            ("failed", 1),
            ("notes", 8),
        ] {
            assert_eq!(read("doors", 2, word), value, "{word}");
        }
        assert_eq!(door.reply(), (true, 8));
    }

    #[test]
    fn nothing_overlaps_and_the_manifest_survives_json() {
        let manifest = manifest();
        let words = [&manifest.control, &manifest.gates, &manifest.doors];
        let mut spans: Vec<_> = words.map(|w| (w.at, w.at + w.count * w.stride)).to_vec();
        let (weights, block) = (&manifest.weights, &manifest.block);
        spans.extend(weights.slots.iter().map(|at| (*at, at + 4 * weights.count)));
        spans.extend(block.slots.iter().map(|at| (*at, at + block.layout.bytes)));
        assert_eq!(spans.len(), 3 + 2 + 2);
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
        assert!(spans.iter().all(|span| span.1 <= manifest.bytes));
        let back: Manifest = serde_json::from_value(manifest.to_json()).unwrap();
        assert_eq!(back, manifest);
    }
}
