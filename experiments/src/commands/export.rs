//! `experiments export`.
use super::saved_run::{Which, checkpoint, config_of};
use super::summary;
use crate::assemble::torch_policy;
use crate::program::Program;
use agents::params::Params;
use anyhow::{Context, Result};
use clap::Args;
use rlcore::file::atomic_write;
use std::path::PathBuf;

/// Names of the two files.
const SOURCE: &str = "policy.py";
const WEIGHTS: &str = "policy.safetensors";

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The run's directory, such as runs/cartpole-dqn-s0.
    run: PathBuf,
    /// Checkpoint to export: best, newest, a number of steps, or its directory [default: best; newest where there is no evaluation].
    #[arg(long, value_name = "WHICH")]
    checkpoint: Option<Which>,
    /// Where the two files go [default: export/ in the run].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ExportArgs {
    pub(super) fn run(self, program: &Program) -> Result<()> {
        let config = config_of(program, &self.run)?;
        let checkpoint = checkpoint(&self.run, self.checkpoint.as_ref())?.path;
        let torch = torch_policy(program, &config)?;
        let weights = runners::weights(&checkpoint)?;
        // Read once, so that weights of another model are refused here and not in Python.
        Params::from_safetensors(torch.specs(), &weights)?;
        let dir = self.out.unwrap_or_else(|| self.run.join("export"));
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let name = checkpoint.file_name().context("a checkpoint has a name")?.to_string_lossy();
        let title = format!(
            "The policy of {}, {name}: {} by {} in {}.",
            self.run.display(),
            config.agent.kind,
            config.algo.kind,
            config.env.kind
        );
        let (source, values) = (dir.join(SOURCE), dir.join(WEIGHTS));
        atomic_write(&values, &weights)?;
        atomic_write(&source, torch.source(&title, WEIGHTS).as_bytes())?;
        crate::say!("{}\n{}\n{}", checkpoint.display(), source.display(), values.display());
        let act = "python3 -c 'from policy import Policy; print(Policy().net)'";
        summary::next(&[("look at it", format!("cd {} && {act}", dir.display()))]);
        Ok(())
    }
}
