//! Everything that defines a run, as one TOML document.
use runners::RunnerConfig;
use samplers::{EvalConfig, SamplerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// One run. The environment, the agent and the algorithm are sections of a [`Program`](crate::Program)'s kinds, or, where a
/// configuration is written in Rust, settings of some type; [`Program::config`](crate::Program::config) makes sections of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(bound = "E: JsonSchema + Serialize, A: JsonSchema, L: JsonSchema")]
pub struct Config<E = Section, A = Section, L = Section> {
    /// Seed of all randomness of the run.
    #[serde(default)]
    pub seed: u64,
    /// Where the learner, and agents in its process, compute: `cpu`, `cuda`, `cuda:1`.
    #[serde(default)]
    pub device: DeviceName,
    /// Episodes of all environments are truncated after this many steps. None: only where the environment itself does.
    #[serde(default)]
    pub time_limit: Option<usize>,
    /// Training environments.
    pub env: E,
    /// Evaluation environments, where they differ from those of training. None: the same.
    #[serde(default = "none::<E>")]
    pub eval_env: Option<E>,
    /// How samples are collected.
    #[serde(default)]
    pub sampler: SamplerConfig,
    /// How actions are chosen.
    pub agent: A,
    /// How the agent learns.
    pub algo: L,
    /// How the agent is measured.
    #[serde(default)]
    pub eval: EvalConfig,
    /// How long, and what is recorded.
    #[serde(default)]
    pub runner: RunnerConfig,
}

/// For serde, which would ask that `E` has a default.
fn none<E>() -> Option<E> {
    None
}

/// `cpu`, `cuda`, `cuda:1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DeviceName(pub String);

impl Default for DeviceName {
    fn default() -> Self {
        Self("cpu".into())
    }
}

/// A part of a run that is chosen by name: a table with a `kind`, and the settings of that kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Table", into = "Table")]
#[schemars(with = "BTreeMap<String, ()>")]
pub struct Section {
    /// The name under which the program offers it.
    pub kind: String,
    /// Its settings.
    pub settings: Table,
}

/// The key that names the kind.
pub(crate) const KIND: &str = "kind";

impl TryFrom<Table> for Section {
    /// In serde's words, which errors for users are made of.
    type Error = String;

    fn try_from(mut table: Table) -> Result<Self, String> {
        match table.remove(KIND) {
            Some(Value::String(kind)) => Ok(Self { kind, settings: table }),
            Some(other) => Err(format!("invalid type: {}, expected a name", other.type_str())),
            None => Err(format!("missing field `{KIND}`")),
        }
    }
}

impl From<Section> for Table {
    fn from(Section { kind, settings }: Section) -> Self {
        let kind = (KIND.to_owned(), Value::String(kind));
        std::iter::once(kind).chain(settings).collect()
    }
}
