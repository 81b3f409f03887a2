//! What the settings of an algorithm say before anything is built.
use rlcore::BatchSpec;
use rlcore::block::BlockOptions;

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
    not(positive, |v| v as f32 > 0.0, "be above zero and finite, as f32 too (about 1e-45 to 3e38)")?;
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
