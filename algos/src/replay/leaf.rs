//! The cells of one leaf in plain host memory.
//!
//! Cells are bytes, so that one copy routine serves `u8` images and `f32` vectors.
use super::ReplayError;
use rlcore::LeafSpec;
use rlcore::block::{Columns, Part};
use rlcore::cells::Tree;

/// One leaf of the sample block that a [`Store`](super::Store) keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Part of the block that holds the leaf.
    pub part: Part,
    /// Name within the part, element type and shape of one cell.
    pub spec: LeafSpec,
    /// Time steps between two rows of the leaf: 1, except for recurrent state, which the block records
    /// at steps 0, k, 2k, ...
    pub every: usize,
}

impl StoredLeaf {
    /// Leaves of one part that have a row for every time step.
    pub fn each_step(part: Part, leaves: &[LeafSpec]) -> impl Iterator<Item = Self> {
        leaves.iter().map(move |spec| Self { part, spec: spec.clone(), every: 1 })
    }

    /// Bytes of `rows` time steps of `columns` environments; saturates.
    pub(super) fn bytes(&self, rows: usize, columns: usize) -> u64 {
        product(&[rows / self.every.max(1), columns, cell_bytes(&self.spec)])
    }

    /// The tree of a block that holds the leaf, and the leaf's index there.
    fn find<'a>(&self, samples: &'a Columns) -> Option<(&'a Tree, usize)> {
        let tree = samples.parts()[self.part as usize].1;
        tree.specs().iter().position(|spec| *spec == self.spec).map(|index| (tree, index))
    }
}

/// Bytes of one cell; saturates.
pub(super) fn cell_bytes(spec: &LeafSpec) -> usize {
    spec.shape.iter().fold(spec.dtype.size(), |bytes, d| bytes.saturating_mul(*d))
}

/// Saturating product of sizes.
pub(super) fn product(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |product, size| product.saturating_mul(*size as u64))
}

/// Zeroed memory, or an error where there is too little. Pages that are never written cost nothing.
pub(super) fn zeroed<T: Clone + Default>(len: usize) -> Result<Vec<T>, ReplayError> {
    let refused = |_| ReplayError::NoMemory { bytes: product(&[len, size_of::<T>()]) };
    // `vec!` gets zeroed pages from the system without writing them, but aborts where it gets none:
    // this reservation fails first, and is released at once.
    Vec::<T>::new().try_reserve_exact(len).map_err(refused)?;
    Ok(vec![T::default(); len])
}

/// The cells of one leaf, contiguous.
#[derive(Debug)]
pub(super) struct LeafStore {
    pub(super) leaf: StoredLeaf,
    cell: usize,
    bytes: Vec<u8>,
}

impl LeafStore {
    pub(super) fn new(leaf: StoredLeaf, cells: usize) -> Result<Self, ReplayError> {
        let cell = cell_bytes(&leaf.spec);
        Ok(Self { leaf, cell, bytes: zeroed(cells.saturating_mul(cell))? })
    }

    #[inline]
    pub(super) fn cell(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.cell..][..self.cell]
    }

    /// The first `count` cells.
    pub(super) fn first(&self, count: usize) -> &[u8] {
        &self.bytes[..count * self.cell]
    }

    /// [`LeafStore::first`], mutable.
    pub(super) fn first_mut(&mut self, count: usize) -> &mut [u8] {
        &mut self.bytes[..count * self.cell]
    }

    /// Overwrites whole cells from `first` on.
    pub(super) fn write(&mut self, first: usize, bytes: &[u8]) {
        self.bytes[first * self.cell..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Grows to at least `cells` cells; new ones are zeroed. Grows by a sixteenth at a time, so that
    /// the memory in use stays within a few percent of what is needed.
    pub(super) fn resize(&mut self, cells: usize) {
        let (len, need) = (self.bytes.len(), cells * self.cell);
        if need > self.bytes.capacity() {
            self.bytes.reserve_exact(need.max(len + len / 16) - len);
        }
        self.bytes.resize(need, 0);
    }

    /// Bytes of memory in use.
    pub(super) fn taken(&self) -> u64 {
        self.bytes.capacity() as u64
    }

    /// Checks that a block holds this leaf for `steps` time steps.
    pub(super) fn check(&self, samples: &Columns, steps: usize) -> Result<(), ReplayError> {
        let StoredLeaf { part, spec, every } = &self.leaf;
        let Some((tree, _)) = self.leaf.find(samples) else {
            let there = samples.parts()[*part as usize].1.specs();
            return Err(ReplayError::NotRecorded {
                part: *part,
                leaf: spec.clone(),
                there: there.to_vec(),
            });
        };
        if !steps.is_multiple_of(*every) {
            let leaf = spec.name.clone();
            return Err(ReplayError::Interval { leaf, every: *every, steps, of: "a batch" });
        }
        let extra = matches!(part, Part::Observation | Part::PrevAction | Part::PrevReward);
        let rows = steps / every + usize::from(extra);
        if tree.rows() != rows {
            return Err(ReplayError::OtherInterval {
                leaf: spec.name.clone(),
                every: *every,
                steps,
                rows,
                found: tree.rows(),
            });
        }
        Ok(())
    }

    /// Copies `steps` time steps of a block that passed [`LeafStore::check`] into a ring of `rows`
    /// time steps, from time step `cursor` on.
    pub(super) fn append(&mut self, samples: &Columns, steps: usize, cursor: usize, rows: usize) {
        let every = self.leaf.every;
        let (tree, index) = self.leaf.find(samples).expect("`check` found it");
        for i in 0..steps / every {
            let row = (cursor / every + i) % (rows / every);
            self.write(row * tree.columns(), tree.row_bytes(index, i));
        }
    }
}
