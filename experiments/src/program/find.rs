//! The parts that a configuration names.
use super::Program;
use super::kind::{AnyAgent, AnyAlgo, AnyEnv};
use crate::config::{Config, Section};
use agents::AgentFactory;
use anyhow::{Context, Result};
use std::any::TypeId;

impl Program {
    /// The settings of an environment; `path`: where in the configuration they stand.
    pub(crate) fn env_of(&self, path: &str, env: &Section) -> Result<Box<dyn AnyEnv>> {
        Ok(self.environments.open(path, env)?)
    }

    /// The environment of this name with its own defaults.
    pub fn env_defaults(&self, kind: &str) -> Result<Section> {
        let found = self.environments.named(kind);
        found.with_context(|| format!("there is no environment {kind:?}"))?.defaults()
    }

    pub(crate) fn agent_of(&self, config: &Config) -> Result<Box<dyn AnyAgent>> {
        Ok(self.agents.open("agent", &config.agent)?)
    }

    pub(crate) fn algo_of(&self, config: &Config) -> Result<Box<dyn AnyAlgo>> {
        Ok(self.algorithms.open("algo", &config.algo)?)
    }

    /// Names of the agents that have such a model.
    pub(crate) fn agents_with(&self, model: TypeId) -> Vec<&'static str> {
        let fits = self.agents.all.iter().filter(|k| k.default().model_type() == model);
        fits.map(|k| k.name).collect()
    }

    /// Names of the algorithms that train the model of this agent.
    pub(crate) fn algos_for(&self, agent: &str) -> Vec<&'static str> {
        let kind = self.agents.named(agent);
        kind.map_or(vec![], |kind| self.algos_with(kind.default().model_type()))
    }

    /// Agents of this name with their default settings.
    pub(crate) fn agent_defaults(&self, agent: &str) -> Result<AgentFactory> {
        let kind = self.agents.named(agent).context("an agent of this program")?;
        kind.default().factory(0..1)
    }

    /// Names of the algorithms that train such a model.
    pub(crate) fn algos_with(&self, model: TypeId) -> Vec<&'static str> {
        let fits = self.algorithms.all.iter().filter(|k| k.default().model_type() == model);
        fits.map(|k| k.name).collect()
    }
}
