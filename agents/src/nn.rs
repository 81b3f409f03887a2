//! Layers as functions of [`crate::params::Params`], under PyTorch's names.
mod conv;
mod linear;
mod lstm;
mod mlp;

pub use self::conv::{ConvSpec, ConvTrunk};
pub use self::linear::{Linear, Start};
pub use self::lstm::Lstm;
pub use self::mlp::{Activation, Mlp, MlpTrunk};
use tch::Tensor;

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
