//! Facts about a run on disk, for the commands that begin with one.
use crate::config::{Config, Section};
use crate::program::Program;
use anyhow::{Context, Result};
use rlcore::checkpoint::{latest, latest_complete};
use runners::RunnerConfig;
use std::path::{Path, PathBuf};

/// Its configuration.
pub(crate) fn config_of(program: &Program, run: &Path) -> Result<Config> {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} is not a run directory: it has no config.toml", run.display())
    })?;
    Ok(program.read(&path, &text)?)
}

/// Its newest checkpoint, or an error that says there is none.
pub(super) fn newest(run: &Path) -> Result<PathBuf> {
    latest(&run.join("checkpoints"))?.with_context(|| none(run))
}

/// The checkpoint that it continues from: the newest that has its replay. Where that is not the newest, a note that says so.
pub(super) fn to_resume(run: &Path) -> Result<(PathBuf, Option<String>)> {
    let newest = newest(run)?;
    match latest_complete(&run.join("checkpoints"))? {
        Some(complete) if complete != newest => {
            let note = format!(
                "note: {} has no replay (see runner.replay_interval_steps): the run continues exactly from {}; to continue from the newer one with an empty replay give it as `--checkpoint`",
                newest.display(),
                complete.display()
            );
            Ok((complete, Some(note)))
        }
        _ => Ok((newest, None)),
    }
}

/// Its best checkpoint, while that is there, or its newest.
pub(crate) fn best(run: &Path) -> Result<PathBuf> {
    let newest = newest(run)?;
    let best = runners::Progress::at(&newest, &RunnerConfig::default())?.best;
    let best = best.map(|(_, name)| run.join("checkpoints").join(name));
    Ok(best.filter(|path| path.is_dir()).unwrap_or(newest))
}

fn none(run: &Path) -> String {
    format!(
        "{run} has no checkpoint yet: wait for one, or start it again with `train ... --run-dir {run} --overwrite`",
        run = run.display()
    )
}

/// The environments that are measured and watched.
pub(super) fn eval_env(config: &Config) -> &Section {
    config.eval_env.as_ref().unwrap_or(&config.env)
}

/// Whether there are pictures of its environment.
pub(super) fn watchable(program: &Program, run: &Path) -> bool {
    config_of(program, run).is_ok_and(|config| program.is_rendered(eval_env(&config)))
}
