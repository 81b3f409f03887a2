//! Normalisation of observations by their running statistics.
//!
//! Follows `rlpyt/models/pg/mujoco_ff_model.py`: `clamp((x - mean) / sqrt(max(var, 1e-6)), -10, 10)`. Differs: the statistics are
//! buffers among the parameters, so that they are published, saved and frozen together with the weights; the algorithm computes them
//! over its valid samples.
use crate::nn::Flatten;
use crate::params::{Init, ParamBuilder, ParamId, Params, dim};
use rlcore::EnvSpaces;
use tch::Tensor;

/// Smallest variance that is divided by.
const VAR_FLOOR: f64 = 1e-6;
/// Largest absolute value of a normalised number.
const CLIP: f64 = 10.0;

/// Statistics of the flattened observation, kept in two buffers: mean and standard deviation.
#[derive(Clone, Debug)]
pub struct ObsNorm {
    flatten: Flatten,
    mean: ParamId,
    std: ParamId,
}

impl ObsNorm {
    /// Declares `obs_norm.mean [features]` (0) and `obs_norm.std [features]` (1).
    pub fn new(b: &mut ParamBuilder, spaces: &EnvSpaces) -> Self {
        let flatten = Flatten::new(&spaces.observation);
        let features = flatten.features();
        b.puts_out(features);
        b.within("obs_norm", |b| Self {
            flatten,
            mean: b.add_buffer("mean", &[dim(features)], Init::Constant(0.0)),
            std: b.add_buffer("std", &[dim(features)], Init::Constant(1.0)),
        })
    }

    /// Number of values in a flattened observation.
    pub fn features(&self) -> usize {
        self.flatten.features()
    }

    /// Flattens leaves `[N, ...]` to `[N, features] f32`, the values that the statistics describe.
    pub fn flatten(&self, observation: &[Tensor]) -> Tensor {
        self.flatten.forward(observation)
    }

    /// Sets the statistics: mean and variance `[features]`.
    pub fn set(&self, params: &mut Params, mean: &[f64], var: &[f64]) {
        let mean: Vec<f32> = mean.iter().map(|v| *v as f32).collect();
        let std: Vec<f32> = var.iter().map(|v| v.max(VAR_FLOOR).sqrt() as f32).collect();
        params.set(self.mean, &mean);
        params.set(self.std, &std);
    }

    /// Normalises flattened observations, `[N, features] -> [N, features]`.
    pub fn normalise(&self, p: &Params, x: &Tensor) -> Tensor {
        (x - p.get(self.mean)).g_div_(p.get(self.std)).clamp_(-CLIP, CLIP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use rlcore::{DType, Space};
    use tch::Device;

    #[test]
    fn statistics_centre_scale_and_cut() {
        let observation = Space::uniform_box(DType::F32, &[3], -1.0, 1.0);
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: 2 });
        let mut b = ParamBuilder::default();
        let norm = ObsNorm::new(&mut b, &spaces);
        let mut p = Params::init(&b.finish().unwrap(), 0, Device::Cpu, Grad::On).unwrap();
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).reshape([1, 3]);
        assert_eq!(norm.normalise(&p, &x), x, "nothing is known at the start");
        norm.set(&mut p, &[0.0, 1.0, 2.0], &[4.0, 0.25, 0.0]);
        let y = Vec::<f32>::try_from(norm.normalise(&p, &x).reshape([-1])).unwrap();
        assert_eq!(y, [0.5, 2.0, 10.0]);
        assert_eq!((norm.features(), p.trained_len()), (3, 0));
    }
}
