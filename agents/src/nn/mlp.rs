//! Multi-layer perceptrons.
use super::linear::{Linear, Start};
use super::norm::LayerNorm;
use crate::params::{ParamBuilder, Params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The activation after a hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Its name in PyTorch.
    pub(crate) fn torch(self) -> &'static str {
        match self {
            Self::Tanh => "torch.tanh",
            Self::Relu => "F.relu",
        }
    }

    /// Applies the activation in place.
    pub(crate) fn apply(self, mut x: Tensor) -> Tensor {
        match self {
            Self::Tanh => x.tanh_(),
            Self::Relu => x.relu_(),
        }
    }
}

/// Linear layers with ReLU between them, named `layers.0`, `layers.1`, ... Hidden layers may be normalised before their ReLU, by
/// `norms.0`, `norms.1`, ...
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    /// One for each hidden layer, or none.
    norms: Vec<LayerNorm>,
}

impl Mlp {
    /// Declares layers of widths `inputs -> hidden... -> outputs`.
    pub fn new(b: &mut ParamBuilder, inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        Self { layers: Self::linear(b, inputs, hidden, outputs), norms: Vec::new() }
    }

    /// The same with layer normalisation of each hidden layer.
    pub fn normalised(
        b: &mut ParamBuilder,
        inputs: usize,
        hidden: &[usize],
        outputs: usize,
    ) -> Self {
        let layers = Self::linear(b, inputs, hidden, outputs);
        let norm = |b: &mut ParamBuilder, (i, width): (usize, &usize)| {
            LayerNorm::new(b, &i.to_string(), *width)
        };
        let norms =
            b.within("norms", |b| hidden.iter().enumerate().map(|layer| norm(b, layer)).collect());
        Self { layers, norms }
    }

    fn linear(
        b: &mut ParamBuilder,
        inputs: usize,
        hidden: &[usize],
        outputs: usize,
    ) -> Vec<Linear> {
        let widths: Vec<usize> = [inputs].iter().chain(hidden).chain(&[outputs]).copied().collect();
        b.within("layers", |b| {
            widths
                .windows(2)
                .enumerate()
                .map(|(i, w)| Linear::new(b, &i.to_string(), w[0], w[1]))
                .collect()
        })
    }

    /// [`Mlp::forward`] as lines of Python, from `x` to the expression that they return.
    pub(crate) fn torch(&self) -> (Vec<String>, &'static str) {
        let lines = if self.norms.is_empty() {
            ["for layer in self.layers[:-1]:", "    x = F.relu(layer(x))"]
        } else {
            ["for layer, norm in zip(self.layers, self.norms):", "    x = F.relu(norm(layer(x)))"]
        };
        (lines.map(String::from).into(), "self.layers[-1](x)")
    }

    /// `x: [N, inputs] f32 -> [N, outputs]`.
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let mut y = self.layers[0].forward(p, x);
        for (i, layer) in self.layers[1..].iter().enumerate() {
            if let Some(norm) = self.norms.get(i) {
                y = norm.forward(p, &y);
            }
            y = layer.forward(p, &y.relu_());
        }
        y
    }
}

/// Hidden layers, each followed by the activation, without an output layer. Named `0`, `1`, ... under the current prefix.
#[derive(Clone, Debug)]
pub struct MlpTrunk {
    layers: Vec<Linear>,
    activation: Activation,
    features: usize,
}

impl MlpTrunk {
    /// Declares layers of widths `inputs -> hidden...`; orthogonal weights have gain sqrt(2).
    pub fn new(
        b: &mut ParamBuilder,
        inputs: usize,
        hidden: &[usize],
        activation: Activation,
        start: Start,
    ) -> Self {
        let gain = std::f64::consts::SQRT_2;
        let mut features = inputs;
        let mut layers = Vec::new();
        for (i, width) in hidden.iter().enumerate() {
            layers.push(Linear::starting(b, &i.to_string(), features, *width, start, gain));
            features = *width;
        }
        Self { layers, activation, features }
    }

    /// Width of the last layer.
    pub fn features(&self) -> usize {
        self.features
    }

    /// [`MlpTrunk::forward`] of `x` as lines of Python; `name`: its prefix.
    pub(crate) fn torch(&self, name: &str, x: &str) -> Vec<String> {
        if self.layers.is_empty() {
            return vec![];
        }
        crate::torch::apply(x, name, self.activation.torch())
    }

    /// `x: [N, inputs] f32 -> [N, features]`.
    pub fn forward(&self, p: &Params, x: &Tensor) -> Tensor {
        let step = |x: Tensor, layer: &Linear| self.activation.apply(layer.forward(p, &x));
        self.layers.iter().fold(x.shallow_clone(), step)
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
        let specs = builder.finish().unwrap();
        let learning = Params::init(&specs, 3, Device::Cpu, Grad::On).unwrap();
        let mut acting = Params::zeros(&specs, Device::Cpu, Grad::Off).unwrap();
        acting.copy_from(&learning);
        for rows in [1, 16, 64, 128] {
            let x = Tensor::rand([rows, 4], (Kind::Float, Device::Cpu)) - 0.5;
            let (a, b) = (mlp.forward(&learning, &x), mlp.forward(&acting, &x));
            let error = (a - b).abs().max().double_value(&[]);
            assert!(error < 1e-5, "{rows} rows: {error}");
        }
    }
}
