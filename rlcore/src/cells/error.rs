//! The error of a write into a cell.
use crate::schema::DType;

/// Reasons for which values cannot be written into a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// The space has fewer leaves.
    #[error("leaf {leaf} does not exist: the space has {leaves}")]
    NoLeaf {
        /// Index of the leaf.
        leaf: usize,
        /// Number of leaves of the space.
        leaves: usize,
    },
    /// The number or the type of the elements differs.
    #[error("leaf {leaf} holds {elems} elements of {dtype:?}, but {written} of {of} were written")]
    OtherElements {
        /// Index of the leaf.
        leaf: usize,
        /// Number of elements in one cell of the leaf.
        elems: usize,
        /// Element type of the leaf.
        dtype: DType,
        /// Number of elements that were given.
        written: usize,
        /// Rust type of the elements that were given.
        of: &'static str,
    },
}
