//! The algorithms on blocks of random steps.
mod batches;
mod refusals;
mod updates;

use super::testing::Toy;
use crate::{Algo, PpoConfig};
use rlcore::GlobalSteps;
use tch::Tensor;

const PLAIN: Toy = Toy { remembers: false, normalises: true };
/// After the first batch.
const NOW: GlobalSteps = GlobalSteps(84);
const MEMORY: Toy = Toy { remembers: true, normalises: true };

fn ppo() -> PpoConfig {
    PpoConfig { minibatches: 3, epochs: 2, learning_rate: 0.01, ..Default::default() }
}

fn host(t: &Tensor) -> Vec<f32> {
    Vec::<f32>::try_from(t.detach().reshape([-1])).unwrap()
}

fn near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
}

fn weights(algo: &dyn Algo) -> Vec<f32> {
    host(algo.params().flat())
}
