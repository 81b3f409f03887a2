//! `experiments resume`.
use super::saved_run::{config_of, to_resume};
use super::train::{finish, introduce};
use crate::assemble::prepare;
use crate::program::Program;
use crate::program::run::meta;
use anyhow::Result;
use clap::Args;
use rlcore::run_dir::RunDir;
use runners::{MinibatchRl, signals};
use std::path::PathBuf;

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

impl ResumeArgs {
    pub(super) fn run(self, program: &Program) -> Result<i32> {
        let dir = RunDir::resume(&self.run)?;
        let config = program.resolve(&config_of(program, &self.run)?, None, &self.sets)?;
        let (checkpoint, note) = match self.checkpoint {
            Some(path) => (path, None),
            None => to_resume(&self.run)?,
        };
        let parts = prepare(program, &config)?;
        signals::listen()?;
        let parts = parts.start(Some(dir.workers()))?;
        let settings = config.runner.clone();
        let mut runner =
            MinibatchRl::resume(settings, parts.sampler, parts.algo, dir, &checkpoint)?;
        // Only settings with which the checkpoint could be loaded replace those of the run.
        if !self.sets.is_empty() {
            runner.dir().write_config(&rlcore::config::to_toml(&config)?)?;
        }
        runner.dir().add_meta(meta(&config))?;
        if let Some(note) = note {
            runner.console().line(&note);
        }
        introduce(&mut runner, &config);
        finish(program, &runner.run()?, None)
    }
}
