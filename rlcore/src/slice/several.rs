//! Several slices as one slice, which step at the same time: all begin a step before the first ends it.
use super::{EnvSlice, ResetIo, SliceError, StepIo, Ticks};
use crate::env::EnvSpaces;
use std::ops::Range;

/// See the file's documentation.
pub struct Several {
    parts: Vec<(Range<usize>, Box<dyn EnvSlice>)>,
}

impl std::fmt::Debug for Several {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns: Vec<_> = self.parts.iter().map(|(columns, _)| columns).collect();
        write!(f, "Several({columns:?})")
    }
}

impl Several {
    /// Combines slices, given with the columns of each in order and without gaps; at least one.
    pub fn new(parts: Vec<(Range<usize>, Box<dyn EnvSlice>)>) -> Self {
        assert!(!parts.is_empty() && parts.windows(2).all(|p| p[0].0.end == p[1].0.start));
        Self { parts }
    }

    /// The slice that contains `column`, with its columns.
    fn of(&mut self, column: usize) -> (&Range<usize>, &mut dyn EnvSlice) {
        let i = self.parts.partition_point(|(columns, _)| columns.end <= column);
        let (columns, slice) = &mut self.parts[i];
        (columns, &mut **slice)
    }
}

impl EnvSlice for Several {
    fn spaces(&self) -> EnvSpaces {
        self.parts[0].1.spaces()
    }

    fn seed(&mut self, column: usize, seed: u64) {
        let (columns, slice) = self.of(column);
        slice.seed(column - columns.start, seed);
    }

    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError> {
        let (columns, slice) = self.of(column);
        let first = columns.start;
        let observation = io.observation.part(columns.clone());
        let mut io = ResetIo { at: io.at, observation, ticks: io.ticks.from_column(first) };
        slice.reset(column - first, &mut io).map_err(|e| e.from_column(first))
    }

    fn begin_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        self.parts.iter_mut().try_for_each(|(columns, slice)| {
            slice
                .begin_step(&mut io.part(columns.clone()))
                .map_err(|e| e.from_column(columns.start))
        })
    }

    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        self.parts.iter_mut().try_for_each(|(columns, slice)| {
            slice.end_step(&mut io.part(columns.clone())).map_err(|e| e.from_column(columns.start))
        })
    }

    fn take_notes(&mut self) -> Vec<(usize, String)> {
        let of = |(columns, slice): &mut (Range<usize>, Box<dyn EnvSlice>)| {
            let first = columns.start;
            slice.take_notes().into_iter().map(move |(column, note)| (first + column, note))
        };
        self.parts.iter_mut().flat_map(of).collect()
    }

    fn save_states(&mut self, ticks: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError> {
        let mut all = Vec::new();
        for (columns, slice) in &mut self.parts {
            let first = columns.start;
            let states = slice.save_states(ticks.from_column(first));
            all.extend(states.map_err(|e| e.from_column(first))?);
        }
        Ok(all)
    }

    fn load_state(
        &mut self,
        column: usize,
        state: &[u8],
        ticks: Ticks<'_>,
    ) -> Result<(), SliceError> {
        let (columns, slice) = self.of(column);
        let first = columns.start;
        slice
            .load_state(column - first, state, ticks.from_column(first))
            .map_err(|e| e.from_column(first))
    }

    fn begin_close(&mut self) {
        self.parts.iter_mut().for_each(|(_, slice)| slice.begin_close());
    }

    fn close(&mut self) {
        self.begin_close();
        self.parts.iter_mut().for_each(|(_, slice)| slice.close());
    }
}
