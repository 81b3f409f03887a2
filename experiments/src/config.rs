//! Everything that defines a run, as one TOML document.
use agents::AgentError;
use agents::dist::Distribution;
use agents::epsilon::EpsilonConfig;
use agents::model::QMlp;
use agents::params::ParamBuilder;
use agents::pg::{
    CategoricalPgAgentConfig, GaussianPgAgentConfig, MakePgModel, PgConv, PgMlp, PgModel,
};
use algos::{A2cConfig, DqnConfig, PpoConfig, ReinforceConfig};
use rlcore::EnvSpaces;
use rlcore::envs::{
    Acrobot, CartPole, Catch, DictToy, Memory, MountainCar, MountainCarContinuous, Null, Pendulum,
    Slow,
};
use runners::RunnerConfig;
use samplers::{EvalConfig, SamplerConfig};
use serde::{Deserialize, Serialize};

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// All randomness of the run follows from it.
    pub seed: u64,
    /// Where the learner (and agents in this process) compute.
    pub device: DeviceName,
    /// Episodes of all environments are truncated after this many steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<usize>,
    /// Training environments.
    pub env: EnvConfig,
    /// Evaluation environments, where they differ from training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_env: Option<EnvConfig>,
    /// How samples are collected.
    pub sampler: SamplerConfig,
    /// How actions are chosen.
    pub agent: AgentConfig,
    /// How the agent learns.
    pub algo: AlgoConfig,
    /// How the agent is measured.
    pub eval: EvalConfig,
    /// How long, and what is recorded.
    pub runner: RunnerConfig,
}

/// `cpu`, `cuda`, `cuda:1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceName(pub String);

impl Default for DeviceName {
    fn default() -> Self {
        Self("cpu".into())
    }
}

/// Environments by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EnvConfig {
    /// Gymnasium's CartPole-v1.
    Cartpole(CartPole),
    /// Gymnasium's MountainCar-v0.
    MountainCar(MountainCar),
    /// Gymnasium's MountainCarContinuous-v0.
    MountainCarContinuous(MountainCarContinuous),
    /// Gymnasium's Acrobot-v1.
    Acrobot(Acrobot),
    /// Gymnasium's Pendulum-v1.
    Pendulum(Pendulum),
    /// Catch a falling ball, from pixels.
    Catch(Catch),
    /// Remember a cue.
    Memory(Memory),
    /// Dict observations, action mask, lost lives.
    DictToy(DictToy),
    /// Costs nothing.
    Null(Null),
    /// Costs a set time.
    Slow(Slow),
}

/// Names of [`EnvConfig`], with a line each.
pub const ENVIRONMENTS: [(&str, &str); 10] = [
    ("cartpole", "[4] f32, 2 actions: balance a pole; equal to Gymnasium's CartPole-v1"),
    (
        "mountain-car",
        "[2] f32, 3 actions: swing a car up a hill; equal to Gymnasium's MountainCar-v0",
    ),
    (
        "mountain-car-continuous",
        "[2] f32, action [1] f32: the same with a throttle; equal to Gymnasium's MountainCarContinuous-v0",
    ),
    ("acrobot", "[6] f32, 3 actions: swing two links up; equal to Gymnasium's Acrobot-v1"),
    ("pendulum", "[3] f32, action [1] f32: swing up and hold; equal to Gymnasium's Pendulum-v1"),
    ("catch", "[1, 10, 5] u8, 3 actions: catch a falling ball, from pixels"),
    ("memory", "[3] f32, 2 actions: act on a cue that was shown at the start (needs memory)"),
    (
        "dict-toy",
        "image, position and action mask, 4 actions: a grid with traps and lives (set time_limit)",
    ),
    ("null", "[4] f32, 2 actions: costs nothing, for benches"),
    ("slow", "[4] f32, 2 actions: costs a set time a step, for benches"),
];

impl Default for EnvConfig {
    fn default() -> Self {
        Self::Cartpole(CartPole::default())
    }
}

/// Agents by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AgentConfig {
    /// Epsilon-greedy over a multi-layer perceptron.
    Dqn(DqnAgentSettings),
    /// Draws discrete actions from a policy.
    CategoricalPg(CategoricalPgAgentConfig<PgNet>),
    /// Draws actions in a box from a policy.
    GaussianPg(GaussianPgAgentConfig<PgNet>),
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self::Dqn(DqnAgentSettings::default())
    }
}

/// Settings of the DQN agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DqnAgentSettings {
    /// The network.
    pub model: QMlp,
    /// Exploration.
    pub epsilon: EpsilonConfig,
}

/// Networks of policies, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PgNet {
    /// Multi-layer perceptrons over all leaves of the observation, with an LSTM if wanted.
    Mlp(PgMlp),
    /// Convolutions over an image, with an LSTM if wanted.
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

/// Algorithms by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AlgoConfig {
    /// Deep Q-learning.
    Dqn(DqnConfig),
    /// Advantage actor-critic.
    A2c(A2cConfig),
    /// Proximal policy optimisation.
    Ppo(PpoConfig),
    /// The simplest policy gradient.
    Reinforce(ReinforceConfig),
}

impl AlgoConfig {
    /// The name that `algo.kind` has for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dqn(_) => "dqn",
            Self::A2c(_) => "a2c",
            Self::Ppo(_) => "ppo",
            Self::Reinforce(_) => "reinforce",
        }
    }
}

impl Default for AlgoConfig {
    fn default() -> Self {
        Self::Dqn(DqnConfig::default())
    }
}
