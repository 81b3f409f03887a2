//! The cells of one leaf in plain host memory, and how they become rows of a tensor.
//!
//! Bytes, because one copy routine then serves `u8` images and `f32` vectors alike.
use rlcore::tensor::slice_mut;
use rlcore::{DType, LeafSpec};
use tch::{Device, Kind, Tensor};

/// Cells of one leaf, back to back.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) spec: LeafSpec,
    cell: usize,
    bytes: Vec<u8>,
}

impl Column {
    /// `cells` zeroed cells; untouched pages cost no memory yet.
    pub(crate) fn new(spec: &LeafSpec, cells: usize) -> Self {
        let cell = spec.cell_bytes();
        Self { spec: spec.clone(), cell, bytes: vec![0; cells * cell] }
    }

    pub(crate) fn all(specs: &[LeafSpec], cells: usize) -> Vec<Self> {
        specs.iter().map(|s| Self::new(s, cells)).collect()
    }

    /// Bytes of `count` cells from `first` on.
    #[inline]
    pub(crate) fn cells(&self, first: usize, count: usize) -> &[u8] {
        &self.bytes[first * self.cell..(first + count) * self.cell]
    }

    #[inline]
    pub(crate) fn cell(&self, index: usize) -> &[u8] {
        self.cells(index, 1)
    }

    /// Overwrites whole cells from `first` on.
    pub(crate) fn write(&mut self, first: usize, bytes: &[u8]) {
        self.bytes[first * self.cell..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Adds a zeroed cell.
    pub(crate) fn grow(&mut self) {
        self.bytes.resize(self.bytes.len() + self.cell, 0);
    }

    /// A host tensor `[n, shape...]` that cells of this leaf can be gathered into.
    pub(crate) fn batch(&self, n: usize) -> Tensor {
        let mut size = vec![n as i64];
        size.extend(self.spec.shape.iter().map(|d| *d as i64));
        Tensor::zeros(size, (kind(self.spec.dtype), Device::Cpu))
    }

    /// Fills row `i` of a tensor from [`Column::batch`] with the i-th of `from`.
    pub(crate) fn gather<'a>(&self, out: &mut Tensor, from: impl Iterator<Item = &'a [u8]>) {
        let out = bytes_mut(out, self.spec.dtype);
        for (to, cell) in out.chunks_exact_mut(self.cell.max(1)).zip(from) {
            to.copy_from_slice(cell);
        }
    }
}

fn kind(dtype: DType) -> Kind {
    match dtype {
        DType::F32 => Kind::Float,
        DType::F64 => Kind::Double,
        DType::I32 => Kind::Int,
        DType::I64 => Kind::Int64,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
    }
}

fn bytes_mut(t: &mut Tensor, dtype: DType) -> &mut [u8] {
    match dtype {
        DType::F32 => bytemuck::cast_slice_mut(slice_mut::<f32>(t)),
        DType::F64 => bytemuck::cast_slice_mut(slice_mut::<f64>(t)),
        DType::I32 => bytemuck::cast_slice_mut(slice_mut::<i32>(t)),
        DType::I64 => bytemuck::cast_slice_mut(slice_mut::<i64>(t)),
        DType::U8 | DType::Bool => slice_mut::<u8>(t),
    }
}
