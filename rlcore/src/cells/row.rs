//! All columns of one time step.
use super::cell::At;
use super::{CellMut, CellRef, LeafPtr};
use crate::schema::{DType, Element};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

/// All columns of one time step.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub(super) leaves: &'a [LeafPtr],
    pub(super) row: usize,
    /// Column of the tree that is column 0 here.
    pub(super) first: usize,
    pub(super) columns: usize,
}

impl<'a> Row<'a> {
    /// The `[columns, shape...]` elements of a leaf.
    #[inline]
    pub fn get<T: Element>(self, leaf: usize) -> &'a [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: the row is in bounds, its cells are contiguous, and nobody writes while 'a is borrowed.
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.row, self.first).cast(), self.columns * l.elems)
                .as_ref()
        }
    }

    /// The elements of a leaf as an array `[columns, shape...]`; panics if `shape` is not the shape of the leaf.
    pub fn array<T: Element>(self, leaf: usize, shape: &[usize]) -> ndarray::ArrayViewD<'a, T> {
        let whole: Vec<usize> = [self.columns].iter().chain(shape).copied().collect();
        let view = ndarray::ArrayViewD::from_shape(whole, self.get(leaf));
        view.unwrap_or_else(|e| panic!("leaf {leaf} has another shape than {shape:?}: {e}"))
    }

    /// The bytes of a leaf.
    #[inline]
    pub fn bytes(self, leaf: usize) -> &'a [u8] {
        let l = &self.leaves[leaf];
        // SAFETY: as in `get`; any initialised byte is a u8.
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.row, self.first), self.columns * l.cell_stride)
                .as_ref()
        }
    }

    /// One column.
    #[inline]
    pub fn cell(self, column: usize) -> CellRef<'a> {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        CellRef { leaves: self.leaves, at: At::new(self.row, self.first + column) }
    }

    /// A range of the columns, as a row.
    #[inline]
    #[must_use]
    pub fn part(self, columns: Range<usize>) -> Self {
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        Self { first: self.first + columns.start, columns: columns.len(), ..self }
    }

    /// Number of leaves.
    pub fn leaves(self) -> usize {
        self.leaves.len()
    }

    /// The first leaf and column that hold a NaN.
    pub fn find_nan(self) -> Option<(usize, usize)> {
        let mut found = None;
        for (i, leaf) in self.leaves.iter().enumerate() {
            let at = match leaf.dtype {
                DType::F32 => nan_at(self.get::<f32>(i), f32::is_nan),
                DType::F64 => nan_at(self.get::<f64>(i), f64::is_nan),
                _ => None,
            };
            found = found.or(at.map(|e| (i, e / leaf.elems)));
        }
        found
    }
}

/// A branch-free pass first, so that the common case is vectorised.
fn nan_at<T: Copy>(values: &[T], is_nan: impl Fn(T) -> bool) -> Option<usize> {
    let any = values.iter().fold(false, |any, v| any | is_nan(*v));
    if any { values.iter().position(|v| is_nan(*v)) } else { None }
}

/// All columns of one time step, for writing.
#[derive(Debug)]
pub struct RowMut<'a> {
    pub(super) leaves: &'a [LeafPtr],
    pub(super) row: usize,
    /// Column of the tree that is column 0 here.
    pub(super) first: usize,
    pub(super) columns: usize,
    pub(super) _unique: PhantomData<&'a mut u8>,
}

impl<'a> RowMut<'a> {
    /// The `[columns, shape...]` elements of a leaf.
    #[inline]
    pub fn get<T: Element>(&mut self, leaf: usize) -> &mut [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: as in `Row::get`, and the borrow of self makes this the only view.
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.row, self.first).cast(), self.columns * l.elems)
                .as_mut()
        }
    }

    /// One column.
    #[inline]
    pub fn cell(&mut self, column: usize) -> CellMut<'_> {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        CellMut {
            leaves: self.leaves,
            at: At::new(self.row, self.first + column),
            _unique: PhantomData,
        }
    }

    /// The same row, for reading.
    pub fn as_row(&self) -> Row<'_> {
        Row { leaves: self.leaves, row: self.row, first: self.first, columns: self.columns }
    }

    /// The first `N` leaves, which have the same element type.
    pub fn split<T: Element, const N: usize>(self) -> [&'a mut [T]; N] {
        assert!(N <= self.leaves.len());
        std::array::from_fn(|leaf| {
            let l = &self.leaves[leaf];
            l.check::<T>();
            // SAFETY: as in `get`; different leaves do not overlap, and self is consumed.
            unsafe {
                NonNull::slice_from_raw_parts(
                    l.at(self.row, self.first).cast(),
                    self.columns * l.elems,
                )
                .as_mut()
            }
        })
    }

    /// A range of the columns, as a row.
    #[inline]
    pub fn part(&mut self, columns: Range<usize>) -> RowMut<'_> {
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        RowMut {
            leaves: self.leaves,
            row: self.row,
            first: self.first + columns.start,
            columns: columns.len(),
            _unique: PhantomData,
        }
    }

    /// A shorter borrow of the same row.
    pub fn reborrow(&mut self) -> RowMut<'_> {
        self.part(0..self.columns)
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Copies all leaves from a row with the same leaf specs.
    pub fn copy_from(&mut self, from: Row<'_>) {
        assert!(self.leaves.len() == from.leaves.len() && self.columns == from.columns);
        for (to, l) in self.leaves.iter().zip(from.leaves) {
            assert_eq!(to.cell_stride, l.cell_stride);
            // SAFETY: both rows are in bounds and of the same size; `copy` allows overlap.
            unsafe {
                l.at(from.row, from.first)
                    .copy_to(to.at(self.row, self.first), self.columns * l.cell_stride);
            };
        }
    }

    /// Overwrites a leaf with bytes 0xff: NaN in floats, -1 in integers, true in flags.
    pub fn poison(&mut self, leaf: usize) {
        let l = &self.leaves[leaf];
        let byte = if l.dtype == DType::Bool { 1 } else { 0xff };
        // SAFETY: the row is in bounds; these bytes are valid for the element type.
        unsafe { l.at(self.row, self.first).write_bytes(byte, self.columns * l.cell_stride) };
    }

    /// Zeroes the row.
    pub fn zero(&mut self) {
        for l in self.leaves {
            // SAFETY: the row is in bounds; zero bytes are valid for every element type.
            unsafe { l.at(self.row, self.first).write_bytes(0, self.columns * l.cell_stride) };
        }
    }
}
