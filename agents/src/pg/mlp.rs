//! A policy-gradient model over a flattened observation.
//!
//! Follows `rlpyt/models/pg/mujoco_ff_model.py` and `mujoco_lstm_model.py`; differs: no tanh on the mean of a Gaussian; orthogonal
//! initialisation (as in stable-baselines3 and OpenAI's baselines).
use super::model::{MakePgModel, PgModel};
use super::net::{Trunk, TrunkModel};
use crate::AgentError;
use crate::dist::Distribution;
use crate::nn::{Activation, Flatten, MlpTrunk, Start};
use crate::norm::ObsNorm;
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether policy and value share their hidden layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueTrunk {
    /// Each has its own hidden layers, of the same widths.
    #[default]
    Separate,
    /// They share the hidden layers. A model with an LSTM always does.
    Shared,
}

/// Hidden layers, an LSTM if wanted, and linear heads. Defaults are those of `MujocoFfModel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PgMlp {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation after each hidden layer.
    pub activation: Activation,
    /// Whether policy and value share the hidden layers. With an LSTM they do, whatever is set.
    pub value_trunk: ValueTrunk,
    /// Whether observations are normalised by running statistics, which the algorithm computes.
    pub normalise_observation: bool,
    /// Size of an LSTM after the hidden layers. None: a feed-forward model.
    pub lstm: Option<usize>,
    /// Initialisation of the weights.
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
        Ok(Box::new(TrunkModel::new(b, spaces, dist, trunk, self.lstm, self.start)?))
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
