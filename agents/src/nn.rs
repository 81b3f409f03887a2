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
    // PERF: acting on a few rows costs dispatch, not arithmetic: `linear` transposes anew, and a ReLU apart is an op more. 64
    // rows of the MLP 64-64 with their environments take 12.3 us instead of 13.3 (`experiments bench samplers`, bound).
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let bias = p.get(self.bias);
        match p.transposed(self.weight) {
            Some(transposed) if x.dim() == 2 => bias.addmm(x, transposed),
            _ => x.linear(p.get(self.weight), Some(bias)),
        }
    }

    /// As [`Linear::forward`], then ReLU.
    pub fn forward_relu(&self, p: &Params, x: &Tensor) -> Tensor {
        match p.transposed(self.weight) {
            Some(transposed) if x.dim() == 2 => {
                p.get(self.bias).internal_addmm_activation(x, transposed, false)
            }
            _ => self.forward(p, x).relu_(),
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
        let Some((last, hidden)) = self.layers.split_last() else { return x.shallow_clone() };
        let mut y = None;
        for layer in hidden {
            y = Some(layer.forward_relu(p, y.as_ref().unwrap_or(x)));
        }
        last.forward(p, y.as_ref().unwrap_or(x))
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
