//! A replay in a checkpoint: named arrays of the filled rows, and the position of the cursor.
//!
//! rlpyt cannot resume a replay. Returns are not saved, since they are recomputed to the bit; final
//! observations are saved in the order of their steps, so that equal replays give equal files.
//! Arrays are lent to the writer and read straight into the ring, so that a replay is never in memory
//! twice.
use super::leaf::LeafStore;
use super::outcome::Outcome;
use super::store::Store;
use super::{Draw, ReplayError, TransitionReplay};
use rlcore::DType;
use rlcore::block::Part;
use rlcore::checkpoint::{ArraySource, NamedArray};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Version of the format of saved replays.
const FORMAT: u32 = 1;

/// Size and cursor of a saved replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayMeta {
    /// Version of the arrays' names and meaning.
    pub format: u32,
    /// Time steps that the ring can hold.
    pub rows: usize,
    /// Environments.
    pub columns: usize,
    /// The row that is written next.
    pub cursor: usize,
    /// How often the cursor has returned to row 0. Above 0 all rows hold steps.
    pub turn: u64,
}

impl ReplayMeta {
    fn filled(&self) -> usize {
        if self.turn > 0 { self.rows } else { self.cursor }
    }
}

/// The memory into which a saved array is read.
#[derive(Debug)]
pub struct Place<'a> {
    /// Name of the array.
    pub name: String,
    /// All of its bytes.
    pub bytes: &'a mut [u8],
}

/// Name, type and shape that a saved array must have.
struct Wanted {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
}

impl Wanted {
    fn check(&self, source: &dyn ArraySource) -> Result<(), ReplayError> {
        Ok(source.expect(&self.name, self.dtype, &self.shape)?)
    }

    fn with<'a>(self, prefix: &str, bytes: Cow<'a, [u8]>) -> NamedArray<'a> {
        let Self { name, dtype, shape } = self;
        NamedArray { name: format!("{prefix}{name}"), shape, dtype, bytes }
    }
}

/// `<folder>/<leaf>`, `[lead.., shape...]`.
fn wanted(folder: &str, leaf: &LeafStore, lead: &[usize]) -> Wanted {
    let spec = &leaf.leaf.spec;
    let shape = [lead, &spec.shape].concat();
    Wanted { name: format!("{folder}/{}", spec.name), dtype: spec.dtype, shape }
}

/// The array of a stored leaf, in the folder of its part.
fn of_leaf(leaf: &LeafStore, filled: usize, columns: usize) -> Wanted {
    wanted(folder(leaf.leaf.part), leaf, &[filled / leaf.leaf.every, columns])
}

fn folder(part: Part) -> &'static str {
    match part {
        Part::Observation => "observation",
        Part::Action => "action",
        Part::PrevAction => "prev_action",
        Part::Reward => "reward",
        Part::PrevReward => "prev_reward",
        Part::Flags => "flags",
        Part::FinalObservation => "final_observation",
        Part::EnvInfo => "env_info",
        Part::AgentInfo => "agent_info",
        Part::AgentState => "agent_state",
        Part::BootstrapValue => "bootstrap_value",
        Part::Trajectory => "trajectory",
    }
}

fn of_steps(filled: usize, columns: usize) -> [Wanted; 2] {
    let shape = vec![filled, columns];
    [("reward", DType::F32), ("outcome", DType::U8)].map(|(name, dtype)| Wanted {
        name: name.to_owned(),
        dtype,
        shape: shape.clone(),
    })
}

impl Store {
    fn meta(&self) -> ReplayMeta {
        let (rows, columns) = (self.rows(), self.columns());
        ReplayMeta { format: FORMAT, rows, columns, cursor: self.cursor, turn: self.turn }
    }

    fn arrays(&self, prefix: &str) -> Vec<NamedArray<'_>> {
        let (filled, columns) = (self.filled(), self.columns());
        let cells = filled * columns;
        let [reward, outcome] = of_steps(filled, columns);
        let mut arrays = vec![
            reward.with(prefix, Cow::Borrowed(bytemuck::cast_slice(&self.reward[..cells]))),
            outcome.with(prefix, Cow::Borrowed(&self.outcome[..cells])),
        ];
        arrays.extend(self.leaves.iter().map(|leaf| {
            let bytes = leaf.first(filled / leaf.leaf.every * columns);
            of_leaf(leaf, filled, columns).with(prefix, Cow::Borrowed(bytes))
        }));
        let slots: Vec<usize> = (0..cells)
            .filter(|cell| self.outcome_at(*cell) == Outcome::Truncated)
            .map(|cell| self.final_slot_at(cell) as usize)
            .collect();
        arrays.extend(self.finals.iter().flat_map(|finals| &finals.leaves).map(|leaf| {
            let bytes = slots.iter().flat_map(|slot| leaf.cell(*slot)).copied().collect();
            wanted("final", leaf, &[slots.len()]).with(prefix, bytes)
        }));
        arrays
    }

    /// Checks a saved store against this one, and changes nothing. Returns the saved outcomes.
    fn fitting(&self, meta: &ReplayMeta, source: &dyn ArraySource) -> Result<Vec<u8>, ReplayError> {
        let (rows, columns) = (self.rows(), self.columns());
        let same = (meta.format, meta.rows, meta.columns) == (FORMAT, rows, columns);
        if !same || meta.cursor >= rows {
            return Err(ReplayError::BadMeta { saved: *meta, format: FORMAT, rows, columns });
        }
        let filled = meta.filled();
        for steps in of_steps(filled, columns) {
            steps.check(source)?;
        }
        for leaf in &self.leaves {
            of_leaf(leaf, filled, columns).check(source)?;
        }
        let mut outcomes = vec![0; filled * columns];
        source.read("outcome", &mut outcomes)?;
        if let Some(byte) = outcomes.iter().find(|byte| **byte > Outcome::Skipped as u8) {
            return Err(ReplayError::BadOutcome { byte: *byte });
        }
        let truncated = Outcome::Truncated.count_in(&outcomes);
        match &self.finals {
            Some(finals) => {
                for leaf in &finals.leaves {
                    wanted("final", leaf, &[truncated]).check(source)?;
                }
            }
            None if truncated > 0 => return Err(ReplayError::NoTruncation { truncated }),
            None => {}
        }
        Ok(outcomes)
    }

    /// Reads a saved store, which [`Store::fitting`] has checked, into this store, which is empty.
    fn read(
        &mut self,
        meta: &ReplayMeta,
        outcomes: &[u8],
        source: &dyn ArraySource,
    ) -> Result<(), ReplayError> {
        let (filled, columns) = (meta.filled(), self.columns());
        let cells = filled * columns;
        self.outcome[..cells].copy_from_slice(outcomes);
        self.skipped = Outcome::Skipped.count_in(outcomes);
        source.read("reward", bytemuck::cast_slice_mut(&mut self.reward[..cells]))?;
        for leaf in &mut self.leaves {
            let name = of_leaf(leaf, filled, columns).name;
            source.read(&name, leaf.first_mut(filled / leaf.leaf.every * columns))?;
        }
        if let Some(finals) = &mut self.finals {
            let truncated = (0..cells).filter(|cell| outcomes[*cell] == Outcome::Truncated as u8);
            let mut slots = 0;
            for cell in truncated {
                self.final_slot[cell] = slots;
                slots += 1;
            }
            finals.reset(slots);
            for leaf in &mut finals.leaves {
                let name = wanted("final", leaf, &[]).name;
                source.read(&name, leaf.first_mut(slots as usize))?;
            }
        }
        (self.cursor, self.turn) = (meta.cursor, meta.turn);
        Ok(())
    }
}

/// Prefix of the arrays of a drawing strategy.
const DRAW: &str = "draw/";

fn of_draw<'a>(draw: &'a dyn Draw, cells: usize, prefix: &str) -> Vec<NamedArray<'a>> {
    let named = |a: NamedArray<'a>| NamedArray { name: format!("{prefix}{DRAW}{}", a.name), ..a };
    draw.arrays(cells).into_iter().map(named).collect()
}

impl TransitionReplay {
    /// Everything that later draws depend on, apart from the settings. Arrays, whose names begin with
    /// `prefix`, hold the filled part of the ring: `reward` and `outcome` `[filled, B]`, each leaf as
    /// `<part>/<leaf>` `[filled / k, B, ...]`, `final/<leaf>` `[K, ...]` for the truncated steps in
    /// the order of (row, column), and those of the drawing strategy as `draw/<name>`.
    pub fn save(&self, prefix: &str) -> (ReplayMeta, Vec<NamedArray<'_>>) {
        let mut arrays = self.store.arrays(prefix);
        let cells = self.store.filled() * self.store.columns();
        arrays.extend(of_draw(&*self.draw, cells, prefix));
        (self.store.meta(), arrays)
    }

    /// Checks whether a saved replay fits this one. Of its arrays only the outcomes are read.
    ///
    /// # Errors
    /// Another size or format; an array that is missing or has another type or shape.
    pub fn check(&self, meta: &ReplayMeta, source: &dyn ArraySource) -> Result<(), ReplayError> {
        self.fitting(meta, source).map(|_| ())
    }

    fn fitting(&self, meta: &ReplayMeta, source: &dyn ArraySource) -> Result<Vec<u8>, ReplayError> {
        let outcomes = self.store.fitting(meta, source)?;
        for array in of_draw(&*self.draw, outcomes.len(), "") {
            source.expect(&array.name, array.dtype, &array.shape)?;
        }
        Ok(outcomes)
    }

    /// Restores what [`TransitionReplay::save`] returned (`source` has its names without the prefix).
    /// Further appends and draws are those that the saved replay would have made. Arrays are read
    /// straight into the ring.
    ///
    /// # Errors
    /// Those of [`TransitionReplay::check`], with this replay unchanged. Bytes that cannot be read or
    /// are damaged, with this replay empty.
    pub fn load(&mut self, meta: &ReplayMeta, source: &dyn ArraySource) -> Result<(), ReplayError> {
        let outcomes = self.fitting(meta, source)?;
        self.clear();
        let read = self.read(meta, &outcomes, source);
        if read.is_err() {
            self.clear();
        }
        read
    }

    fn read(
        &mut self,
        meta: &ReplayMeta,
        outcomes: &[u8],
        source: &dyn ArraySource,
    ) -> Result<(), ReplayError> {
        self.store.read(meta, outcomes, source)?;
        self.n_step.update(&self.store, self.store.filled());
        self.became(self.whole());
        for place in self.draw.places(outcomes.len()) {
            source.read(&format!("{DRAW}{}", place.name), place.bytes)?;
        }
        self.draw.loaded();
        Ok(())
    }

    /// Removes all steps.
    pub fn clear(&mut self) {
        self.ceased(self.whole());
        self.store.clear();
    }
}
