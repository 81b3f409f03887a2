//! Networks of policies, by name.
use super::conv::PgConv;
use super::mlp::PgMlp;
use super::model::{MakePgModel, PgModel};
use crate::AgentError;
use crate::dist::Distribution;
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network of a policy, chosen by `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PgNet {
    /// Multi-layer perceptrons over all leaves of the observation, optionally with an LSTM.
    Mlp(PgMlp),
    /// Convolutions over an image, optionally with an LSTM.
    Conv(PgConv),
}

impl Default for PgNet {
    fn default() -> Self {
        Self::Mlp(PgMlp::default())
    }
}

impl MakePgModel for PgNet {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        match self {
            Self::Mlp(net) => net.make(spaces, dist, builder),
            Self::Conv(net) => net.make(spaces, dist, builder),
        }
    }
}
