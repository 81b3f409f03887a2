//! Arrays of a saved state: flat f32 vectors, and f64 ones that must come back to the bit.
use crate::algo::{AlgoError, Saved};
use rlcore::DType;
use rlcore::checkpoint::NamedArray;
use std::borrow::Cow;
use tch::{Device, Tensor};

/// A tensor's values, whatever its device, as `[len] f32`.
pub(crate) fn flat_array(name: &str, t: &Tensor) -> NamedArray<'static> {
    let mut values = vec![0f32; t.numel()];
    let len = values.len();
    t.to_device(Device::Cpu).copy_data(&mut values, len);
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(name, DType::F32, len, bytes)
}

/// `[len] f64`.
pub(crate) fn exact_array(name: &str, values: &[f64]) -> NamedArray<'static> {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(name, DType::F64, values.len(), bytes)
}

/// What [`flat_array`] saved; an error where it is not there or not `len` long.
pub(crate) fn flat_values(
    saved: &Saved<'_>,
    name: &str,
    len: usize,
) -> Result<Vec<f32>, AlgoError> {
    let found = find(saved, name, DType::F32, len)?.bytes.chunks_exact(4);
    Ok(found.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// What [`exact_array`] saved.
pub(crate) fn exact_values(
    saved: &Saved<'_>,
    name: &str,
    len: usize,
) -> Result<Vec<f64>, AlgoError> {
    let found = find(saved, name, DType::F64, len)?.bytes.chunks_exact(8);
    Ok(found
        .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect())
}

fn array(name: &str, dtype: DType, len: usize, bytes: Vec<u8>) -> NamedArray<'static> {
    NamedArray { name: name.to_owned(), shape: vec![len], dtype, bytes: Cow::Owned(bytes) }
}

fn find<'a>(
    saved: &'a Saved<'_>,
    name: &str,
    dtype: DType,
    len: usize,
) -> Result<&'a NamedArray<'a>, AlgoError> {
    let array = saved.arrays.iter().find(|a| a.name == name);
    let array = array.ok_or_else(|| AlgoError::State(format!("array {name} is missing")))?;
    if array.dtype != dtype || array.shape != [len] {
        return Err(AlgoError::State(format!(
            "array {name} is {:?} {:?}, the model needs {dtype:?} [{len}]",
            array.dtype, array.shape
        )));
    }
    Ok(array)
}
