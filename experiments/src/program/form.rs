//! Documents of a program: the kinds of their sections are those that it has.
use super::Program;
use super::kind::Kind;
use crate::config::{Config, KIND, Section};
use anyhow::Result;
use rlcore::config::{
    ConfigError, Form, Given, Plain, Refusal, read_as, resolve_as, to_full_table, to_toml_as,
};
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

    fn write(&self, config: &Config) -> Result<Table, ConfigError> {
        let mut table = to_full_table(config)?;
        let sections = || -> Result<Vec<(&str, Section)>> {
            let mut all = vec![
                ("env", self.environments.full("env", &config.env)?),
                ("agent", self.agents.full("agent", &config.agent)?),
                ("algo", self.algorithms.full("algo", &config.algo)?),
            ];
            if let Some(env) = &config.eval_env {
                all.push(("eval_env", self.environments.full("eval_env", env)?));
            }
            Ok(all)
        };
        let sections = sections().map_err(|e| ConfigError::Preset { message: format!("{e:#}") })?;
        for (key, section) in sections {
            table.insert(key.to_owned(), Value::Table(section.into()));
        }
        Ok(table)
    }

    /// A new environment begins from its own defaults, and what a configuration says of the old one is gone: its episodes' limit,
    /// its evaluation environment, its threshold. Agents and algorithms keep what the new one knows as well.
    fn begin(&self, document: &mut Table, path: &[String], kind: &str) -> bool {
        let [at] = path else { return false };
        if !["env", "eval_env"].contains(&at.as_str()) {
            return false;
        }
        let Some(Ok(defaults)) = self.environments.named(kind).map(Kind::defaults) else {
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
        let given: Vec<Given> = sets.iter().cloned().map(Given::Set).collect();
        self.resolve_given(base, file, &given)
    }

    /// As [`Program::resolve`], with settings that may come from flags of their own.
    pub fn resolve_given(
        &self,
        base: &Config,
        file: Option<(&Path, &str)>,
        given: &[Given],
    ) -> Result<Config, ConfigError> {
        resolve_as(self, base, file, given)
    }

    /// Every setting of `config` as TOML, unset ones as `"none"`: what [`Program::read`] and [`Program::resolve`] take back.
    pub fn to_toml(&self, config: &Config) -> Result<String, ConfigError> {
        to_toml_as(self, config)
    }

    /// The configuration that `text` states in full, such as the `config.toml` of a run.
    pub fn read(&self, path: &Path, text: &str) -> Result<Config, ConfigError> {
        read_as(self, path, text)
    }

    /// What `--env <name>` is short for: `env.kind`, and of `<name>:<id>` the setting that [`Program::env_id`] says.
    ///
    /// # Errors
    /// An id for an environment that has none.
    pub fn env_given(&self, text: &str) -> Result<Vec<Given>> {
        let flag = |key: &str, value: &str| Given::Flag {
            flag: format!("--env {text}"),
            key: format!("env.{key}"),
            value: value.into(),
        };
        let Some((name, id)) = text.split_once(':') else { return Ok(vec![flag(KIND, text)]) };
        let key = self.environments.named(name).and_then(|k| self.ids.get(&k.settings));
        let key = key.ok_or_else(|| {
            anyhow::anyhow!("--env {text}: {name} has no id; write `--env {name}`")
        })?;
        Ok(vec![flag(KIND, name), flag(key, id)])
    }
}
