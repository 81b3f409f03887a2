//! Settings of a diagonal Gaussian.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The source of the standard deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Std {
    /// One trained parameter per dimension, independent of the observation (`MujocoFfModel`, PPO, stable-baselines3).
    #[default]
    Parameter,
    /// Outputs of the network.
    Head,
    /// Constant at `init_std`.
    Fixed,
}

/// How actions are kept within the action space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Not at all: the environment gets the draw.
    None,
    /// The environment gets the draw clipped to the box; the likelihood is that of the draw (as in stable-baselines3).
    #[default]
    Clip,
    /// The draw goes through tanh, scaled to the box, which must have finite bounds; the likelihood includes the Jacobian.
    Squash,
}

/// Range of standard deviations whose likelihoods f32 can hold.
const LEAST_STD: f64 = 1e-10;
const MOST_STD: f64 = 1e10;

/// Settings of a diagonal Gaussian.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GaussianConfig {
    /// Source of the standard deviations.
    pub std: Std,
    /// Initial standard deviation, or the constant one. Outputs of the network start near 1 by themselves.
    pub init_std: f64,
    /// Smallest standard deviation: smaller ones are raised to it. None: no limit.
    pub min_std: Option<f64>,
    /// Largest standard deviation: larger ones are lowered to it. None: no limit.
    pub max_std: Option<f64>,
    /// The noise around the mean is clipped to `-noise_clip..=noise_clip`; the likelihood ignores that. None: it is not clipped.
    pub noise_clip: Option<f64>,
    /// How actions are kept within the action space.
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
    /// Checks the settings.
    ///
    /// # Errors
    /// A text that names the setting, its value and what to change.
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
