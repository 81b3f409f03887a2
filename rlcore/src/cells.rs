//! Typed views of `[rows, columns, shape...]` arrays, through which all Rust code accesses sample memory.
//!
//! A [`Tree`] is a set of leaves over the same rows and columns, borrowed as rows (all columns of one time step) or
//! cells (one column of one time step). A tree is the one writer of its columns: [`crate::block::Block`] hands out each
//! column once. The memory is a segment that is never unmapped, or the tree's own.
//!
//! Unsafe here and in the two files below: slices are made from pointers that [`Tree`]'s constructors checked against the memory they lie in.
mod cell;
mod error;
mod row;

use self::cell::At;
pub use self::cell::{CellMut, CellRef, StepCells};
pub use self::error::CellError;
pub use self::row::{Row, RowMut};
use crate::schema::{DType, Element, LeafSpec};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Where the cells of one leaf lie. `ptr` is cell (0, 0); strides are in bytes; a row's cells are contiguous.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafPtr {
    pub(crate) ptr: NonNull<u8>,
    pub(crate) dtype: DType,
    pub(crate) elems: usize,
    pub(crate) row_stride: usize,
    pub(crate) cell_stride: usize,
}

impl LeafPtr {
    #[inline]
    fn at(&self, row: usize, column: usize) -> NonNull<u8> {
        let offset = row * self.row_stride + column * self.cell_stride;
        // SAFETY: callers bound row and column by the tree's extent, whose memory the constructors checked.
        unsafe { self.ptr.add(offset) }
    }

    #[inline]
    fn check<T: Element>(&self) {
        assert!(
            T::matches(self.dtype),
            "leaf holds {:?}, not {}",
            self.dtype,
            std::any::type_name::<T>()
        );
    }
}

/// Leaves over `rows x columns` cells.
#[derive(Debug)]
pub struct Tree {
    pub(crate) leaves: Vec<LeafPtr>,
    specs: Vec<LeafSpec>,
    rows: usize,
    columns: usize,
    owned: Option<Owned>,
}

// SAFETY: a tree is the one accessor of its cells (see the module header), so moving it moves that right.
unsafe impl Send for Tree {}
// SAFETY: writing takes `&mut Tree`; a shared tree is only read.
unsafe impl Sync for Tree {}

/// Memory owned by a tree, held as a raw pointer: a `Box` would assert unique access, which the views break.
#[derive(Debug)]
struct Owned(NonNull<[u64]>);

impl Owned {
    fn zeroed(words: usize) -> Self {
        Self(NonNull::from(Box::leak(vec![0; words].into_boxed_slice())))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::leak`, and its views borrowed the tree that owned it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Tree {
    /// A tree with zeroed memory of its own.
    pub fn owned(specs: &[LeafSpec], rows: usize, columns: usize) -> Self {
        let sizes = specs.iter().map(|s| (rows * columns * s.cell_bytes()).next_multiple_of(8));
        let total: usize = sizes.clone().sum();
        let memory = Owned::zeroed(total / 8 + 1);
        let base = memory.0.cast::<u8>();
        let mut offset = 0;
        let mut places = Vec::new();
        for size in sizes {
            // SAFETY: offset is at most the total for which the memory was allocated.
            places.push(unsafe { base.add(offset) });
            offset += size;
        }
        // SAFETY: each place has room for rows x columns cells and is 8-aligned; the memory is ours alone.
        let mut tree = unsafe { Self::at(specs, &places, rows, columns, columns) };
        tree.owned = Some(memory);
        tree
    }

    /// A tree over memory that it does not own: leaf `i` starts (row 0, first column) at `places[i]`, and rows are
    /// `stride_columns` cells apart.
    ///
    /// # Safety
    /// Every cell lies in memory that outlives the tree, aligned for its dtype, and nothing else writes the cells while a
    /// view of them is borrowed from this tree.
    pub(crate) unsafe fn at(
        specs: &[LeafSpec],
        places: &[NonNull<u8>],
        rows: usize,
        columns: usize,
        stride_columns: usize,
    ) -> Self {
        let leaves = specs.iter().zip(places).map(|(s, ptr)| LeafPtr {
            ptr: *ptr,
            dtype: s.dtype,
            elems: s.elems(),
            row_stride: stride_columns * s.cell_bytes(),
            cell_stride: s.cell_bytes(),
        });
        Self { leaves: leaves.collect(), specs: specs.to_vec(), rows, columns, owned: None }
    }

    /// Names, dtypes and shapes of the leaves.
    pub fn specs(&self) -> &[LeafSpec] {
        &self.specs
    }

    /// The index of the leaf with this name.
    pub fn leaf(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|spec| spec.name == name)
    }

    #[cfg(feature = "tch")]
    pub(crate) fn is_owned(&self) -> bool {
        self.owned.is_some()
    }

    /// Number of rows (time steps).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns (environments).
    pub fn columns(&self) -> usize {
        self.columns
    }

    fn bound(&self, row: usize) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
    }

    /// All columns of `row`.
    #[inline]
    pub fn row(&self, row: usize) -> Row<'_> {
        self.bound(row);
        Row { leaves: &self.leaves, row, first: 0, columns: self.columns }
    }

    /// All columns of `row`, for writing.
    #[inline]
    pub fn row_mut(&mut self, row: usize) -> RowMut<'_> {
        self.bound(row);
        RowMut { leaves: &self.leaves, row, first: 0, columns: self.columns, _unique: PhantomData }
    }

    /// One cell of every leaf.
    #[inline]
    pub fn cell(&self, row: usize, column: usize) -> CellRef<'_> {
        self.row(row).cell(column)
    }

    /// One cell of every leaf, for writing.
    #[inline]
    pub fn cell_mut(&mut self, row: usize, column: usize) -> CellMut<'_> {
        self.bound(row);
        assert!(column < self.columns, "column {column} of {}", self.columns);
        CellMut { leaves: &self.leaves, at: At::new(row, column), _unique: PhantomData }
    }

    /// Copies the cells of a whole row to another row.
    pub fn copy_row(&mut self, from: usize, to: usize) {
        self.bound(from);
        self.bound(to);
        for leaf in &self.leaves {
            let bytes = self.columns * leaf.cell_stride;
            // SAFETY: both rows are in bounds; `copy` allows them to be the same.
            unsafe { leaf.at(from, 0).copy_to(leaf.at(to, 0), bytes) };
        }
    }

    /// Copies the cell of one column from one row to another.
    pub fn copy_cell(&mut self, column: usize, from: usize, to: usize) {
        assert!(column < self.columns && from < self.rows && to < self.rows);
        for leaf in &self.leaves {
            // SAFETY: both cells are in bounds.
            unsafe { leaf.at(from, column).copy_to(leaf.at(to, column), leaf.cell_stride) };
        }
    }

    /// Zeroes every cell.
    pub fn zero(&mut self) {
        for row in 0..self.rows {
            self.row_mut(row).zero();
        }
    }

    /// The bytes of one row of one leaf, `[columns, shape...]`.
    pub fn row_bytes(&self, leaf: usize, row: usize) -> &[u8] {
        self.row(row).bytes(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<LeafSpec> {
        vec![LeafSpec::array("a", DType::F32, &[3]), LeafSpec::scalar("b", DType::U8)]
    }

    #[test]
    fn cells_do_not_overlap() {
        let mut tree = Tree::owned(&specs(), 4, 5);
        for row in 0..4 {
            for column in 0..5 {
                let mut cell = tree.cell_mut(row, column);
                cell.f32(0).fill((row * 5 + column) as f32);
                cell.u8(1)[0] = (row * 5 + column) as u8;
            }
        }
        for row in 0..4 {
            for column in 0..5 {
                assert_eq!(tree.cell(row, column).f32(0), [(row * 5 + column) as f32; 3]);
                assert_eq!(tree.row(row).get::<u8>(1)[column], (row * 5 + column) as u8);
            }
        }
    }

    #[test]
    fn a_wrong_write_says_what_is_wrong() {
        let mut tree = Tree::owned(&specs(), 1, 1);
        let mut cell = tree.cell_mut(0, 0);
        let text = cell.write(0, &[1f32; 4]).unwrap_err().to_string();
        assert!(text.contains("3 elements of F32") && text.contains("4 of f32"), "{text}");
        assert!(cell.write(0, &[1f64; 3]).is_err());
        assert!(cell.write(2, &[1f64; 3]).is_err());
        cell.write(0, &[1f32; 3]).unwrap();
    }

    #[test]
    fn rows_are_arrays_too() {
        let mut tree = Tree::owned(&specs(), 2, 4);
        tree.cell_mut(1, 2).f32(0)[1] = 5.0;
        let row = tree.row(1).array::<f32>(0, &[3]);
        assert_eq!((row.shape(), row[[2, 1]], row.sum()), (&[4, 3][..], 5.0, 5.0));
    }

    #[test]
    fn nan_is_found_in_its_column() {
        let mut tree = Tree::owned(&specs(), 1, 4);
        assert_eq!(tree.row(0).find_nan(), None);
        tree.cell_mut(0, 2).f32(0)[1] = f32::NAN;
        assert_eq!(tree.row(0).find_nan(), Some((0, 2)));
    }
}
