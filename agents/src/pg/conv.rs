//! A policy-gradient model over an image.
//!
//! Follows `rlpyt/models/pg/atari_ff_model.py` and `atari_lstm_model.py`; differs: orthogonal initialisation.
use super::mlp::check_widths;
use super::model::{MakePgModel, PgModel};
use super::net::{Trunk, TrunkModel};
use crate::AgentError;
use crate::dist::Distribution;
use crate::nn::{ConvSpec, ConvTrunk, Start};
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Convolutions and fully connected layers with ReLU, an LSTM if wanted, and linear heads. Defaults are those of `AtariFfModel`, for
/// images of about 84x84; smaller ones need smaller kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PgConv {
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
    /// Size of an LSTM after the fully connected layers. None: a feed-forward model.
    pub lstm: Option<usize>,
    /// Initialisation of the weights.
    pub start: Start,
}

impl Default for PgConv {
    fn default() -> Self {
        Self {
            channels: vec![16, 32],
            kernels: vec![8, 4],
            strides: vec![4, 2],
            paddings: vec![0, 1],
            fc: vec![512],
            lstm: None,
            start: Start::Orthogonal,
        }
    }
}

impl MakePgModel for PgConv {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        check_widths("fc", self.fc.iter().chain(&self.lstm))?;
        let spec = ConvSpec {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
            paddings: &self.paddings,
            fc: &self.fc,
        };
        let trunk = Trunk::Conv(ConvTrunk::new(b, spaces, spec, self.start)?);
        Ok(Box::new(TrunkModel::new(b, spaces, dist, trunk, self.lstm, self.start)?))
    }
}
