//! Settings of a diagonal Gaussian.
use serde::{Deserialize, Serialize};

/// Where standard deviations come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Std {
    /// One trained parameter for each dimension, whatever is observed (`MujocoFfModel`, PPO, stable-baselines3).
    #[default]
    Parameter,
    /// Outputs of the network.
    Head,
    /// `init_std` throughout.
    Fixed,
}

/// What keeps actions within the action space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Nothing: the environment gets the draw.
    None,
    /// The environment gets the draw clipped to the box; the likelihood is of the draw (as stable-baselines3).
    #[default]
    Clip,
    /// tanh, scaled to the box, which must be finite; the likelihood includes its Jacobian.
    Squash,
}

/// Standard deviations outside make likelihoods that `f32` cannot hold.
const LEAST_STD: f64 = 1e-10;
const MOST_STD: f64 = 1e10;

/// Settings of a diagonal Gaussian.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GaussianConfig {
    /// Where standard deviations come from.
    pub std: Std,
    /// Standard deviation at the start, or throughout where it is fixed; a head of the network starts near 1 by itself.
    pub init_std: f64,
    /// Standard deviations below are taken for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_std: Option<f64>,
    /// Standard deviations above are taken for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_std: Option<f64>,
    /// The noise around the mean is cut to `-noise_clip..=noise_clip`; the likelihood does not know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_clip: Option<f64>,
    /// What keeps actions within the action space.
    pub bound: Bound,
}

impl Default for GaussianConfig {
    fn default() -> Self {
        Self {
            std: Std::Parameter,
            init_std: 1.0,
            min_std: None,
            max_std: None,
            noise_clip: None,
            bound: Bound::Clip,
        }
    }
}

impl GaussianConfig {
    /// Says what contradicts itself, and what to change.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("init_std", Some(self.init_std)),
            ("min_std", self.min_std),
            ("max_std", self.max_std),
            ("noise_clip", self.noise_clip),
        ] {
            if value.is_some_and(|v| !(LEAST_STD..=MOST_STD).contains(&v)) {
                return Err(format!(
                    "gaussian.{name} = {}: it must lie within {LEAST_STD:e} and {MOST_STD:e}",
                    value.unwrap_or_default()
                ));
            }
        }
        let (min, max) = (self.min_std.unwrap_or(0.0), self.max_std.unwrap_or(f64::INFINITY));
        if min > max {
            return Err(format!("gaussian.min_std = {min} is above max_std = {max}"));
        }
        if self.std == Std::Head && self.init_std != 1.0 {
            return Err("gaussian.init_std has no effect with std = \"head\": leave it at 1, or use std = \"parameter\"".into());
        }
        if self.std != Std::Head && !(min..=max).contains(&self.init_std) {
            return Err(format!(
                "gaussian.init_std = {} lies outside {min} to {max} (agent.gaussian.min_std to agent.gaussian.max_std), where it has no gradient: move it or the bounds",
                self.init_std
            ));
        }
        Ok(())
    }
}
