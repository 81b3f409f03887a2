//! A policy-gradient model over an image.
//!
//! `rlpyt/models/pg/atari_ff_model.py` and `atari_lstm_model.py` in one. Differs: orthogonal start.
use super::mlp::check_widths;
use super::model::{MakePgModel, PgModel};
use super::net::{PgNet, Trunk};
use crate::AgentError;
use crate::dist::Distribution;
use crate::nn::{ConvSpec, ConvTrunk, Start};
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use serde::{Deserialize, Serialize};

/// Convolutions and fully connected layers with ReLU, an LSTM if wanted, and linear heads. Defaults are those of `AtariFfModel`, for
/// images of about 84x84; smaller ones need smaller kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PgConv {
    /// Output channels of each convolution.
    pub channels: Vec<usize>,
    /// Sides of their square kernels, in pixels.
    pub kernels: Vec<usize>,
    /// Their strides, in pixels.
    pub strides: Vec<usize>,
    /// Zeros around their inputs, in pixels.
    pub paddings: Vec<usize>,
    /// Widths of the fully connected layers.
    pub fc: Vec<usize>,
    /// Size of an LSTM after them; none for a feed-forward model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lstm: Option<usize>,
    /// How weights start.
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
        Ok(Box::new(PgNet::new(b, spaces, dist, trunk, self.lstm, self.start)?))
    }
}
