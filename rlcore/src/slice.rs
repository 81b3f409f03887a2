//! A slice of columns: the environments that one worker steps, as a collector sees them.

/// What a finished episode does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// Resets in the step that ended it; the reset observation is what the next step sees.
    AtOnce,
    /// Waits for the end of the batch; skipped steps are recorded as not valid.
    Wait,
}

/// A row of one slot of the block, as a program that maps the segment finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Slot of the block.
    pub slot: usize,
    /// Row within the slot.
    pub row: usize,
}
