//! The set of steps that can be drawn.
use super::outcome::Outcome;
use super::store::Store;
use std::ops::Range;

/// The cells of consecutive time steps of a store, except skipped steps. The candidates are all cells
/// of those time steps, numbered from the first column of the oldest step on.
#[derive(Clone, Copy, Debug)]
pub struct Drawable<'a> {
    store: &'a Store,
    first: usize,
    rows: usize,
    len: usize,
}

impl<'a> Drawable<'a> {
    /// The set of the time steps `steps` (numbered as by [`Store::head`]), all of which are stored.
    pub(super) fn of(store: &'a Store, steps: Range<u64>) -> Self {
        let mut run = Self::with_len(store, steps, 0);
        run.len = run.candidates() - run.skipped();
        run
    }

    /// As [`Drawable::of`], where the caller knows that `len` of the cells are not skipped.
    pub(super) fn with_len(store: &'a Store, steps: Range<u64>, len: usize) -> Self {
        let first = (steps.start % store.rows() as u64) as usize;
        Self { store, first, rows: steps.end.saturating_sub(steps.start) as usize, len }
    }

    fn skipped(&self) -> usize {
        if self.store.skipped() == 0 {
            return 0;
        }
        let columns = self.store.columns();
        let row = |i| {
            let first = self.store.ahead(self.first, i) * columns;
            Outcome::Skipped.count_in(&self.store.outcome[first..first + columns])
        };
        (0..self.rows).map(row).sum()
    }

    /// Number of cells that can be drawn.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing can be drawn.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of candidates, skipped steps included.
    pub fn candidates(&self) -> usize {
        self.rows * self.store.columns()
    }

    /// The cell of a candidate; `None` where the step is skipped.
    #[inline]
    pub fn get(&self, candidate: usize) -> Option<usize> {
        let columns = self.store.columns();
        let (after, column) = (candidate / columns, candidate % columns);
        let cell = self.store.ahead(self.first, after) * columns + column;
        let happened = self.store.skipped() == 0 || self.store.outcome_at(cell) != Outcome::Skipped;
        happened.then_some(cell)
    }

    /// All cells that can be drawn, oldest step first.
    pub fn cells(self) -> impl Iterator<Item = usize> + 'a {
        (0..self.candidates()).filter_map(move |candidate| self.get(candidate))
    }

    /// Whether a cell can be drawn.
    #[inline]
    pub fn contains(&self, cell: usize) -> bool {
        let (rows, columns) = (self.store.rows(), self.store.columns());
        let row = cell / columns;
        let after = if row >= self.first { row - self.first } else { row + rows - self.first };
        row < rows && after < self.rows && self.store.outcome_at(cell) != Outcome::Skipped
    }
}
