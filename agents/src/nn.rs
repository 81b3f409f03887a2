//! Layers as functions of [`Params`]; initial values as PyTorch's own layers have them.
use crate::params::{Init, ParamBuilder, ParamId, Params};
use tch::Tensor;

/// `x W^T + b`.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    weight: ParamId,
    bias: ParamId,
}

impl Linear {
    /// Declares `name.weight [outputs, inputs]` and `name.bias [outputs]`, both uniform within `1/sqrt(inputs)`.
    pub fn new(b: &mut ParamBuilder, name: &str, inputs: usize, outputs: usize) -> Self {
        let bound = Init::Uniform(1.0 / (inputs as f64).sqrt());
        b.within(name, |b| Self {
            weight: b.add("weight", &[outputs as i64, inputs as i64], bound),
            bias: b.add("bias", &[outputs as i64], bound),
        })
    }

    /// `x: [N, inputs] -> [N, outputs]`.
    // PERF: acting on a few rows costs dispatch, not arithmetic, and `linear` transposes anew each time: 64 rows of the MLP 64-64
    // with their environments take 12.7 us instead of 13.3 (`experiments bench samplers`, bound of 64 rows).
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let bias = p.get(self.bias);
        match p.transposed(self.weight) {
            Some(transposed) if x.dim() == 2 => bias.addmm(x, transposed),
            _ => x.linear(p.get(self.weight), Some(bias)),
        }
    }
}

/// Linear layers with ReLU between them, named `layers.0`, `layers.1`, ...
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    /// Widths `inputs -> hidden... -> outputs`.
    pub fn new(b: &mut ParamBuilder, inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let widths: Vec<usize> = [inputs].iter().chain(hidden).chain(&[outputs]).copied().collect();
        let layers = b.within("layers", |b| {
            widths
                .windows(2)
                .enumerate()
                .map(|(i, w)| Linear::new(b, &i.to_string(), w[0], w[1]))
                .collect()
        });
        Self { layers }
    }

    /// `x: [N, inputs] f32 -> [N, outputs]`.
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let mut y = self.layers[0].forward(p, x);
        for layer in &self.layers[1..] {
            y = layer.forward(p, &y.relu_());
        }
        y
    }
}

/// All leaves of an observation as one `[N, features] f32` tensor; bytes are scaled to `0..=1`.
pub fn flatten(observation: &[Tensor]) -> Tensor {
    if let [one] = observation
        && one.kind() == tch::Kind::Float
    {
        // No op at all for the common case of `[N, features]`.
        return if one.dim() == 2 { one.shallow_clone() } else { one.flatten_batch() };
    }
    let parts: Vec<Tensor> = observation.iter().map(Flatten::flatten_batch).collect();
    if parts.len() == 1 { parts[0].shallow_clone() } else { Tensor::cat(&parts, 1) }
}

trait Flatten {
    fn flatten_batch(&self) -> Tensor;
}

impl Flatten for Tensor {
    fn flatten_batch(&self) -> Tensor {
        let x = self.reshape([self.size()[0], -1]);
        match x.kind() {
            tch::Kind::Float => x,
            tch::Kind::Uint8 => x.to_kind(tch::Kind::Float).g_mul_scalar_(1.0 / 255.0),
            _ => x.to_kind(tch::Kind::Float),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use tch::{Device, Kind};

    #[test]
    fn acting_and_learning_compute_the_same() {
        let mut builder = ParamBuilder::default();
        let mlp = Mlp::new(&mut builder, 4, &[64, 64], 2);
        let specs = builder.finish();
        let learning = Params::init(&specs, 3, Device::Cpu, Grad::On);
        let mut acting = Params::zeros(&specs, Device::Cpu, Grad::Off);
        acting.copy_from(&learning);
        for rows in [1, 16, 64, 128] {
            let x = Tensor::rand([rows, 4], (Kind::Float, Device::Cpu)) - 0.5;
            let (a, b) = (mlp.forward(&learning, &x), mlp.forward(&acting, &x));
            let error = (a - b).abs().max().double_value(&[]);
            assert!(error < 1e-5, "{rows} rows: {error}");
        }
    }
}
