//! Named, typed arrays (leaves) and the leading dimensions that they have in a sample block.
use crate::batch_spec::BatchSpec;
use serde::{Deserialize, Serialize};

/// Element types of a sample block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Byte.
    U8,
    /// Byte that is 0 or 1; a bool tensor in libtorch, a `u8` slice in Rust.
    Bool,
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
            Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether this type can represent NaN.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    #[cfg(feature = "tch")]
    pub(crate) fn kind(self) -> tch::Kind {
        match self {
            Self::F32 => tch::Kind::Float,
            Self::F64 => tch::Kind::Double,
            Self::I32 => tch::Kind::Int,
            Self::I64 => tch::Kind::Int64,
            Self::U8 => tch::Kind::Uint8,
            Self::Bool => tch::Kind::Bool,
        }
    }
}

/// A Rust type as which the elements of a leaf can be read and written.
pub trait Element: bytemuck::Pod + PartialEq + std::fmt::Debug + Send + Sync {
    /// Whether leaves of `dtype` hold this type.
    fn matches(dtype: DType) -> bool;
}

macro_rules! element {
    ($($t:ty => $p:pat),*) => {$(
        impl Element for $t {
            #[inline]
            fn matches(dtype: DType) -> bool { matches!(dtype, $p) }
        }
    )*};
}
element!(f32 => DType::F32, f64 => DType::F64, i32 => DType::I32, i64 => DType::I64, u8 => DType::U8 | DType::Bool);

/// The name, element type and shape of one array, without its leading dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafSpec {
    /// Path in its tree, such as `observation.board`.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Shape of one cell; empty for a scalar.
    pub shape: Vec<usize>,
}

impl LeafSpec {
    /// A leaf with one scalar per cell.
    pub fn scalar(name: &str, dtype: DType) -> Self {
        Self { name: name.to_owned(), dtype, shape: vec![] }
    }

    /// A leaf of `shape`.
    pub fn array(name: &str, dtype: DType, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), dtype, shape: shape.to_vec() }
    }

    /// Number of elements in one cell; `usize::MAX` on overflow, which no memory can hold.
    pub fn elems(&self) -> usize {
        self.shape.iter().fold(1, |n, d| n.saturating_mul(*d))
    }

    /// Number of bytes in one cell; `usize::MAX` on overflow.
    pub fn cell_bytes(&self) -> usize {
        self.elems().saturating_mul(self.dtype.size())
    }

    /// Bytes of `rows * columns` cells, rounded up to a multiple of `align`; `usize::MAX` on overflow.
    pub fn array_bytes(&self, rows: usize, columns: usize, align: usize) -> usize {
        let bytes = rows.saturating_mul(columns).saturating_mul(self.cell_bytes());
        bytes.checked_next_multiple_of(align).unwrap_or(usize::MAX)
    }
}

/// The leading dimensions of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lead {
    /// `[T+1, B]`: row T follows the last step.
    StepsPlusOne,
    /// `[T, B]`.
    Steps,
    /// `[ceil(T/k), B]`: every k-th step.
    Every(usize),
    /// `[k, B]`: up to k values for each column, in order of time.
    Slots(usize),
    /// `[B]`, kept as one row.
    Envs,
}

impl Lead {
    /// Rows of `B` cells.
    pub fn rows(self, spec: BatchSpec) -> usize {
        match self {
            Self::StepsPlusOne => spec.t.saturating_add(1),
            Self::Steps => spec.t,
            Self::Every(k) => spec.t.div_ceil(k),
            Self::Slots(k) => k,
            Self::Envs => 1,
        }
    }
}
