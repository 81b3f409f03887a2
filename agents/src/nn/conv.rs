//! Convolutions over an image, then fully connected layers, each followed by ReLU.
//!
//! Follows `Conv2dHeadModel` of `rlpyt/models/conv2d.py`; bytes are scaled by 1/255 on the device of the parameters.
use super::linear::Start;
use super::mlp::{Activation, MlpTrunk};
use crate::AgentError;
use crate::params::{ParamBuilder, ParamId, Params, dim};
use crate::torch::{TorchModel, apply};
use rlcore::EnvSpaces;
use tch::{Kind, Tensor};

/// Sizes of a [`ConvTrunk`]; the first four lists have one value per convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvSpec<'a> {
    /// Number of output channels of each convolution.
    pub channels: &'a [usize],
    /// Side of the square kernel of each convolution, pixels.
    pub kernels: &'a [usize],
    /// Stride of each convolution, pixels.
    pub strides: &'a [usize],
    /// Zero padding on each side of each convolution's input, pixels.
    pub paddings: &'a [usize],
    /// Widths of the fully connected layers after the convolutions.
    pub fc: &'a [usize],
}

#[derive(Clone, Copy, Debug)]
struct Conv {
    weight: ParamId,
    bias: ParamId,
    stride: i64,
    padding: i64,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct ConvTrunk {
    /// Index of the observation's leaf that is the image, and whether it lacks a channel dimension.
    leaf: usize,
    plane: bool,
    convs: Vec<Conv>,
    fc: MlpTrunk,
}

impl ConvTrunk {
    /// Declares `conv.<i>` and `fc.<i>`. The observation must be one image, `[C, H, W]` or `[H, W]`, and optionally an action mask.
    ///
    /// # Errors
    /// Another observation; an image that is too small for the kernels.
    pub fn new(
        b: &mut ParamBuilder,
        spaces: &EnvSpaces,
        spec: ConvSpec<'_>,
        start: Start,
    ) -> Result<Self, AgentError> {
        let count = spec.channels.len();
        if [spec.kernels, spec.strides, spec.paddings].iter().any(|l| l.len() != count) {
            return Err(AgentError::new(format!(
                "channels, kernels, strides and paddings need one value for each convolution; there are {count}, {}, {} and {}",
                spec.kernels.len(),
                spec.strides.len(),
                spec.paddings.len()
            )));
        }
        let leaves = spaces.observation.leaves("observation");
        let mut images = leaves.iter().enumerate().filter(|(i, _)| Some(*i) != spaces.action_mask);
        let (leaf, shape) = match (images.next(), images.next()) {
            (Some((i, leaf)), None) if matches!(leaf.shape.len(), 2 | 3) => (i, &leaf.shape),
            _ => {
                return Err(AgentError::new(format!(
                    "a convolution needs one image of shape [C, H, W] or [H, W], the observation is {}: use an mlp model",
                    spaces.observation
                )));
            }
        };
        let plane = shape.len() == 2;
        let mut size = if plane { [1, shape[0], shape[1]] } else { [shape[0], shape[1], shape[2]] };
        let values = |size: &[usize; 3]| size.iter().fold(1, |n: usize, d| n.saturating_mul(*d));
        b.puts_out(values(&size));
        let mut convs = Vec::new();
        for i in 0..count {
            let (kernel, stride, padding) = (spec.kernels[i], spec.strides[i], spec.paddings[i]);
            let channels = spec.channels[i];
            let out = |side: usize| {
                let padded = padding.checked_mul(2)?.checked_add(side)?;
                let room = padded.checked_sub(kernel)?;
                let fits = kernel > 0 && stride > 0 && channels > 0;
                // In some places libtorch counts pixels in 32 bits.
                (fits && i32::try_from(padded.max(stride)).is_ok()).then(|| room / stride + 1)
            };
            let (Some(h), Some(w)) = (out(size[1]), out(size[2])) else {
                return Err(AgentError::new(format!(
                    "convolution {i} ({channels} channels, kernel {kernel}, stride {stride}, padding {padding}) does not fit an image of {}x{}: give smaller kernels or fewer convolutions, and at least one channel and a stride of 1",
                    size[1], size[2]
                )));
            };
            let seen = size[0].saturating_mul(kernel).saturating_mul(kernel);
            let (weight, bias) = start.of(seen, std::f64::consts::SQRT_2);
            let kernels = [dim(channels), dim(size[0]), dim(kernel), dim(kernel)];
            convs.push(b.within(&format!("conv.{i}"), |b| Conv {
                weight: b.add("weight", &kernels, weight),
                bias: b.add("bias", &kernels[..1], bias),
                stride: stride as i64,
                padding: padding as i64,
            }));
            size = [channels, h, w];
            b.puts_out(values(&size));
        }
        let inputs = values(&size);
        let fc = b.within("fc", |b| MlpTrunk::new(b, inputs, spec.fc, Activation::Relu, start));
        Ok(Self { leaf, plane, convs, fc })
    }

    /// Width of the last layer.
    pub fn features(&self) -> usize {
        self.fc.features()
    }

    /// [`ConvTrunk::forward`] as lines of Python that end with `x`.
    pub(crate) fn torch(&self) -> TorchModel {
        let image = format!("observation[{}]", self.leaf);
        let plane = if self.plane { ".unsqueeze(1)" } else { "" };
        let mut forward = vec![
            format!("x = {image}{plane}"),
            "x = x.float() / 255 if x.dtype == torch.uint8 else x.float()".into(),
        ];
        if !self.convs.is_empty() {
            forward.extend(apply("x", "conv", Activation::Relu.torch()));
        }
        forward.push("x = x.flatten(1)".into());
        forward.extend(self.fc.torch("fc", "x"));
        let convolutions = self.convs.iter().map(|c| (c.stride, c.padding)).collect();
        TorchModel { forward, convolutions, previous: None }
    }

    /// Leaves `[N, ...]` to `[N, features] f32`.
    pub fn forward(&self, p: &Params, observation: &[Tensor]) -> Tensor {
        let image = &observation[self.leaf];
        let mut x = if self.plane { image.unsqueeze(1) } else { image.shallow_clone() };
        if x.kind() == Kind::Uint8 {
            x = x.to_kind(Kind::Float).g_mul_scalar_(1.0 / 255.0);
        } else if x.kind() != Kind::Float {
            x = x.to_kind(Kind::Float);
        }
        for c in &self.convs {
            let (stride, padding) = ([c.stride; 2], [c.padding; 2]);
            let y = x.conv2d(p.get(c.weight), Some(p.get(c.bias)), stride, padding, [1, 1], 1);
            x = Activation::Relu.apply(y);
        }
        self.fc.forward(p, &x.flatten(1, -1))
    }
}
