//! The interface of drawing strategies.
use super::Drawable;
use super::state::Place;
use rlcore::checkpoint::NamedArray;
use rlcore::seed::Rng;
use std::fmt::Debug;

/// A strategy that draws steps. The replay tells it which cells can be drawn, and it answers with
/// cells. It never sees keys: the replay drops priorities that come back too late.
///
/// A strategy that keeps something per cell (a priority) follows [`Draw::ceased`] and
/// [`Draw::became`], between which the replay overwrites cells. One that keeps nothing, such as
/// [`Uniform`](super::Uniform), reads the run of drawable cells when it draws.
pub trait Draw: Debug + Send + Sync {
    /// Says that these cells can no longer be drawn; each of them could be until now.
    fn ceased(&mut self, _cells: Drawable<'_>) {}

    /// Says that these cells can be drawn from now on; none of them could be until now.
    fn became(&mut self, _cells: Drawable<'_>) {}

    /// Draws `n` cells of `from` and appends them to `cells`. `from` is not empty, and is the set
    /// that the calls of `ceased` and `became` add up to.
    fn draw(&mut self, from: Drawable<'_>, rng: &mut Rng, n: usize, cells: &mut Vec<usize>);

    /// Takes new priorities of cells, which still hold the steps that were drawn and can be drawn
    /// again.
    fn write_back(&mut self, _priorities: &[(usize, f32)]) {}

    /// The arrays to save: what later draws depend on, apart from the drawable cells. `cells`: number
    /// of cells that hold steps, which are the first of the ring.
    fn arrays(&self, _cells: usize) -> Vec<NamedArray<'_>> {
        Vec::new()
    }

    /// The memory into which the arrays of [`Draw::arrays`] are read, in the same order.
    fn places(&mut self, _cells: usize) -> Vec<Place<'_>> {
        Vec::new()
    }

    /// Says that all arrays have been read. The drawable cells were told before.
    fn loaded(&mut self) {}

    /// Bytes of memory in use.
    fn bytes(&self) -> u64 {
        0
    }
}
