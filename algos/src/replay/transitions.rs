//! A replay of n-step transitions.
//!
//! Follows rlpyt's `replays/non_sequence/` and the index rule of `replays/n_step.py`: around the
//! cursor, the newest n steps lack the steps after them and the oldest step lacks its predecessor, so
//! that they are not drawn. Differences: skipped steps are never drawn, and each transition has its own
//! bootstrap factor, so that the algorithm needs neither n nor `done_n`.
use super::batch::{BatchLeaf, Transitions, fill, fill_f32};
use super::leaf::{StoredLeaf, cell_bytes, product};
use super::n_step::{NStep, Window};
use super::outcome::Outcome;
use super::store::{SLOT_BYTES, STEP_BYTES, Store};
use super::{Draw, Drawable, Key, ReplayError};
use rlcore::block::{Columns, Part};
use rlcore::seed::Rng;
use rlcore::{BatchSpec, DType, EnvSpaces, LeafSpec};
use std::ops::Range;

/// Settings of a replay: its size and the n-step return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplaySettings {
    /// Number of transitions; rounded up to a whole number of time steps of all environments.
    pub size: usize,
    /// Length of the return in time steps, at least 1.
    pub n_step: usize,
    /// Discount per time step.
    pub discount: f64,
}

impl ReplaySettings {
    /// Number of time steps of the ring.
    ///
    /// # Errors
    /// A return that is longer than `u16` can count; a size that holds less than one batch of the
    /// sampler, or less than the n-step window with the steps around it.
    pub fn rows(&self, spec: BatchSpec) -> Result<usize, ReplayError> {
        let Self { size, n_step, .. } = *self;
        if n_step == 0 || n_step > u16::MAX as usize {
            return Err(ReplayError::BadNStep(n_step));
        }
        let (rows, columns) = (size.div_ceil(spec.b.max(1)), spec.b);
        let need = spec.t.max(n_step + 2);
        if rows < need {
            return Err(ReplayError::TooSmall { rows, size, columns, need, n_step, batch: spec.t });
        }
        Ok(rows)
    }

    /// Bytes of memory of a full replay; saturates. Where environments truncate, the
    /// number of final observations is the largest that `spaces.truncates_every` allows. The
    /// drawing strategy is not included.
    pub fn bytes(&self, spaces: &EnvSpaces, spec: BatchSpec) -> u64 {
        let (rows, columns) = (self.size.div_ceil(spec.b.max(1)), spec.b);
        let leaves = stored(spaces);
        let stored = leaves.iter().map(|leaf| leaf.bytes(rows, columns));
        let finals = spaces.truncates_every.map_or(0, |every| {
            let cells = leaves.iter().filter(|leaf| leaf.part == Part::Observation);
            let cell =
                cells.fold(SLOT_BYTES, |sum, leaf| sum.saturating_add(cell_bytes(&leaf.spec)));
            let finals = product(&[rows.div_ceil(every.max(1)), columns, cell]);
            finals.saturating_add(product(&[rows, columns, SLOT_BYTES]))
        });
        let step = STEP_BYTES + size_of::<Window>();
        stored.fold(finals, u64::saturating_add).saturating_add(product(&[rows, columns, step]))
    }
}

/// The leaves that transitions are made of.
pub(super) fn stored(spaces: &EnvSpaces) -> Vec<StoredLeaf> {
    let observation = spaces.observation.leaves("observation");
    let action = spaces.action.leaves("action");
    StoredLeaf::each_step(Part::Observation, &observation)
        .chain(StoredLeaf::each_step(Part::Action, &action))
        .collect()
}

/// A replay of n-step transitions: a ring of steps, the returns that start at them, and a strategy that
/// draws them.
#[derive(Debug)]
pub struct TransitionReplay {
    pub(super) store: Store,
    pub(super) n_step: NStep,
    pub(super) draw: Box<dyn Draw>,
    /// Number of steps that can be drawn, kept so that they are not counted in each draw.
    pub(super) n_drawable: usize,
    cells: Vec<usize>,
    current: Vec<(usize, f32)>,
}

impl TransitionReplay {
    /// An empty replay for blocks of `spec` with these spaces.
    ///
    /// # Errors
    /// Those of [`ReplaySettings::rows`]; too little memory.
    pub fn new(
        spaces: &EnvSpaces,
        spec: BatchSpec,
        settings: ReplaySettings,
        draw: Box<dyn Draw>,
    ) -> Result<Self, ReplayError> {
        let rows = settings.rows(spec)?;
        let store = Store::new(spec, rows, stored(spaces), spaces.truncates_every.is_some())?;
        let n_step = NStep::new(settings.n_step, settings.discount, rows.saturating_mul(spec.b))?;
        Ok(Self { store, n_step, draw, n_drawable: 0, cells: vec![], current: vec![] })
    }

    /// Copies all steps of a block, which must continue the steps appended before.
    ///
    /// # Errors
    /// Those of [`Store::check`]; nothing is changed then.
    pub fn append(&mut self, samples: &Columns) -> Result<(), ReplayError> {
        let steps = self.store.check(samples)?;
        let before = self.span(self.store.head());
        let after = self.span(self.store.head() + steps as u64);
        self.ceased(before.start..before.end.min(after.start));
        self.store.write(samples, steps);
        self.n_step.update(&self.store, steps);
        self.became(before.end.max(after.start)..after.end);
        Ok(())
    }

    /// See [`Store::cut`].
    pub fn cut(&mut self) {
        // Only the newest steps change, and these cannot be drawn yet.
        self.store.cut();
        self.n_step.update(&self.store, 1.min(self.store.filled()));
    }

    /// The time steps that can be drawn after `head` were appended: those whose predecessor and whole
    /// window are in the ring.
    fn span(&self, head: u64) -> Range<u64> {
        let first = head.saturating_sub(self.store.rows() as u64) + 1;
        first..head.saturating_sub(self.n_step.n() as u64).max(first)
    }

    pub(super) fn ceased(&mut self, steps: Range<u64>) {
        let cells = Drawable::of(&self.store, steps);
        self.n_drawable -= cells.len();
        if !cells.is_empty() {
            self.draw.ceased(cells);
        }
    }

    pub(super) fn became(&mut self, steps: Range<u64>) {
        let cells = Drawable::of(&self.store, steps);
        self.n_drawable += cells.len();
        if !cells.is_empty() {
            self.draw.became(cells);
        }
    }

    /// All time steps that can be drawn now.
    pub(super) fn whole(&self) -> Range<u64> {
        self.span(self.store.head())
    }

    /// The steps that can be drawn now.
    pub fn drawable(&self) -> Drawable<'_> {
        Drawable::with_len(&self.store, self.whole(), self.n_drawable)
    }

    /// The store of steps.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The return that starts at a cell. `done_n` of rlpyt is `end != Running`, `timeout_n` is `end
    /// == Truncated`.
    pub fn window(&self, cell: usize) -> Window {
        self.n_step.window(cell)
    }

    /// Draws `n` transitions with the replay's strategy and appends their keys to `keys`.
    ///
    /// # Errors
    /// No step can be drawn yet.
    pub fn draw(
        &mut self,
        rng: &mut Rng,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), ReplayError> {
        if self.n_drawable == 0 {
            let (filled, n_step) = (self.store.filled(), self.n_step.n());
            return Err(ReplayError::NothingToDraw { filled, n_step });
        }
        let from = Drawable::with_len(&self.store, self.whole(), self.n_drawable);
        self.cells.clear();
        self.draw.draw(from, rng, n, &mut self.cells);
        keys.extend(self.cells.iter().map(|cell| self.store.key(*cell)));
        Ok(())
    }

    /// A batch of `n` transitions of this replay, zeroed.
    pub fn batch<L: BatchLeaf>(&self, n: usize) -> Transitions<L> {
        let leaf = |name: &str, spec: &LeafSpec| {
            let shape = [&[n], &spec.shape[..]].concat();
            L::zeroed(&LeafSpec { name: name.to_owned(), dtype: spec.dtype, shape })
        };
        let leaves = |part, prefix: &str| {
            let specs = self.store.part(part).map(|stored| &stored.leaf.spec);
            specs.map(|spec| leaf(&format!("{prefix}{}", spec.name), spec)).collect()
        };
        let number = LeafSpec::scalar("", DType::F32);
        Transitions {
            observation: leaves(Part::Observation, ""),
            action: leaves(Part::Action, ""),
            return_: leaf("return", &number),
            bootstrap: leaf("bootstrap", &number),
            next_observation: leaves(Part::Observation, "next_"),
            len: n,
            windows: Vec::with_capacity(n),
        }
    }

    /// Copies the transitions of `keys` into `batch`, in their order.
    ///
    /// # Errors
    /// A key whose step has been overwritten: gather before the next append. The batch is unchanged
    /// then.
    ///
    /// # Panics
    /// A batch whose length differs from that of `keys`, or that was made by a replay with other leaves.
    // Leaf by leaf, so that the cache misses of many transitions overlap.
    pub fn gather<L: BatchLeaf>(
        &self,
        keys: &[Key],
        batch: &mut Transitions<L>,
    ) -> Result<(), ReplayError> {
        let Self { store, n_step, .. } = self;
        assert_eq!(keys.len(), batch.len, "keys for a batch of {}", batch.len);
        if let Some(key) = keys.iter().find(|key| !store.holds(**key)) {
            return Err(ReplayError::Overwritten { key: *key });
        }
        let Transitions { windows, .. } = batch;
        windows.clear();
        windows.extend(keys.iter().map(|key| n_step.window(key.cell)));
        fill_f32(&mut batch.return_, windows.iter().map(|window| window.return_));
        fill_f32(&mut batch.bootstrap, windows.iter().map(|window| n_step.bootstrap(*window)));
        for (part, outs) in
            [(Part::Observation, &mut batch.observation), (Part::Action, &mut batch.action)]
        {
            for (leaf, out) in store.part(part).zip(outs) {
                fill(out, keys.iter().map(|key| leaf.cell(key.cell)));
            }
        }
        let (columns, cells) = (store.columns(), store.rows() * store.columns());
        let finals = store.finals.as_ref().map_or(&[][..], |finals| &finals.leaves);
        let observation = store.part(Part::Observation).zip(&mut batch.next_observation);
        for (i, (leaf, out)) in observation.enumerate() {
            let next = keys.iter().zip(&*windows).map(|(key, window)| {
                if window.end == Outcome::Truncated {
                    return finals[i].cell(window.final_slot as usize);
                }
                let next = key.cell + window.horizon as usize * columns;
                leaf.cell(if next >= cells { next - cells } else { next })
            });
            fill(out, next);
        }
        Ok(())
    }

    /// Passes new priorities of drawn steps to the strategy. A priority is dropped where the cell holds
    /// another step by now, or the step can no longer be drawn. Returns the number of priorities passed
    /// on.
    ///
    /// # Panics
    /// The numbers of priorities and keys differ.
    pub fn write_back(&mut self, keys: &[Key], priorities: &[f32]) -> usize {
        assert_eq!(keys.len(), priorities.len(), "one priority per key");
        let drawable = Drawable::with_len(&self.store, self.whole(), self.n_drawable);
        self.current.clear();
        for (key, priority) in keys.iter().zip(priorities) {
            if self.store.holds(*key) && drawable.contains(key.cell) {
                self.current.push((key.cell, *priority));
            }
        }
        self.draw.write_back(&self.current);
        self.current.len()
    }

    /// Row of the ring and environment of a key, for messages.
    pub fn row_and_column(&self, key: Key) -> (usize, usize) {
        (key.cell / self.store.columns(), key.cell % self.store.columns())
    }

    /// Bytes of memory in use, zeroed memory that was never written included.
    pub fn bytes(&self) -> u64 {
        self.store.bytes() + self.n_step.bytes() + self.draw.bytes()
    }
}
