//! What the saved states of all algorithms share: flat vectors as arrays, f32 or f64.
use crate::algo::Restored;
use crate::error::AlgoError;
use rlcore::DType;
use rlcore::checkpoint::NamedArray;
use std::borrow::Cow;
use tch::{Device, Tensor};

/// An error while `due` updates of a batch are still due.
pub(crate) fn between_batches(due: u64) -> Result<(), AlgoError> {
    if due == 0 {
        return Ok(());
    }
    Err(AlgoError::State(format!(
        "{due} updates of a batch are still due, and the position within a batch is not saved: call `learn` until `due` is 0"
    )))
}

/// An array `[len] f32` of a tensor's values, copied from its device.
pub(crate) fn flat_array(name: &str, t: &Tensor) -> NamedArray<'static> {
    let mut values = vec![0f32; t.numel()];
    let len = values.len();
    t.to_device(Device::Cpu).copy_data(&mut values, len);
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(name, DType::F32, len, bytes)
}

/// An array `[len] f64`.
pub(crate) fn exact_array(name: &str, values: &[f64]) -> NamedArray<'static> {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(name, DType::F64, values.len(), bytes)
}

/// Reads what [`flat_array`] made; an error where it is missing or not `len` long.
pub(crate) fn flat_values(
    saved: &Restored<'_>,
    name: &str,
    len: usize,
) -> Result<Vec<f32>, AlgoError> {
    Ok(saved.arrays.vec(name, &[len])?)
}

/// Reads what [`exact_array`] made; an error where it is missing or not `len` long.
pub(crate) fn exact_values(
    saved: &Restored<'_>,
    name: &str,
    len: usize,
) -> Result<Vec<f64>, AlgoError> {
    Ok(saved.arrays.vec(name, &[len])?)
}

fn array(name: &str, dtype: DType, len: usize, bytes: Vec<u8>) -> NamedArray<'static> {
    NamedArray { name: name.to_owned(), shape: vec![len], dtype, bytes: Cow::Owned(bytes) }
}
