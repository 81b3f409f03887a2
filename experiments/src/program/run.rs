//! Runs on disk, for programs that train or act without the command line.
use super::Program;
use crate::assemble;
use crate::commands::saved_run::{self, config_of};
use crate::config::Config;
use agents::Policy;
use anyhow::Result;
use rlcore::run_dir::{Meta, RunDir};
use std::path::Path;

impl Program {
    /// The agent of a run, to act on observations of your own. `checkpoint`: the one to take; none for the one with the best
    /// return, or else the newest.
    ///
    /// # Errors
    /// No run, or one whose parts this program does not have; no checkpoint; too little memory.
    pub fn policy(&self, run: &Path, checkpoint: Option<&Path>) -> Result<Policy> {
        let config = config_of(self, run)?;
        let checkpoint = match checkpoint {
            Some(path) => path.to_owned(),
            None => saved_run::checkpoint(run, None)?.path,
        };
        assemble::policy(self, &config, &checkpoint)
    }

    /// Writes what the commands read of a run: its configuration (`config.toml`), and that it was started, where and with which
    /// versions (`meta.json`). A run whose parts you put together yourself is then like one of `train`: `eval`, `plot`, `watch`
    /// and `resume` take it.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn record(&self, dir: &mut RunDir, config: &Config) -> Result<()> {
        dir.write_config(&self.to_toml(config)?)?;
        Ok(dir.add_meta(meta(config))?)
    }
}

/// What `meta.json` notes of a start.
pub(crate) fn meta(config: &Config) -> Meta {
    let mut meta = Meta::collect();
    meta.threads.insert("learner".into(), config.runner.threads);
    meta.threads.insert("workers".into(), config.sampler.workers());
    meta.versions.insert("tch".into(), "0.24 (libtorch 2.11.0)".into());
    meta
}
