//! Documents of a program: the kinds of their sections are those that it has.
use super::Program;
use crate::config::{Config, KIND};
use anyhow::Result;
use rlcore::config::{ConfigError, Form, Plain, Refusal, read_as, resolve_as};
use std::path::Path;
use toml::{Table, Value};

impl Form for Program {
    type Config = Config;

    fn read(&self, document: &Table) -> Result<Config, Refusal> {
        let mut config: Config = Plain::default().read(document)?;
        self.environments.complete("env", &mut config.env)?;
        if let Some(env) = &mut config.eval_env {
            self.environments.complete("eval_env", env)?;
        }
        self.agents.complete("agent", &mut config.agent)?;
        self.algorithms.complete("algo", &mut config.algo)?;
        Ok(config)
    }

    /// A new environment begins from its own defaults, and what a configuration says of the old one is gone: its episodes' limit,
    /// its evaluation environment, its threshold. Agents and algorithms keep what the new one knows as well.
    fn begin(&self, document: &mut Table, path: &[String], kind: &str) -> bool {
        let [at] = path else { return false };
        if !["env", "eval_env"].contains(&at.as_str()) {
            return false;
        }
        let Some(Ok(defaults)) = self.environments.named(kind).map(|k| k.defaults()) else {
            return false;
        };
        document.insert(at.clone(), Value::Table(defaults.into()));
        if at == "env" {
            document.remove("eval_env");
            document.remove("time_limit");
            if let Some(Value::Table(runner)) = document.get_mut("runner") {
                runner.remove("stop_return");
            }
        }
        true
    }
}

impl Program {
    /// `base` changed by the text of a file (name for messages, content), then by `key=value` settings in turn: see
    /// [`rlcore::config`].
    pub fn resolve(
        &self,
        base: &Config,
        file: Option<(&Path, &str)>,
        sets: &[String],
    ) -> Result<Config, ConfigError> {
        resolve_as(self, base, file, sets)
    }

    /// The configuration that `text` states in full, such as the `config.toml` of a run.
    pub fn read(&self, path: &Path, text: &str) -> Result<Config, ConfigError> {
        read_as(self, path, text)
    }

    /// Every setting that `--env <name>` is short for: `env.kind=<name>`, and of `<name>:<id>` the setting that
    /// [`Program::env_id`] says.
    ///
    /// # Errors
    /// An id for an environment that has none.
    pub fn env_sets(&self, given: &str) -> Result<Vec<String>> {
        let Some((name, id)) = given.split_once(':') else {
            return Ok(vec![format!("env.{KIND}={given}")]);
        };
        let key = self.environments.named(name).and_then(|k| self.ids.get(&k.settings));
        let key = key.ok_or_else(|| {
            anyhow::anyhow!("--env {given}: {name} has no id; write `--env {name}`")
        })?;
        Ok(vec![format!("env.{KIND}={name}"), format!("env.{key}={id}")])
    }
}
