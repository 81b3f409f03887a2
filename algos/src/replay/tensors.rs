//! Batches as tensors: the only file of the replay that uses libtorch.
use super::batch::{BatchLeaf, Transitions};
use rlcore::tensor::slice_mut;
use rlcore::{DType, LeafSpec};
use tch::{Device, Kind, Tensor};

/// Transitions in tensors on the host. [`gather`](super::TransitionReplay::gather) overwrites them in
/// place: complete everything that is computed from them, backward passes included, before the next
/// call.
pub type TensorBatch = Transitions<Tensor>;

impl BatchLeaf for Tensor {
    fn zeroed(spec: &LeafSpec) -> Self {
        let size: Vec<i64> = spec.shape.iter().map(|d| *d as i64).collect();
        Tensor::zeros(size, (kind(spec.dtype), Device::Cpu))
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self.kind() {
            Kind::Float => bytemuck::cast_slice_mut(slice_mut::<f32>(self)),
            Kind::Double => bytemuck::cast_slice_mut(slice_mut::<f64>(self)),
            Kind::Int => bytemuck::cast_slice_mut(slice_mut::<i32>(self)),
            Kind::Int64 => bytemuck::cast_slice_mut(slice_mut::<i64>(self)),
            _ => slice_mut::<u8>(self),
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
