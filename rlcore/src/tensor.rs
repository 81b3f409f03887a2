//! Tensor and slice views between sample memory and libtorch, without a copy.
//!
//! Unsafe here: `Tensor::from_blob` does not own its memory. Segments are never unmapped, so a tensor that escapes its lease
//! reads stale data; a tensor over a tree's own memory must not outlive the tree, which [`Tree::tensors`] asserts by
//! refusing such trees.
use crate::cells::Tree;
use crate::schema::Element;
use tch::{Device, Tensor};

/// The tensors of one row: `[columns, shape...]` each, in leaf order.
pub type RowTensors = Vec<Tensor>;

impl Tree {
    /// Every leaf as a `[rows, columns, shape...]` tensor over the same memory. Panics unless the tree lies in a segment.
    pub fn tensors(&self) -> Vec<Tensor> {
        assert!(!self.is_owned(), "tensors of a tree that may be freed would dangle");
        let view = |(leaf, spec): (&crate::cells::LeafPtr, &crate::schema::LeafSpec)| {
            let mut size = vec![self.rows() as i64, self.columns() as i64];
            size.extend(spec.shape.iter().map(|d| *d as i64));
            let item = spec.dtype.size();
            let mut strides =
                vec![(leaf.row_stride / item) as i64, (leaf.cell_stride / item) as i64];
            let mut inner: Vec<i64> = Vec::new();
            let mut step = 1;
            for d in spec.shape.iter().rev() {
                inner.push(step);
                step *= *d as i64;
            }
            strides.extend(inner.iter().rev());
            let ptr = leaf.ptr.as_ptr();
            // SAFETY: the leaf's cells lie in a segment, which is never unmapped, with these strides.
            unsafe { Tensor::from_blob(ptr, &size, &strides, spec.dtype.kind(), Device::Cpu) }
        };
        self.leaves.iter().zip(self.specs()).map(view).collect()
    }

    /// For every row, the `[columns, shape...]` tensors of its leaves; created once and used for the life of a sampler.
    pub fn row_tensors(&self) -> Vec<RowTensors> {
        let whole = self.tensors();
        (0..self.rows()).map(|row| whole.iter().map(|t| t.get(row as i64)).collect()).collect()
    }
}

/// The elements of a contiguous CPU tensor. Performs no tensor operation; the slice borrows `t`.
pub fn slice<T: Element>(t: &Tensor) -> &[T] {
    let (ptr, len) = parts::<T>(t);
    // SAFETY: `parts` checked device, layout and type; the tensor is borrowed, so its storage lives.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

/// As [`slice()`], for writing.
pub fn slice_mut<T: Element>(t: &mut Tensor) -> &mut [T] {
    let (ptr, len) = parts::<T>(t);
    // SAFETY: as in `slice`; who may write a tensor that has aliases is the caller's protocol, as with tch's in-place ops.
    unsafe { std::slice::from_raw_parts_mut(ptr, len) }
}

fn parts<T: Element>(t: &Tensor) -> (*mut T, usize) {
    assert!(
        t.device() == Device::Cpu && t.is_contiguous(),
        "a slice needs a contiguous CPU tensor"
    );
    let dtype = match t.kind() {
        tch::Kind::Float => crate::DType::F32,
        tch::Kind::Double => crate::DType::F64,
        tch::Kind::Int => crate::DType::I32,
        tch::Kind::Int64 => crate::DType::I64,
        tch::Kind::Uint8 => crate::DType::U8,
        tch::Kind::Bool => crate::DType::Bool,
        kind => panic!("no slice of {kind:?}"),
    };
    assert!(T::matches(dtype), "tensor holds {dtype:?}, not {}", std::any::type_name::<T>());
    let len = t.numel();
    let ptr =
        if len == 0 { std::ptr::NonNull::<T>::dangling().as_ptr() } else { t.data_ptr().cast() };
    (ptr, len)
}
