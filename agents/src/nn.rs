//! Layers as functions of [`crate::params::Params`], under PyTorch's names.
mod conv;
mod flatten;
mod linear;
mod lstm;
mod mlp;
mod norm;

pub use self::conv::{ConvSpec, ConvTrunk};
pub use self::flatten::Flatten;
pub use self::linear::{Linear, Start};
pub use self::lstm::Lstm;
pub use self::mlp::{Activation, Mlp, MlpTrunk};
pub use self::norm::LayerNorm;
