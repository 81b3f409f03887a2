//! One column of one time step: where an environment puts its observation.
use super::error::CellError;
use super::{LeafPtr, Row, RowMut};
use crate::schema::{DType, Element};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Row and column in one word.
// PERF: cells are handed from function to function in memory; two halves stored apart and loaded together would wait for the
// store buffer: 55 ns per step of CartPole instead of 27 ns (`experiments bench samplers`, random actions).
#[derive(Clone, Copy, Debug)]
pub(super) struct At(u64);

impl At {
    #[inline]
    pub(super) fn new(row: usize, column: usize) -> Self {
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
    pub(super) leaves: &'a [LeafPtr],
    pub(super) at: At,
}

macro_rules! typed {
    ($($name:ident: $t:ty),*) => {
        impl<'a> CellRef<'a> {$(
            /// The elements of a leaf; panics if the leaf has another element type.
            #[inline]
            pub fn $name(self, leaf: usize) -> &'a [$t] { self.get(leaf) }
        )*}
        impl CellMut<'_> {$(
            /// The elements of a leaf; panics if the leaf has another element type.
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
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()).cast(), l.elems)
                .as_ref()
        }
    }

    /// The bytes of a leaf.
    pub fn bytes(self, leaf: usize) -> &'a [u8] {
        let l = &self.leaves[leaf];
        // SAFETY: as in `get`; any initialised byte is a u8.
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()), l.cell_stride)
                .as_ref()
        }
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
    pub(super) leaves: &'a [LeafPtr],
    pub(super) at: At,
    pub(super) _unique: PhantomData<&'a mut u8>,
}

impl CellMut<'_> {
    /// The elements of a leaf.
    #[inline]
    pub fn get<T: Element>(&mut self, leaf: usize) -> &mut [T] {
        let l = &self.leaves[leaf];
        l.check::<T>();
        // SAFETY: row and column are in bounds, and the borrow of self makes this the only view.
        unsafe {
            NonNull::slice_from_raw_parts(l.at(self.at.row(), self.at.column()).cast(), l.elems)
                .as_mut()
        }
    }

    /// The same cell, for reading.
    pub fn as_ref(&self) -> CellRef<'_> {
        CellRef { leaves: self.leaves, at: self.at }
    }

    /// Copies `values` into a leaf; returns an error if the number or the type of elements differs.
    pub fn write<T: Element>(&mut self, leaf: usize, values: &[T]) -> Result<(), CellError> {
        let Some(l) = self.leaves.get(leaf) else {
            return Err(CellError::NoLeaf { leaf, leaves: self.leaves.len() });
        };
        if !T::matches(l.dtype) || values.len() != l.elems {
            return Err(CellError::OtherElements {
                leaf,
                elems: l.elems,
                dtype: l.dtype,
                written: values.len(),
                of: std::any::type_name::<T>(),
            });
        }
        self.get(leaf).copy_from_slice(values);
        Ok(())
    }

    /// Copies all leaves from a cell with the same leaf specs.
    pub fn copy_from(&mut self, from: CellRef<'_>) {
        assert_eq!(self.leaves.len(), from.leaves.len());
        for (to, l) in self.leaves.iter().zip(from.leaves) {
            assert_eq!(to.cell_stride, l.cell_stride);
            // SAFETY: both cells are in bounds and of the same size; `copy` allows overlap.
            unsafe {
                l.at(from.at.row(), from.at.column())
                    .copy_to(to.at(self.at.row(), self.at.column()), l.cell_stride);
            };
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
            ($t:ty) => {
                for (i, v) in self.get::<$t>(leaf).iter_mut().enumerate() {
                    *v = f(i) as $t;
                }
            };
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
    /// The action.
    pub action: CellRef<'a>,
    /// The cell that receives the observation.
    pub observation: CellMut<'a>,
    /// The cell that receives the info.
    pub info: CellMut<'a>,
    /// Column of the trees that is column 0 here.
    first: usize,
    columns: usize,
}

impl<'a> StepCells<'a> {
    /// Column 0 of three rows of the same columns.
    pub fn new(action: Row<'a>, observation: RowMut<'a>, info: RowMut<'a>) -> Self {
        let columns = action.columns;
        assert!(observation.columns == columns && info.columns == columns && columns > 0);
        let start = action.first;
        assert!(observation.first == start && info.first == start);
        let first = |row: RowMut<'a>| CellMut {
            leaves: row.leaves,
            at: At::new(row.row, start),
            _unique: PhantomData,
        };
        Self {
            action: action.cell(0),
            observation: first(observation),
            info: first(info),
            first: start,
            columns,
        }
    }

    /// Moves all three to `column`.
    #[inline]
    pub fn move_to(&mut self, column: usize) {
        assert!(column < self.columns);
        for at in [&mut self.action.at, &mut self.observation.at, &mut self.info.at] {
            *at = At::new(at.row(), self.first + column);
        }
    }
}
