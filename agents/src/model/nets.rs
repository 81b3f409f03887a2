//! Networks of values, by name.
use super::{MakeQModel, QConv, QMlp, QModel};
use crate::AgentError;
use crate::params::ParamBuilder;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The network of an agent that acts by values, chosen by `kind`; without `kind` it is an `mlp`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum QNet {
    /// A multi-layer perceptron over all leaves of the observation.
    Mlp(QMlp),
    /// Convolutions over an image.
    Conv(QConv),
}

impl Default for QNet {
    fn default() -> Self {
        Self::Mlp(QMlp::default())
    }
}

// Written by hand, since serde has no default for a tag and older configurations have no `kind`.
impl<'de> Deserialize<'de> for QNet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        enum Named {
            Mlp(QMlp),
            Conv(QConv),
        }
        let mut table = Map::deserialize(from)?;
        table.entry("kind").or_insert_with(|| "mlp".into());
        match Named::deserialize(Value::Object(table)).map_err(D::Error::custom)? {
            Named::Mlp(net) => Ok(Self::Mlp(net)),
            Named::Conv(net) => Ok(Self::Conv(net)),
        }
    }
}

impl MakeQModel for QNet {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        match self {
            Self::Mlp(net) => net.make(spaces, builder),
            Self::Conv(net) => net.make(spaces, builder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_without_a_kind_is_an_mlp() {
        let read = |text: &str| serde_json::from_str::<QNet>(text);
        let mlp = QMlp { hidden: vec![8], ..Default::default() };
        assert_eq!(read(r#"{"hidden": [8]}"#).unwrap(), QNet::Mlp(mlp.clone()));
        for net in [QNet::Mlp(mlp), QNet::Conv(QConv::default())] {
            let text = serde_json::to_string(&net).unwrap();
            assert!(text.starts_with(r#"{"kind":"#), "{text}");
            assert_eq!(read(&text).unwrap(), net);
        }
        let text = read(r#"{"kind": "conv", "hidden": [8]}"#).unwrap_err().to_string();
        assert!(text.contains("unknown field `hidden`"), "{text}");
        assert!(read(r#"{"kind": "lstm"}"#).is_err());
    }
}
