//! Policies for tests of identity to the bit: the action of a row does not depend on the other rows of its batch.
mod by_row;
mod grid;
mod slice;

pub use self::by_row::ByRow;
pub use self::grid::{GridMlp, GridPg, grid_dqn};
pub use self::slice::{SliceAgent, SlicePolicy};

use rlcore::seed::{Rng, Role, rng, seed_of};

fn draw(rng: &mut Rng, n: u64) -> u64 {
    use rand::RngExt;
    rng.random_range(0..n)
}

/// Multiples of 1/8 within +-1/2.
pub fn grid_weights(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = rng(seed_of(seed, Role::Init, 0));
    (0..count).map(|_| (draw(&mut rng, 9) as f32 - 4.0) / 8.0).collect()
}
