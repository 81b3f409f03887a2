//! What the settings of the algorithms share.
use serde::{Deserialize, Serialize};

/// Over what advantages are shifted and scaled to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeAdvantage {
    /// They are not.
    #[default]
    Off,
    /// All valid steps of the batch, before it is cut up (rlpyt's `normalize_advantage=True`).
    Batch,
    /// Each minibatch (stable-baselines3, CleanRL).
    Minibatch,
}

/// An error that names the first setting out of range. `positive`: above zero; `shares`: within 0 and 1; `others`: not below
/// zero.
pub(super) fn check(
    positive: &[(&str, f64)],
    shares: &[(&str, f64)],
    others: &[(&str, f64)],
) -> Result<(), String> {
    let not = |all: &[(&str, f64)], fits: fn(f64) -> bool, rule: &str| {
        let bad = all.iter().find(|(_, v)| !(v.is_finite() && fits(*v)));
        bad.map_or(Ok(()), |(name, value)| Err(format!("algo.{name} = {value}: it must {rule}")))
    };
    not(positive, |v| v > 0.0, "be above zero and finite")?;
    not(shares, |v| (0.0..=1.0).contains(&v), "lie within 0 and 1")?;
    not(others, |v| v >= 0.0, "be zero or above, and finite")
}
