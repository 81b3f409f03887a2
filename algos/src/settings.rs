//! What the settings of an algorithm say before anything is built.
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};

/// The settings of an algorithm: data, and what follows from the data alone.
pub trait AlgoSettings: std::fmt::Debug {
    /// Says which setting cannot be, and what to change.
    fn check(&self, spec: BatchSpec) -> Result<(), String>;

    /// Discount per time step.
    fn discount(&self) -> f64;

    /// What the samples have to hold for the algorithm, beside what every batch holds.
    fn records(&self, _spec: BatchSpec) -> BlockOptions {
        BlockOptions::default()
    }

    /// Memory that the algorithm takes beside the sampler's, bytes: replay, copies of a batch, parameters with their gradients
    /// and the optimiser's moments, what a backward pass keeps. An estimate; it saturates.
    fn bytes(&self, spaces: &EnvSpaces, spec: BatchSpec, model: &ModelSize) -> u64;

    /// The part of [`AlgoSettings::bytes`] that a replay takes, and the setting that it follows from; none without a replay.
    fn remembered(&self, _spaces: &EnvSpaces, _spec: BatchSpec) -> Option<Remembered> {
        None
    }
}

/// Memory of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its size.
    pub bytes: u64,
    /// The setting that it follows from, such as `algo.replay_size`.
    pub setting: &'static str,
    /// The value of that setting.
    pub value: usize,
}

/// Copies of the parameters that training holds: values, gradient, two moments, the optimiser's scratch.
const TRAINED_COPIES: u64 = 5;

/// Bytes of the parameters, of their gradient and of the optimiser; `others`: further copies of the values alone (a target
/// network, the vector that is published).
pub(crate) fn parameter_bytes(model: &ModelSize, others: u64) -> u64 {
    let copies = (model.trained as u64).saturating_mul(TRAINED_COPIES - 1);
    let values = (model.params as u64).saturating_mul(1 + others);
    copies.saturating_add(values).saturating_mul(4)
}

/// Bytes that a forward and a backward pass over `rows` rows keep: what the layers put out, and its gradient.
pub(crate) fn pass_bytes(model: &ModelSize, rows: u64) -> u64 {
    (model.activations as u64).saturating_mul(rows).saturating_mul(2 * 4)
}

/// Bytes of one step's observation and action.
pub(crate) fn step_bytes(spaces: &EnvSpaces) -> u64 {
    let leaves = spaces.observation.leaves("").into_iter().chain(spaces.action.leaves(""));
    leaves.map(|leaf| leaf.cell_bytes() as u64).fold(0, u64::saturating_add)
}

/// An error that names the first setting out of range. `positive`: above zero; `shares`: within 0 and 1; `others`: not below
/// zero. Tensors hold f32, so a value must be one there too: neither infinite nor rounded to zero.
pub(crate) fn check(
    positive: &[(&str, f64)],
    shares: &[(&str, f64)],
    others: &[(&str, f64)],
) -> Result<(), String> {
    let not = |all: &[(&str, f64)], fits: fn(f64) -> bool, rule: &str| {
        let bad = all.iter().find(|(_, v)| !((*v as f32).is_finite() && fits(*v)));
        bad.map_or(Ok(()), |(name, value)| Err(format!("algo.{name} = {value}: it must {rule}")))
    };
    not(
        positive,
        |v| v as f32 > 0.0,
        "be above zero and finite, as f32 too (about 1e-45 to 3e38)",
    )?;
    not(shares, |v| (0.0..=1.0).contains(&v), "lie within 0 and 1")?;
    not(others, |v| v >= 0.0, "be zero or above, and finite, as f32 too (up to about 3e38)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_as_tensors_hold_them() {
        let positive = |v| check(&[("x", v)], &[], &[]);
        positive(1e-30).unwrap();
        for v in [0.0, -1.0, 1e-320, 1e308, f64::INFINITY, f64::NAN] {
            assert!(positive(v).unwrap_err().contains("algo.x = "), "{v}");
        }
        check(&[], &[("x", 1.0)], &[("y", 0.0)]).unwrap();
        assert!(check(&[], &[("x", 1.1)], &[]).is_err());
        assert!(check(&[], &[], &[("y", 1e308)]).is_err());
    }
}
