//! A policy-gradient model over a flattened observation.
//!
//! `rlpyt/models/pg/mujoco_ff_model.py` and `mujoco_lstm_model.py` in one. Differs: no tanh on the mean of a Gaussian; orthogonal
//! start (as stable-baselines3 and OpenAI's baselines have it).
use super::model::{MakePgModel, PgModel};
use super::net::{PgNet, Trunk};
use crate::AgentError;
use crate::dist::Distribution;
use crate::nn::{Activation, Flatten, MlpTrunk, Start};
use crate::norm::ObsNorm;
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use serde::{Deserialize, Serialize};

/// Whether policy and value share their hidden layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueTrunk {
    /// Layers of the same widths for each.
    #[default]
    Separate,
    /// The same layers; always so with an LSTM.
    Shared,
}

/// Hidden layers, an LSTM if wanted, and linear heads. Defaults are those of `MujocoFfModel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PgMlp {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows each of them.
    pub activation: Activation,
    /// Whether policy and value share them. With an LSTM they do, whatever stands here.
    pub value_trunk: ValueTrunk,
    /// Observations are normalised by running statistics, which the algorithm keeps.
    pub normalise_observation: bool,
    /// Size of an LSTM after the hidden layers; none for a feed-forward model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lstm: Option<usize>,
    /// How weights start.
    pub start: Start,
}

impl Default for PgMlp {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            value_trunk: ValueTrunk::Separate,
            normalise_observation: false,
            lstm: None,
            start: Start::Orthogonal,
        }
    }
}

impl MakePgModel for PgMlp {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        check_widths("hidden", self.hidden.iter().chain(&self.lstm))?;
        let flatten = Flatten::new(&spaces.observation);
        let inputs = flatten.features();
        let norm = self.normalise_observation.then(|| ObsNorm::new(b, spaces));
        let layers = |b: &mut ParamBuilder| {
            MlpTrunk::new(b, inputs, &self.hidden, self.activation, self.start)
        };
        let policy = b.within("trunk", layers);
        let separate = self.value_trunk == ValueTrunk::Separate && self.lstm.is_none();
        let value = separate.then(|| b.within("value_trunk", layers));
        let trunk = Trunk::Mlp { flatten, norm, policy, value };
        Ok(Box::new(PgNet::new(b, spaces, dist, trunk, self.lstm, self.start)?))
    }
}

pub(super) fn check_widths<'a>(
    name: &str,
    mut widths: impl Iterator<Item = &'a usize>,
) -> Result<(), AgentError> {
    if widths.any(|w| *w == 0) {
        return Err(AgentError::new(format!(
            "a width in {name} or lstm is zero: give it at least 1, or leave it out"
        )));
    }
    Ok(())
}
