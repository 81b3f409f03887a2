//! The replay in a checkpoint: a few named arrays of the filled rows, and where the cursor stood.
//!
//! rlpyt cannot resume a replay. Returns are not saved, since they are recomputed to the bit; final
//! observations are saved in the order of their steps, so that equal replays give equal files.
use super::ReplayError;
use super::column::Column;
use super::ring::{Outcome, Ring, StepRecord};
use rlcore::checkpoint::NamedArray;
use rlcore::{DType, LeafSpec};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Extent and cursor of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingMeta {
    /// Time steps it can hold.
    pub rows: usize,
    /// Environments.
    pub columns: usize,
    /// The row that is written next.
    pub cursor: usize,
    /// Whether all rows hold steps.
    pub full: bool,
}

impl Ring {
    /// Arrays `reward`, `outcome` and each leaf under `observation/` and `action/`, `[filled, B,
    /// ...]`; leaves under `final/`, `[K, ...]`, one for each truncated step in the order of (row,
    /// column).
    pub fn save(&self) -> (RingMeta, Vec<NamedArray<'_>>) {
        let (filled, columns) = (self.filled(), self.columns());
        let steps = &self.steps[..filled * columns];
        let lead = vec![filled, columns];
        let mut arrays = vec![
            NamedArray {
                name: "reward".into(),
                shape: lead.clone(),
                dtype: DType::F32,
                bytes: steps.iter().flat_map(|s| s.reward.to_ne_bytes()).collect(),
            },
            NamedArray {
                name: "outcome".into(),
                shape: lead.clone(),
                dtype: DType::U8,
                bytes: steps.iter().map(|s| s.outcome as u8).collect(),
            },
        ];
        for (root, leaves) in [("observation", &self.observation), ("action", &self.action)] {
            arrays.extend(leaves.iter().map(|leaf| {
                let bytes = Cow::Borrowed(leaf.cells(0, filled * columns));
                array(root, &leaf.spec, &lead, bytes)
            }));
        }
        let slots: Vec<u32> = steps.iter().filter_map(slot).collect();
        for (i, leaf) in self.observation.iter().enumerate() {
            let bytes = slots.iter().flat_map(|s| self.finals.cell(i, *s)).copied().collect();
            arrays.push(array("final", &leaf.spec, &[slots.len()], bytes));
        }
        let meta = RingMeta { rows: self.rows(), columns, cursor: self.cursor, full: self.full };
        (meta, arrays)
    }

    /// Takes back what [`Ring::save`] gave.
    ///
    /// # Errors
    /// An array that is missing or does not fit, or a ring of another extent; this ring is then
    /// unchanged.
    pub fn load(&mut self, meta: RingMeta, arrays: &[NamedArray<'_>]) -> Result<(), ReplayError> {
        let (rows, columns) = (self.rows(), self.columns());
        if (meta.rows, meta.columns) != (rows, columns) || meta.cursor >= rows {
            return Err(ReplayError::BadMeta { saved: meta, rows, columns });
        }
        let filled = if meta.full { rows } else { meta.cursor };
        let lead = [filled, columns];
        let rewards = find(arrays, "reward", DType::F32, &lead)?;
        let outcomes = find(arrays, "outcome", DType::U8, &lead)?;
        let outcomes: Option<Vec<Outcome>> =
            outcomes.iter().map(|byte| Outcome::from_byte(*byte)).collect();
        let outcomes = outcomes.ok_or_else(|| ReplayError::BadArray {
            name: "outcome".into(),
            dtype: DType::U8,
            shape: lead.to_vec(),
            found: "a value above 3".into(),
        })?;
        let specs = |leaves: &[Column]| leaves.iter().map(|c| c.spec.clone()).collect::<Vec<_>>();
        let (observation, action) = (specs(&self.observation), specs(&self.action));
        let mut new = Ring::new(&observation, &action, rows, columns);
        for (root, leaves) in [("observation", &mut new.observation), ("action", &mut new.action)] {
            for leaf in leaves {
                let bytes = find_leaf(arrays, root, &leaf.spec, &lead)?;
                leaf.write(0, bytes);
            }
        }
        let truncated = outcomes.iter().filter(|o| **o == Outcome::Truncated).count();
        let finals: Result<Vec<_>, _> =
            observation.iter().map(|s| find_leaf(arrays, "final", s, &[truncated])).collect();
        let finals = finals?;
        let mut kept = 0;
        for (cell, outcome) in outcomes.into_iter().enumerate() {
            let reward = rewards[cell * 4..].first_chunk().map_or(0.0, |b| f32::from_ne_bytes(*b));
            let mut final_slot = 0;
            if outcome == Outcome::Truncated {
                final_slot = new.finals.take();
                for (leaf, spec) in observation.iter().enumerate() {
                    let size = spec.cell_bytes();
                    new.finals.write(leaf, final_slot, &finals[leaf][kept * size..][..size]);
                }
                kept += 1;
            }
            new.put(cell, StepRecord { reward, outcome, final_slot });
        }
        (new.cursor, new.full) = (meta.cursor, meta.full);
        *self = new;
        Ok(())
    }
}

fn slot(step: &StepRecord) -> Option<u32> {
    (step.outcome == Outcome::Truncated).then_some(step.final_slot)
}

fn array<'a>(root: &str, spec: &LeafSpec, lead: &[usize], bytes: Cow<'a, [u8]>) -> NamedArray<'a> {
    let shape = [lead, &spec.shape].concat();
    NamedArray { name: format!("{root}/{}", spec.name), shape, dtype: spec.dtype, bytes }
}

fn find_leaf<'a>(
    arrays: &'a [NamedArray<'_>],
    root: &str,
    spec: &LeafSpec,
    lead: &[usize],
) -> Result<&'a [u8], ReplayError> {
    let wanted = array(root, spec, lead, Cow::Borrowed(&[]));
    find(arrays, &wanted.name, wanted.dtype, &wanted.shape)
}

fn find<'a>(
    arrays: &'a [NamedArray<'_>],
    name: &str,
    dtype: DType,
    shape: &[usize],
) -> Result<&'a [u8], ReplayError> {
    let bad =
        |found| ReplayError::BadArray { name: name.into(), dtype, shape: shape.into(), found };
    let array = arrays.iter().find(|a| a.name == name).ok_or_else(|| bad("nothing".into()))?;
    if array.dtype != dtype || array.shape != shape {
        return Err(bad(format!("{:?} {:?}", array.dtype, array.shape)));
    }
    let want = shape.iter().product::<usize>() * dtype.size();
    if array.bytes.len() != want {
        return Err(bad(format!("{} bytes of {want}", array.bytes.len())));
    }
    Ok(&array.bytes)
}
