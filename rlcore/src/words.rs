//! The words of a shared structure, as the manifest describes them.
use serde::{Deserialize, Serialize};

/// One word of a shared structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Name, such as `command.seq`.
    pub name: String,
    /// Offset within the structure, bytes.
    pub offset: usize,
    /// Width in bytes: 4 or 8.
    pub bytes: usize,
    /// The writer: `master`, `worker`, `slice`, `program`, or `waiters` for the sleepers of a wake word.
    pub writer: String,
}

impl Word {
    pub(crate) fn new(name: &str, offset: usize, bytes: usize, writer: &str) -> Self {
        Self { name: name.into(), offset, bytes, writer: writer.into() }
    }

    /// The two words that make up a wake word.
    pub(crate) fn wake(name: &str, offset: usize, poster: &str) -> [Self; 2] {
        [
            Self::new(&format!("{name}.seq"), offset, 4, poster),
            Self::new(&format!("{name}.sleepers"), offset + 4, 4, "waiters"),
        ]
    }
}
