//! A diagonal Gaussian over a box.
//!
//! Follows `rlpyt/distributions/gaussian.py`; differs: the exact likelihood (no 1e-8 beside the standard deviation); `dist`
//! carries the log standard deviations whatever they come from; bounds are those of the action space, one pair for each
//! dimension; the likelihood of a squashed action is computed from the draw before tanh, with
//! `log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u))`, which does not saturate (rlpyt's does from |u| = 8 on).
use super::{Distribution, Draw, Heads, Tail};
use crate::AgentError;
use crate::params::ParamRole;
use rand_distr::{Distribution as _, StandardNormal};
use rlcore::cells::CellMut;
use rlcore::{DType, EnvSpaces, LeafSpec, Space};
use serde::{Deserialize, Serialize};
use std::f64::consts::{E, LN_2, PI};
use tch::{Kind, Tensor};

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
            if value.is_some_and(|v| !(v > 0.0 && v.is_finite())) {
                return Err(format!(
                    "gaussian.{name} = {}: it must be above zero and finite",
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
                "gaussian.init_std = {} lies outside min_std..max_std = {min}..{max}, where it could not learn",
                self.init_std
            ));
        }
        Ok(())
    }
}

/// A diagonal Gaussian over D dimensions; `dist` is `[2D]`: means, then log standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    config: GaussianConfig,
    log_std: (f64, f64),
    /// Bounds of the box, as its `f32` holds them.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Sum of the logs of the half widths.
    log_scale: f64,
}

impl Gaussian {
    /// Over an `f32` box; an error for any other space, and for a box without bounds where they are needed.
    pub fn new(spaces: &EnvSpaces, config: &GaussianConfig) -> Result<Self, AgentError> {
        config.check().map_err(AgentError::new)?;
        let Space::Box(space) = &spaces.action else {
            return Err(AgentError::new(format!(
                "a gaussian agent needs a box of actions, the environment has {:?}: use the categorical agent",
                spaces.action
            )));
        };
        if space.dtype != DType::F32 {
            return Err(AgentError::new(format!(
                "a gaussian agent needs an f32 box of actions, the environment has {:?}: declare it f32 in the environment",
                space.dtype
            )));
        }
        let elems = space.shape.iter().product();
        let wide = |bounds: &[f64]| -> Vec<f32> {
            if bounds.len() == 1 {
                vec![bounds[0] as f32; elems]
            } else {
                bounds.iter().map(|b| *b as f32).collect()
            }
        };
        let (low, high) = (wide(&space.low), wide(&space.high));
        if config.bound == Bound::Squash && low.iter().chain(&high).any(|b| !b.is_finite()) {
            return Err(AgentError::new(
                "gaussian.bound = \"squash\" needs finite bounds of the action space, this one has none: use bound = \"clip\"",
            ));
        }
        Ok(Self {
            log_std: (
                config.min_std.map_or(f64::NEG_INFINITY, f64::ln),
                config.max_std.map_or(f64::INFINITY, f64::ln),
            ),
            log_scale: low.iter().zip(&high).map(|(l, h)| half(*l, *h).ln()).sum(),
            config: config.clone(),
            low,
            high,
        })
    }

    fn dims(&self) -> usize {
        self.low.len()
    }

    /// Means and clamped log standard deviations, `[N, D]` each.
    fn split(&self, dist: &Tensor) -> (Tensor, Tensor) {
        let d = self.dims() as i64;
        let (mean, log_std) = (dist.narrow(-1, 0, d), dist.narrow(-1, d, d));
        let clamped = match (self.config.min_std, self.config.max_std) {
            (None, None) => log_std,
            _ => log_std.clamp(self.log_std.0, self.log_std.1),
        };
        (mean, clamped)
    }
}

fn half(low: f32, high: f32) -> f64 {
    (f64::from(high) - f64::from(low)) / 2.0
}

fn sum(x: &Tensor) -> Tensor {
    x.sum_dim_intlist([-1].as_slice(), false, None::<Kind>)
}

impl Distribution for Gaussian {
    fn len(&self) -> usize {
        2 * self.dims()
    }

    fn heads(&self) -> Heads {
        let role = match self.config.std {
            Std::Head => return Heads { outputs: self.len(), tail: None },
            Std::Parameter => ParamRole::Trained,
            Std::Fixed => ParamRole::Buffer,
        };
        let start = self.config.init_std.ln();
        let tail = Tail { name: "log_std", len: self.dims(), start, role };
        Heads { outputs: self.dims(), tail: Some(tail) }
    }

    fn info(&self) -> Vec<LeafSpec> {
        vec![
            LeafSpec::array("dist", DType::F32, &[self.len()]),
            LeafSpec::array("raw", DType::F32, &[self.dims()]),
        ]
    }

    fn draw(
        &self,
        dist: &[f32],
        _allowed: Option<&[u8]>,
        mut draw: Draw<'_>,
        action: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) {
        let d = self.dims();
        let used = info.f32(1);
        used.copy_from_slice(dist);
        let (min, max) = (self.log_std.0 as f32, self.log_std.1 as f32);
        used[d..].iter_mut().for_each(|s| *s = s.clamp(min, max));
        let raw = info.f32(2);
        for i in 0..d {
            let mean = f64::from(dist[i]);
            raw[i] = match &mut draw {
                Draw::Mode => dist[i],
                Draw::Sample(rng) => {
                    let normal: f64 = StandardNormal.sample(*rng);
                    let noise = normal * f64::from(dist[d + i].clamp(min, max)).exp();
                    let most = self.config.noise_clip.unwrap_or(f64::INFINITY);
                    (mean + noise.clamp(-most, most)) as f32
                }
            };
        }
        let action = action.f32(0);
        for i in 0..d {
            let (low, high) = (self.low[i], self.high[i]);
            action[i] = match self.config.bound {
                Bound::None => raw[i],
                Bound::Clip => raw[i].clamp(low, high),
                Bound::Squash => {
                    let middle = f64::midpoint(f64::from(low), f64::from(high));
                    let squashed = middle + half(low, high) * f64::from(raw[i]).tanh();
                    (squashed as f32).clamp(low, high)
                }
            };
        }
    }

    fn log_likelihood(&self, dist: &Tensor, drawn: &Tensor) -> Tensor {
        let (mean, log_std) = self.split(dist);
        let z = (drawn - mean) * (-&log_std).exp();
        let normal =
            -sum(&(log_std + z.square() * 0.5)) - 0.5 * self.dims() as f64 * (2.0 * PI).ln();
        if self.config.bound != Bound::Squash {
            return normal;
        }
        // Of the squashed action, from the draw before it; softplus(-2u) as log_sigmoid, since libtorch's softplus is cut at 20.
        let log_slope = ((drawn * 2.0).log_sigmoid() - drawn + LN_2) * 2.0;
        normal - sum(&log_slope) - self.log_scale
    }

    /// Of the draw before any bound: a squashed Gaussian has no entropy in closed form.
    fn entropy(&self, dist: &Tensor) -> Tensor {
        let (_, log_std) = self.split(dist);
        sum(&(log_std + 0.5 * (2.0 * PI * E).ln()))
    }

    /// The same before and after squashing. rlpyt's 1e-8 in the denominator is kept.
    fn kl(&self, old: &Tensor, new: &Tensor) -> Tensor {
        let ((old_mean, old_log), (mean, log)) = (self.split(old), self.split(new));
        let (old_var, var) = ((&old_log * 2.0).exp(), (&log * 2.0).exp());
        let apart = (old_mean - mean).square() + old_var - &var;
        sum(&(apart / (var * 2.0 + 1e-8) + log - old_log))
    }

    fn drawn<'a>(&self, _action: &'a [Tensor], info: &'a [Tensor]) -> &'a Tensor {
        &info[2]
    }
}
