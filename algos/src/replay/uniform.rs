//! Uniform draws, with replacement.
//!
//! Follows rlpyt's `replays/non_sequence/uniform.py`. Differences: skipped steps are never drawn, and a
//! draw is uniform over the others.
use super::{Draw, Drawable};
use rand::RngExt;
use rlcore::seed::Rng;

/// After this many rejected candidates a draw counts through the drawable cells instead: exact, but
/// O(n). Happens only where most steps are skipped.
const TRIES: usize = 32;

/// Draws every drawable cell with the same probability.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Draw for Uniform {
    fn draw(&mut self, from: Drawable<'_>, rng: &mut Rng, n: usize, cells: &mut Vec<usize>) {
        let candidates = from.candidates();
        cells.extend((0..n).map(|_| {
            let tried = (0..TRIES).find_map(|_| from.get(rng.random_range(0..candidates)));
            tried.unwrap_or_else(|| {
                let nth = rng.random_range(0..from.len());
                from.cells().nth(nth).expect("`len` counts what `cells` yields")
            })
        }));
    }
}
