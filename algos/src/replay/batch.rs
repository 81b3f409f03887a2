//! Batches, which the caller owns, in memory of the caller's choice.
use super::n_step::Window;
use rlcore::LeafSpec;
use rlcore::schema::Element;

/// Memory of one array of a batch: contiguous, on the host. Tensors and [`HostLeaf`] implement it.
pub trait BatchLeaf {
    /// Zeroed memory. The shape of `spec` is that of the whole array, `[N, ...]`.
    fn zeroed(spec: &LeafSpec) -> Self;

    /// All of its bytes, row-major.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// An array of a batch in plain memory.
#[derive(Clone, Debug, PartialEq)]
pub struct HostLeaf {
    spec: LeafSpec,
    words: Vec<u64>,
}

impl BatchLeaf for HostLeaf {
    fn zeroed(spec: &LeafSpec) -> Self {
        Self { words: vec![0; spec.cell_bytes().div_ceil(8)], spec: spec.clone() }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.spec.cell_bytes()]
    }
}

impl HostLeaf {
    /// Name, element type and whole shape, `[N, ...]`.
    pub fn spec(&self) -> &LeafSpec {
        &self.spec
    }

    /// The elements.
    ///
    /// # Panics
    /// The leaf holds another type.
    pub fn get<T: Element>(&self) -> &[T] {
        let LeafSpec { name, dtype, .. } = &self.spec;
        let wanted = std::any::type_name::<T>();
        assert!(T::matches(*dtype), "`{name}` holds {dtype:?}, not {wanted}");
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        bytemuck::cast_slice(&bytes[..self.spec.cell_bytes()])
    }
}

/// N transitions, allocated once by [`TransitionReplay::batch`](super::TransitionReplay::batch) and
/// filled by [`TransitionReplay::gather`](super::TransitionReplay::gather) as often as wanted.
#[derive(Debug)]
pub struct Transitions<L> {
    /// `[N, shape...]` for each observation leaf.
    pub observation: Vec<L>,
    /// `[N, shape...]` for each action leaf.
    pub action: Vec<L>,
    /// `[N] f32`: discounted n-step return.
    pub return_: L,
    /// `[N] f32`: the factor of the next observation's value, `gamma^horizon`, zero after
    /// termination.
    pub bootstrap: L,
    /// `[N, shape...]` for each observation leaf: the observation after the window, or the final
    /// observation of the truncated step that ends it. Any stored observation where `bootstrap` is
    /// zero.
    pub next_observation: Vec<L>,
    pub(super) len: usize,
    pub(super) windows: Vec<Window>,
}

impl<L> Transitions<L> {
    /// Number of transitions, N.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether N is zero.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Fills an array row by row.
pub(super) fn fill<'a>(out: &mut impl BatchLeaf, rows: impl ExactSizeIterator<Item = &'a [u8]>) {
    let out = out.bytes_mut();
    let row = out.len() / rows.len().max(1);
    for (to, from) in out.chunks_exact_mut(row.max(1)).zip(rows) {
        to.copy_from_slice(from);
    }
}

/// Fills an array `[N] f32`.
pub(super) fn fill_f32(out: &mut impl BatchLeaf, values: impl Iterator<Item = f32>) {
    for (to, value) in out.bytes_mut().chunks_exact_mut(4).zip(values) {
        to.copy_from_slice(&value.to_ne_bytes());
    }
}
