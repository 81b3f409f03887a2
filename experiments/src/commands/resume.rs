//! `experiments resume`.
use super::train::{finish, runner};
use crate::assemble::prepare;
use crate::config::Config;
use anyhow::{Context, Result};
use clap::Args;
use rlcore::checkpoint::latest;
use rlcore::run_dir::RunDir;
use std::path::{Path, PathBuf};

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's directory, such as runs/cartpole-dqn-s0.
    run: PathBuf,
    /// Checkpoint to continue from [default: the newest]. Later checkpoints and log rows are deleted.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// One setting that differs from now on, such as `runner.n_steps=800000`, or `runner.stop_return=` to go on after a run
    /// is solved; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// The configuration of a run.
pub(super) fn config_of(run: &Path) -> Result<Config> {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} is not a run directory: it has no config.toml", run.display())
    })?;
    Ok(rlcore::config::read(&path, &text)?)
}

/// A run's newest checkpoint, or an error that says there is none.
pub(super) fn newest(run: &Path) -> Result<PathBuf> {
    latest(&run.join("checkpoints"))?.with_context(|| {
        format!("{run} has no checkpoint yet: wait for one, or start it again with `train ... --run-dir {run} --overwrite`", run = run.display())
    })
}

impl ResumeArgs {
    pub(super) fn run(self) -> Result<i32> {
        let dir = RunDir::resume(&self.run)?;
        let config: Config = rlcore::config::resolve(&config_of(&self.run)?, None, &self.sets)?;
        let checkpoint = match self.checkpoint {
            Some(path) => path,
            None => newest(&self.run)?,
        };
        let mut runner = runner(&config, prepare(&config)?, dir)?;
        runner.resume(&checkpoint)?;
        // Only settings with which the checkpoint could be loaded replace those of the run.
        if !self.sets.is_empty() {
            runner.dir().write_config(&rlcore::config::to_toml(&config)?)?;
        }
        finish(&runner.run()?, None)
    }
}
