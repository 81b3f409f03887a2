//! What was drawn, in a form that outlives the draw.

/// One drawn step. A ring overwrites its cells, so a key also says which step the cell held: work
/// that comes back late, such as a priority from a learner in another thread, is dropped where the
/// cell holds another step by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Number of the cell, `row * columns + column`.
    pub cell: usize,
    /// How often the cell had been overwritten.
    pub generation: u64,
}
