//! What can be wrong about a write into a cell.
use crate::schema::DType;

/// Why values were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// The tree has fewer leaves.
    #[error("leaf {leaf} does not exist: the space has {leaves}")]
    NoLeaf {
        /// The leaf that was named.
        leaf: usize,
        /// Leaves that there are.
        leaves: usize,
    },
    /// Number or type of the elements differ.
    #[error("leaf {leaf} holds {elems} elements of {dtype:?}, but {written} of {of} were written")]
    OtherElements {
        /// The leaf that was named.
        leaf: usize,
        /// Elements in one cell of it.
        elems: usize,
        /// Their type.
        dtype: DType,
        /// Elements that were given.
        written: usize,
        /// Their Rust type.
        of: &'static str,
    },
}
