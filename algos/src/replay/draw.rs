//! How steps are drawn.
use super::Drawable;
use super::state::Place;
use rlcore::checkpoint::NamedArray;
use rlcore::seed::Rng;
use std::fmt::Debug;

/// A way to draw steps. The replay tells it which cells can be drawn; it answers with cells, and
/// never sees keys: the replay drops what comes back too late.
///
/// A strategy that keeps something per cell (a priority) follows [`Draw::ceased`] and
/// [`Draw::became`], between which the replay overwrites cells. One that keeps nothing, such as
/// [`Uniform`](super::Uniform), reads the run of drawable cells when it draws.
pub trait Draw: Debug + Send + Sync {
    /// These cells cannot be drawn from now on; each of them could be until now.
    fn ceased(&mut self, _cells: Drawable<'_>) {}

    /// These cells can be drawn from now on; none of them could be until now.
    fn became(&mut self, _cells: Drawable<'_>) {}

    /// Appends `n` cells of `from`, which is not empty and is the set that `ceased` and `became`
    /// have built, to `cells`.
    fn draw(&mut self, from: Drawable<'_>, rng: &mut Rng, n: usize, cells: &mut Vec<usize>);

    /// New priorities of cells, which still hold what was drawn and can still be drawn.
    fn write_back(&mut self, _priorities: &[(usize, f32)]) {}

    /// What later draws depend on beside the drawable cells. `cells`: those that hold steps, a
    /// prefix of the ring's.
    fn arrays(&self, _cells: usize) -> Vec<NamedArray<'_>> {
        Vec::new()
    }

    /// Where the arrays that [`Draw::arrays`] gave go, in the same order.
    fn places(&mut self, _cells: usize) -> Vec<Place<'_>> {
        Vec::new()
    }

    /// Says that all places were read into. The drawable cells were told before.
    fn loaded(&mut self) {}

    /// Bytes that are taken.
    fn bytes(&self) -> u64 {
        0
    }
}
