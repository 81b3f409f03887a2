//! A diagonal Gaussian over a box of actions.
//!
//! Follows `rlpyt/distributions/gaussian.py`; differs: the likelihood is exact (no 1e-8 is added to the standard deviation);
//! `dist` contains the log standard deviations, wherever they come from; bounds are those of the action space, one pair per dimension; the likelihood of a squashed action is computed from the draw before tanh, with
//! `log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u))`, which does not saturate (rlpyt's formula saturates from |u| = 8 on).
mod config;

pub use self::config::{Bound, GaussianConfig, Std};
use super::{Distribution, Draw, Heads, Rsample, Tail};
use crate::AgentError;
use crate::params::ParamRole;
use rand_distr::{Distribution as _, StandardNormal};
use rlcore::cells::CellMut;
use rlcore::{DType, EnvSpaces, LeafSpec, Space};
use std::f64::consts::{E, LN_2, PI};
use tch::{Kind, Tensor};

/// A diagonal Gaussian over D dimensions; `dist` is `[2D]`: means, then log standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    config: GaussianConfig,
    log_std: (f64, f64),
    /// Bounds of the box, as f32.
    low: Vec<f32>,
    high: Vec<f32>,
    shape: Vec<usize>,
    /// Sum of the logarithms of the half widths of the box.
    log_scale: f64,
}

impl Gaussian {
    /// A Gaussian over an `f32` box.
    ///
    /// # Errors
    /// Another space; a box without bounds where `settings.bound` needs them.
    pub fn new(spaces: &EnvSpaces, config: &GaussianConfig) -> Result<Self, AgentError> {
        config.check().map_err(AgentError::new)?;
        let Space::Box(space) = &spaces.action else {
            return Err(AgentError::new(format!(
                "a gaussian agent needs a box of actions, the action space is {}: use the categorical agent",
                spaces.action
            )));
        };
        if space.dtype != DType::F32 {
            return Err(AgentError::new(format!(
                "a gaussian agent needs an f32 box of actions, the action space is {space}: declare it f32 in the environment"
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
        let ordered = low.iter().zip(&high).all(|(l, h)| l < h);
        if low.len() != elems || high.len() != elems || !ordered {
            return Err(AgentError::new(format!(
                "the action space needs low < high, one of each for its {elems} elements (or one for all): it has {:?} and {:?}",
                space.low, space.high
            )));
        }
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
            shape: space.shape.clone(),
            low,
            high,
        })
    }

    fn dims(&self) -> usize {
        self.low.len()
    }

    /// The draw before bounds are applied, from a standard normal number.
    fn raw(&self, mean: f64, log_std: f64, normal: f64) -> f64 {
        let most = self.config.noise_clip.unwrap_or(f64::INFINITY);
        mean + (normal * log_std.exp()).clamp(-most, most)
    }

    /// The action in dimension `i`.
    fn bounded(&self, raw: f64, i: usize) -> f64 {
        let (low, high) = (self.low[i], self.high[i]);
        match self.config.bound {
            Bound::None => raw,
            Bound::Clip => raw.clamp(low.into(), high.into()),
            Bound::Squash => f64::midpoint(low.into(), high.into()) + half(low, high) * raw.tanh(),
        }
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

/// A list of numbers as Python writes it.
fn python(values: &[f32]) -> String {
    let number = |v: &f32| {
        if v.is_finite() { format!("{v:?}") } else { format!("float('{v}')") }
    };
    format!("[{}]", values.iter().map(number).collect::<Vec<_>>().join(", "))
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
        first: usize,
    ) {
        let d = self.dims();
        let used = info.f32(first);
        used.copy_from_slice(dist);
        let (min, max) = (self.log_std.0 as f32, self.log_std.1 as f32);
        for log_std in &mut used[d..] {
            *log_std = log_std.clamp(min, max);
        }
        let (raw, action) = (info.f32(first + 1), action.f32(0));
        for i in 0..d {
            raw[i] = match &mut draw {
                Draw::Mode => dist[i],
                Draw::Sample(rng) => {
                    let log_std = f64::from(dist[d + i].clamp(min, max));
                    self.raw(dist[i].into(), log_std, StandardNormal.sample(*rng)) as f32
                }
            };
            // Rounding may exceed a bound.
            action[i] = match self.config.bound {
                Bound::None => raw[i],
                _ => (self.bounded(raw[i].into(), i) as f32).clamp(self.low[i], self.high[i]),
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
        // Likelihood of the squashed action from the draw before tanh. softplus(-2u) is written as log_sigmoid, since libtorch's
        // softplus is linear above 20.
        let log_slope = ((drawn * 2.0).log_sigmoid() - drawn + LN_2) * 2.0;
        normal - sum(&log_slope) - self.log_scale
    }

    /// Entropy of the draw before bounds are applied: that of a squashed Gaussian has no closed form.
    fn entropy(&self, dist: &Tensor) -> Tensor {
        let (_, log_std) = self.split(dist);
        sum(&(log_std + 0.5 * (2.0 * PI * E).ln()))
    }

    /// Equal before and after squashing. Has rlpyt's 1e-8 in the denominator.
    fn kl(&self, old: &Tensor, new: &Tensor) -> Tensor {
        let ((old_mean, old_log), (mean, log)) = (self.split(old), self.split(new));
        let (old_var, var) = ((&old_log * 2.0).exp(), (&log * 2.0).exp());
        let apart = (old_mean - mean).square() + old_var - &var;
        sum(&(apart / (var * 2.0 + 1e-8) + log - old_log))
    }

    fn torch(&self) -> Option<Vec<String>> {
        let bounds =
            |name: &str, bounds: &[f32]| format!("{name} = torch.tensor({})", python(bounds));
        let mut lines = vec![format!("mean = output[:{}]", self.dims())];
        if self.config.bound == Bound::None {
            lines.push(format!("return mean.reshape({:?})", self.shape));
            return Some(lines);
        }
        lines.extend([bounds("low", &self.low), bounds("high", &self.high)]);
        if self.config.bound == Bound::Squash {
            lines.push("mean = (low + high) / 2 + (high - low) / 2 * torch.tanh(mean)".into());
        }
        let bounded = "torch.minimum(torch.maximum(mean, low), high)";
        lines.push(format!("return {bounded}.reshape({:?})", self.shape));
        Some(lines)
    }

    fn noise_len(&self) -> usize {
        self.dims()
    }

    /// Draws in the same way as [`Distribution::draw`]. The likelihood ignores `noise_clip`; a clipped action has no gradient.
    fn rsample(&self, dist: &Tensor, noise: &Tensor) -> Result<Rsample, AgentError> {
        let (mean, log_std) = self.split(dist);
        let noise = noise * log_std.exp();
        let noise = match self.config.noise_clip {
            Some(most) => noise.clamp(-most, most),
            None => noise,
        };
        let drawn = mean + noise;
        let bound =
            |bound: &[f32]| Tensor::from_slice(bound).to_kind(dist.kind()).to_device(dist.device());
        let (low, high) = (bound(&self.low), bound(&self.high));
        let action = match self.config.bound {
            Bound::None => drawn.shallow_clone(),
            Bound::Clip => drawn.maximum(&low).minimum(&high),
            Bound::Squash => drawn.tanh() * ((&high - &low) / 2.0) + (low + high) / 2.0,
        };
        let log_likelihood = self.log_likelihood(dist, &drawn);
        Ok(Rsample { action, drawn, log_likelihood })
    }

    fn drawn<'a>(&self, _action: &'a [Tensor], info: &'a [Tensor]) -> &'a Tensor {
        &info[1]
    }
}

#[cfg(test)]
mod tests;
