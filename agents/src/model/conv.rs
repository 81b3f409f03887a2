//! A Q-model over an image: `rlpyt/models/dqn/atari_dqn_model.py` without dueling (Mnih et al. 2015).
use super::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use crate::AgentError;
use crate::nn::{ConvSpec, ConvTrunk, Linear, Start};
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Convolutions and fully connected layers with ReLU, then a linear head. Defaults are those of `AtariDqnModel`, for images of about
/// 84x84; smaller ones need smaller kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QConv {
    /// Number of output channels of each convolution.
    pub channels: Vec<usize>,
    /// Side of the square kernel of each convolution, pixels.
    pub kernels: Vec<usize>,
    /// Stride of each convolution, pixels.
    pub strides: Vec<usize>,
    /// Zero padding on each side of each convolution's input, pixels.
    pub paddings: Vec<usize>,
    /// Widths of the fully connected layers after the convolutions.
    pub fc: Vec<usize>,
}

impl Default for QConv {
    fn default() -> Self {
        Self {
            channels: vec![32, 64, 64],
            kernels: vec![8, 4, 3],
            strides: vec![4, 2, 1],
            paddings: vec![0, 1, 1],
            fc: vec![512],
        }
    }
}

impl MakeQModel for QConv {
    fn make(
        &self,
        spaces: &EnvSpaces,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let spec = ConvSpec {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
            paddings: &self.paddings,
            fc: &self.fc,
        };
        let actions = action_count(spaces)?;
        let trunk = ConvTrunk::new(b, spaces, spec, Start::Torch)?;
        let head = Linear::new(b, "q", trunk.features(), actions);
        Ok(Box::new(QConvModel { trunk, head }))
    }
}

struct QConvModel {
    trunk: ConvTrunk,
    head: Linear,
}

impl QModel for QConvModel {
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput {
        self.head.forward(params, &self.trunk.forward(params, input.observation)).into()
    }

    fn torch(&self) -> Option<TorchModel> {
        let mut torch = self.trunk.torch();
        torch.forward.push("return self.q(x), state".into());
        Some(torch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use rlcore::{DType, Space};
    use tch::{Device, Kind, Tensor};

    fn q(model: &dyn QModel, params: &Params, image: Tensor) -> Tensor {
        let nothing = Tensor::zeros([0], (Kind::Float, Device::Cpu));
        model.forward(params, &ModelInput::of(&[image], &nothing)).q
    }

    fn image(shape: &[usize]) -> EnvSpaces {
        let observation = Space::uniform_box(DType::U8, shape, 0.0, 255.0);
        EnvSpaces::new(observation, Space::Discrete { n: 6 })
    }

    #[test]
    fn the_default_is_the_network_of_atari() {
        let mut b = ParamBuilder::default();
        let model = QConv::default().make(&image(&[4, 84, 84]), &mut b).unwrap();
        let specs = b.finish().unwrap();
        // 84 -> 20 -> 10 -> 10 pixels a side.
        let weights = [4 * 64 + 1, 32 * 16 + 1, 64 * 9 + 1, 6400 + 1, 512 + 1];
        let outputs = [32, 64, 64, 512, 6];
        let want: usize = weights.iter().zip(outputs).map(|(w, o)| w * o).sum();
        let params = Params::init(&specs, 1, Device::Cpu, Grad::Off).unwrap();
        assert_eq!(params.len(), want);
        let x = Tensor::ones([2, 4, 84, 84], (Kind::Uint8, Device::Cpu));
        assert_eq!(q(&*model, &params, x).size(), [2, 6]);
        let names: Vec<&str> = specs.iter().map(|s| s.name.as_str()).collect();
        assert_eq!((names[0], names[6], names[9]), ("conv.0.weight", "fc.0.weight", "q.bias"));
    }

    #[test]
    fn a_small_image_is_seen_with_small_kernels_and_refused_with_large_ones() {
        let spaces = image(&[1, 10, 5]);
        let text = QConv::default().make(&spaces, &mut ParamBuilder::default()).err().unwrap();
        assert!(text.to_string().contains("does not fit an image of 10x5"), "{text}");
        let small = QConv {
            channels: vec![2],
            kernels: vec![3],
            strides: vec![1],
            paddings: vec![1],
            fc: vec![],
        };
        let mut b = ParamBuilder::default();
        let model = small.make(&spaces, &mut b).unwrap();
        let mut p = Params::zeros(&b.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
        let mut weights = vec![0f32; p.len()];
        weights[4] = 1.0; // channel 0 is the image itself
        weights[2 * 9 + 2 + 13] = 2.0; // value 0 <- its pixel (2, 3)
        p.read_from(&weights);
        let mut pixels = vec![0u8; 50];
        pixels[13] = 51;
        let x = Tensor::from_slice(&pixels).reshape([1, 1, 10, 5]);
        let q = Vec::<f32>::try_from(q(&*model, &p, x).reshape([-1])).unwrap();
        assert!((q[0] - 0.4).abs() < 1e-6 && q[1..].iter().all(|q| *q == 0.0), "{q:?}");
        let lists = QConv { kernels: vec![3], ..QConv::default() };
        let text = lists.make(&spaces, &mut ParamBuilder::default()).err().unwrap();
        assert!(text.to_string().contains("one value for each convolution"), "{text}");
    }
}
