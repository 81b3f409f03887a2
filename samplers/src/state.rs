//! What a resumed run needs to continue its episodes to the bit. By column, so that another number of workers can take over.
use rlcore::cells::Tree;
use rlcore::seed::Rng;
use rlcore::traj::Trackers;
use serde::{Deserialize, Serialize};

/// The environment's side of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvState {
    /// The environment's own state; none where it cannot say.
    pub env: Option<Vec<u8>>,
    /// What it showed last, bytes of each leaf.
    pub observation: Vec<Vec<u8>>,
    /// The last action, null after `done`, bytes of each leaf.
    pub prev_action: Vec<Vec<u8>>,
    /// The last reward, zero after `done`.
    pub prev_reward: f32,
    /// The last step was `done`.
    pub fresh: u8,
    /// It waits to be reset.
    pub to_reset: u8,
    /// The unfinished episode.
    pub tracker: Trackers,
}

/// The acting side of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActState {
    /// Recurrent state, bytes of each leaf.
    pub state: Vec<Vec<u8>>,
    /// The acting stream.
    pub rng: Rng,
}

/// Everything that the future of one environment depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnState {
    /// Where it steps.
    pub env: EnvState,
    /// Where its actions are chosen.
    pub act: ActState,
}

/// All columns of a sampler, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplerState {
    /// By column.
    pub columns: Vec<ColumnState>,
}

impl SamplerState {
    /// Whether every environment could save itself; where not, resuming starts new episodes.
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
