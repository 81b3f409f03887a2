//! Typed views of `[rows, columns, shape...]` arrays: the only way that our code touches sample memory.
//!
//! A [`Tree`] is a handful of leaves over the same rows and columns, borrowed as rows (all columns of one time step) or
//! cells (one column of one time step). A tree is the one writer of its columns: [`crate::block::Block`] hands out each
//! column once. The memory is a segment that is never unmapped, or the tree's own.
//!
//! Unsafe here: slices are made from pointers that [`Tree`]'s constructors checked against the memory they lie in.
use crate::env::EnvError;
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
        assert!(T::matches(self.dtype), "leaf holds {:?}, not {}", self.dtype, std::any::type_name::<T>());
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

/// Memory of a tree's own, held as a raw pointer: a `Box` would claim to be the only way to it.
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

    /// A tree over memory of someone else: leaf `i` starts (row 0, first column) at `places[i]`, rows are `stride_columns`
    /// cells apart.
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
        Row { leaves: &self.leaves, row, columns: self.columns }
    }

    /// All columns of `row`, for writing.
    #[inline]
    pub fn row_mut(&mut self, row: usize) -> RowMut<'_> {
        self.bound(row);
        RowMut { leaves: &self.leaves, row, columns: self.columns, _unique: PhantomData }
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

    /// Copies one column's cell from one row to another.
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

/// All columns of one time step.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    leaves: &'a [LeafPtr],
    row: usize,
    columns: usize,
}

impl<'a> Row<'a> {
    /// The `[columns, shape...]` elements of a leaf.
    #[inline]
    pub fn get<T: Element>(self, leaf: usize) -> &'a [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: the row is in bounds, its cells are contiguous, and nobody writes while 'a is borrowed.
        unsafe { NonNull::slice_from_raw_parts(l.at(self.row, 0).cast(), self.columns * l.elems).as_ref() }
    }

    /// The same as an array `[columns, shape...]`, `shape` being the leaf's; panics where it is not.
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
        unsafe { NonNull::slice_from_raw_parts(l.at(self.row, 0), self.columns * l.cell_stride).as_ref() }
    }

    /// One column.
    #[inline]
    pub fn cell(self, column: usize) -> CellRef<'a> {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        CellRef { leaves: self.leaves, at: At::new(self.row, column) }
    }

    /// Number of leaves.
    pub fn leaves(self) -> usize {
        self.leaves.len()
    }

    /// The first leaf and column with a NaN.
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
    leaves: &'a [LeafPtr],
    row: usize,
    columns: usize,
    _unique: PhantomData<&'a mut u8>,
}

impl<'a> RowMut<'a> {
    /// The `[columns, shape...]` elements of a leaf.
    #[inline]
    pub fn get<T: Element>(&mut self, leaf: usize) -> &mut [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: as in `Row::get`, and the borrow of self makes this the only view.
        unsafe { NonNull::slice_from_raw_parts(l.at(self.row, 0).cast(), self.columns * l.elems).as_mut() }
    }

    /// One column.
    #[inline]
    pub fn cell(&mut self, column: usize) -> CellMut<'_> {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        CellMut { leaves: self.leaves, at: At::new(self.row, column), _unique: PhantomData }
    }

    /// Reads what was written.
    pub fn as_row(&self) -> Row<'_> {
        Row { leaves: self.leaves, row: self.row, columns: self.columns }
    }

    /// The first `N` leaves at once, all of one type.
    pub fn split<T: Element, const N: usize>(self) -> [&'a mut [T]; N] {
        assert!(N <= self.leaves.len());
        std::array::from_fn(|leaf| {
            let l = &self.leaves[leaf];
            l.check::<T>();
            // SAFETY: as in `get`; different leaves do not overlap, and self is consumed.
            unsafe { NonNull::slice_from_raw_parts(l.at(self.row, 0).cast(), self.columns * l.elems).as_mut() }
        })
    }

    /// A shorter borrow of the same row.
    pub fn reborrow(&mut self) -> RowMut<'_> {
        RowMut { leaves: self.leaves, row: self.row, columns: self.columns, _unique: PhantomData }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Copies all leaves of a row of the same specs.
    pub fn copy_from(&mut self, from: Row<'_>) {
        assert!(self.leaves.len() == from.leaves.len() && self.columns == from.columns);
        for (to, l) in self.leaves.iter().zip(from.leaves) {
            assert_eq!(to.cell_stride, l.cell_stride);
            // SAFETY: both rows are in bounds and of the same size; `copy` allows overlap.
            unsafe { l.at(from.row, 0).copy_to(to.at(self.row, 0), self.columns * l.cell_stride) };
        }
    }

    /// Overwrites a leaf with bytes 0xff: NaN in floats, -1 in integers, true in flags.
    pub fn poison(&mut self, leaf: usize) {
        let l = &self.leaves[leaf];
        let byte = if l.dtype == DType::Bool { 1 } else { 0xff };
        // SAFETY: the row is in bounds; these bytes are valid for the element type.
        unsafe { l.at(self.row, 0).write_bytes(byte, self.columns * l.cell_stride) };
    }

    /// Zeroes the row.
    pub fn zero(&mut self) {
        for l in self.leaves {
            // SAFETY: the row is in bounds; zero bytes are valid for every element type.
            unsafe { l.at(self.row, 0).write_bytes(0, self.columns * l.cell_stride) };
        }
    }
}

/// Row and column in one word.
// PERF: cells are handed from function to function in memory; two halves stored apart and loaded together would wait for the
// store buffer: 55 ns a step of CartPole instead of 27 (`experiments bench samplers`, random actions).
#[derive(Clone, Copy, Debug)]
struct At(u64);

impl At {
    #[inline]
    fn new(row: usize, column: usize) -> Self {
        Self(((row as u64) << 32) | column as u64)
    }

    #[inline]
    fn row(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    fn column(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
}

/// One column of one time step.
#[derive(Clone, Copy, Debug)]
pub struct CellRef<'a> {
    leaves: &'a [LeafPtr],
    at: At,
}

macro_rules! typed {
    ($($name:ident: $t:ty),*) => {
        impl<'a> CellRef<'a> {$(
            /// The elements of a leaf of this type; panics where the leaf holds another.
            #[inline]
            pub fn $name(self, leaf: usize) -> &'a [$t] { self.get(leaf) }
        )*}
        impl CellMut<'_> {$(
            /// The elements of a leaf of this type; panics where the leaf holds another.
            #[inline]
            pub fn $name(&mut self, leaf: usize) -> &mut [$t] { self.get(leaf) }
        )*}
    };
}
typed!(f32: f32, f64: f64, i32: i32, i64: i64, u8: u8);

impl<'a> CellRef<'a> {
    /// The elements of a leaf.
    #[inline]
    pub fn get<T: Element>(self, leaf: usize) -> &'a [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: row and column are in bounds, and nobody writes while 'a is borrowed.
        unsafe { NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()).cast(), l.elems).as_ref() }
    }

    /// The bytes of a leaf.
    pub fn bytes(self, leaf: usize) -> &'a [u8] {
        let l = &self.leaves[leaf];
        // SAFETY: as in `get`; any initialised byte is a u8.
        unsafe { NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()), l.cell_stride).as_ref() }
    }

    /// The first element of a leaf, converted.
    pub fn first_f64(self, leaf: usize) -> f64 {
        match self.leaves[leaf].dtype {
            DType::F32 => f64::from(self.f32(leaf)[0]),
            DType::F64 => self.f64(leaf)[0],
            DType::I32 => f64::from(self.i32(leaf)[0]),
            DType::I64 => self.i64(leaf)[0] as f64,
            DType::U8 | DType::Bool => f64::from(self.u8(leaf)[0]),
        }
    }

    /// The elements of a leaf, converted.
    pub fn to_f64(self, leaf: usize) -> Vec<f64> {
        match self.leaves[leaf].dtype {
            DType::F32 => self.f32(leaf).iter().map(|v| *v as f64).collect(),
            DType::F64 => self.f64(leaf).to_vec(),
            DType::I32 => self.i32(leaf).iter().map(|v| *v as f64).collect(),
            DType::I64 => self.i64(leaf).iter().map(|v| *v as f64).collect(),
            DType::U8 | DType::Bool => self.u8(leaf).iter().map(|v| *v as f64).collect(),
        }
    }

    /// The first element of the first leaf: a plain discrete action.
    #[inline]
    pub fn discrete(self) -> i64 {
        self.i64(0)[0]
    }
}

/// One column of one time step, for writing: where an environment puts its observation.
#[derive(Debug)]
pub struct CellMut<'a> {
    leaves: &'a [LeafPtr],
    at: At,
    _unique: PhantomData<&'a mut u8>,
}

impl CellMut<'_> {
    /// The elements of a leaf.
    #[inline]
    pub fn get<T: Element>(&mut self, leaf: usize) -> &mut [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: row and column are in bounds, and the borrow of self makes this the only view.
        unsafe { NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()).cast(), l.elems).as_mut() }
    }

    /// Reads what was written.
    pub fn as_ref(&self) -> CellRef<'_> {
        CellRef { leaves: self.leaves, at: self.at }
    }

    /// Copies `values` into a leaf; an error where number or type of elements differ.
    pub fn write<T: Element>(&mut self, leaf: usize, values: &[T]) -> Result<(), EnvError> {
        let Some(l) = self.leaves.get(leaf) else {
            return Err(EnvError::new(format!("leaf {leaf} does not exist: the space has {}", self.leaves.len())));
        };
        if !T::matches(l.dtype) || values.len() != l.elems {
            return Err(EnvError::new(format!(
                "leaf {leaf} holds {} elements of {:?}, but {} of {} were written",
                l.elems,
                l.dtype,
                values.len(),
                std::any::type_name::<T>()
            )));
        }
        self.get(leaf).copy_from_slice(values);
        Ok(())
    }

    /// Copies all leaves of a cell of the same specs.
    pub fn copy_from(&mut self, from: CellRef<'_>) {
        assert_eq!(self.leaves.len(), from.leaves.len());
        for (to, l) in self.leaves.iter().zip(from.leaves) {
            assert_eq!(to.cell_stride, l.cell_stride);
            // SAFETY: both cells are in bounds and of the same size; `copy` allows overlap.
            unsafe { l.at(from.at.row(), from.at.column()).copy_to(to.at(self.at.row(), self.at.column()), l.cell_stride) };
        }
    }

    /// Overwrites a leaf's bytes.
    pub fn set_bytes(&mut self, leaf: usize, bytes: &[u8]) {
        let l = &self.leaves[leaf];
        assert_eq!(bytes.len(), l.cell_stride, "cell size");
        let from = NonNull::from(bytes).cast::<u8>();
        // SAFETY: the cell is in bounds, and a caller's slice does not overlap it while self is borrowed.
        unsafe { from.copy_to(l.at(self.at.row(), self.at.column()), bytes.len()) };
    }

    /// Zeroes the cell.
    pub fn zero(&mut self) {
        for l in self.leaves {
            // SAFETY: the cell is in bounds; zero bytes are valid for every element type.
            unsafe { l.at(self.at.row(), self.at.column()).write_bytes(0, l.cell_stride) };
        }
    }

    pub(crate) fn fill_with(&mut self, leaf: usize, mut f: impl FnMut(usize) -> f64) {
        macro_rules! fill {
            ($t:ty) => { for (i, v) in self.get::<$t>(leaf).iter_mut().enumerate() { *v = f(i) as $t; } };
        }
        match self.leaves[leaf].dtype {
            DType::F32 => fill!(f32),
            DType::F64 => fill!(f64),
            DType::I32 => fill!(i32),
            DType::I64 => fill!(i64),
            DType::U8 | DType::Bool => fill!(u8),
        }
    }
}

/// The cells that one environment's step reads and writes, moved from column to column.
#[derive(Debug)]
pub struct StepCells<'a> {
    /// What to do.
    pub action: CellRef<'a>,
    /// Where the observation goes.
    pub observation: CellMut<'a>,
    /// Where the info goes.
    pub info: CellMut<'a>,
    columns: usize,
}

impl<'a> StepCells<'a> {
    /// Column 0 of three rows of the same columns.
    pub fn new(action: Row<'a>, observation: RowMut<'a>, info: RowMut<'a>) -> Self {
        let columns = action.columns;
        assert!(observation.columns == columns && info.columns == columns && columns > 0);
        let first = |row: RowMut<'a>| CellMut {
            leaves: row.leaves,
            at: At::new(row.row, 0),
            _unique: PhantomData,
        };
        Self { action: action.cell(0), observation: first(observation), info: first(info), columns }
    }

    /// Moves all three to `column`.
    #[inline]
    pub fn move_to(&mut self, column: usize) {
        assert!(column < self.columns);
        for at in [&mut self.action.at, &mut self.observation.at, &mut self.info.at] {
            *at = At::new(at.row(), column);
        }
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
