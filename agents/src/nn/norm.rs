//! Layer normalisation: Ba et al. 2016, as `torch.nn.LayerNorm`.
use crate::params::{Init, ParamBuilder, ParamId, Params, dim};
use tch::Tensor;

/// PyTorch's default.
const EPS: f64 = 1e-5;

/// `(x - mean) / sqrt(var + 1e-5) * weight + bias` over the features of each row; the variance is the biased one.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    weight: ParamId,
    bias: ParamId,
    features: i64,
}

impl LayerNorm {
    /// Declares `name.weight [features]` (1) and `name.bias [features]` (0).
    pub fn new(b: &mut ParamBuilder, name: &str, features: usize) -> Self {
        b.puts_out(features);
        let features = dim(features);
        b.within(name, |b| Self {
            weight: b.add("weight", &[features], Init::Constant(1.0)),
            bias: b.add("bias", &[features], Init::Constant(0.0)),
            features,
        })
    }

    /// `x: [N, features] -> [N, features]`.
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let (weight, bias) = (p.get(self.weight), p.get(self.bias));
        x.layer_norm([self.features], Some(weight), Some(bias), EPS, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use tch::Device;

    /// Broken by the unbiased variance, by an epsilon outside of the root, by weight and bias exchanged.
    #[test]
    fn rows_are_centred_and_scaled() {
        let mut b = ParamBuilder::default();
        let norm = LayerNorm::new(&mut b, "norm", 4);
        let mut p = Params::zeros(&b.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
        p.read_from(&[1.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.5]);
        let rows = [[1f32, 2.0, 3.0, 4.0], [-0.01, 0.01, 0.0, 0.0]];
        let got = norm.forward(&p, &Tensor::from_slice2(&rows));
        for (row, got) in rows.iter().zip(Vec::<Vec<f32>>::try_from(got).unwrap()) {
            let mean = row.iter().sum::<f32>() / 4.0;
            let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 4.0;
            let z = |i: usize| (row[i] - mean) / (var + 1e-5).sqrt();
            let want = [z(0), z(1), 2.0 * z(2), z(3) + 0.5];
            want.iter()
                .zip(&got)
                .for_each(|(w, g)| assert!((w - g).abs() < 1e-5, "{want:?} {got:?}"));
        }
    }
}
