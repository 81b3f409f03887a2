//! What a renderer is shown.
use rlcore::LeafSpec;
use rlcore::cells::CellRef;
use std::sync::Arc;

/// One observation, every leaf of it as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    leaves: Arc<[LeafSpec]>,
    values: Vec<Vec<f64>>,
}

impl Observation {
    /// An observation with these values by leaf; `leaves`: of the observation space ([`rlcore::Space::leaves`]).
    pub fn new(leaves: &Arc<[LeafSpec]>, values: Vec<Vec<f64>>) -> Self {
        Self { leaves: leaves.clone(), values }
    }

    /// What `cell` holds.
    pub(super) fn read(leaves: &Arc<[LeafSpec]>, cell: CellRef<'_>) -> Self {
        Self::new(leaves, (0..leaves.len()).map(|leaf| cell.to_f64(leaf)).collect())
    }

    /// The values of a leaf, row-major; a space that is no dict has leaf 0 alone.
    ///
    /// # Panics
    /// There is no such leaf.
    pub fn leaf(&self, index: usize) -> &[f64] {
        &self.values[index]
    }

    /// The values of the leaf whose path ends with `key`, row-major.
    ///
    /// # Panics
    /// There is none; the message names those that are there.
    pub fn named(&self, key: &str) -> &[f64] {
        let ends = |name: &str| name == key || name.ends_with(&format!(".{key}"));
        if let Some(index) = self.leaves.iter().position(|leaf| ends(&leaf.name)) {
            return &self.values[index];
        }
        let names: Vec<&str> = self.leaves.iter().map(|l| l.name.as_str()).collect();
        panic!("the observation has no leaf {key:?}; it has {}", names.join(", "))
    }
}
