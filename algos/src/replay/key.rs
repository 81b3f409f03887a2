//! Names of drawn steps that stay valid after the draw.

/// The name of one drawn step. A ring overwrites its cells, so a key has a generation too: what comes
/// back late, such as a priority from a learner in another thread, is dropped where the cell holds
/// another step by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Number of the cell, `row * columns + column`.
    pub cell: usize,
    /// How often the cell had been overwritten when the step was drawn.
    pub generation: u64,
}
