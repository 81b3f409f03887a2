//! The state of a sampler that a resumed run needs to continue its episodes to the bit. One entry per column, so that another number
//! of workers can continue.
use rlcore::cells::Tree;
use rlcore::seed::Rng;
use rlcore::traj::Trackers;
use serde::{Deserialize, Serialize};

/// The environment's part of a column's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvState {
    /// The environment's own state; `None` if it cannot save its state.
    pub env: Option<Vec<u8>>,
    /// The last observation, the bytes of each leaf.
    pub observation: Vec<Vec<u8>>,
    /// The last action (null after `done`), the bytes of each leaf.
    pub prev_action: Vec<Vec<u8>>,
    /// The last reward, zero after `done`.
    pub prev_reward: f32,
    /// Not zero if the last step was `done`.
    pub fresh: u8,
    /// Not zero if the environment waits for its reset.
    pub to_reset: u8,
    /// Running sums of the unfinished episode.
    pub tracker: Trackers,
}

/// The agent's part of a column's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActState {
    /// Recurrent state, the bytes of each leaf.
    pub state: Vec<Vec<u8>>,
    /// Random stream of acting.
    pub rng: Rng,
}

/// The complete state of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnState {
    /// State of the process that steps the environment.
    pub env: EnvState,
    /// State of the process that chooses its actions.
    pub act: ActState,
}

/// All columns of a sampler, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplerState {
    /// One entry per column.
    pub columns: Vec<ColumnState>,
}

impl SamplerState {
    /// Whether every environment could save its state; if not, a resumed run starts new episodes there.
    pub fn exact(&self) -> bool {
        self.columns.iter().all(|c| c.env.env.is_some())
    }
}

pub(crate) fn column_bytes(tree: &Tree, row: usize, column: usize) -> Vec<Vec<u8>> {
    let cell = tree.cell(row, column);
    (0..tree.specs().len()).map(|leaf| cell.bytes(leaf).to_vec()).collect()
}

pub(crate) fn set_column_bytes(tree: &mut Tree, row: usize, column: usize, bytes: &[Vec<u8>]) {
    let mut cell = tree.cell_mut(row, column);
    for (leaf, bytes) in bytes.iter().enumerate() {
        cell.set_bytes(leaf, bytes);
    }
}
