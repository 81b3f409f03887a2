//! Facts about a run on disk, for the commands that begin with one.
use crate::config::{Config, EnvConfig};
use crate::render::RENDERED;
use anyhow::{Context, Result};
use rlcore::checkpoint::{latest, latest_complete};
use runners::RunnerConfig;
use std::path::{Path, PathBuf};

/// Its configuration.
pub(super) fn config_of(run: &Path) -> Result<Config> {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} is not a run directory: it has no config.toml", run.display())
    })?;
    Ok(rlcore::config::read(&path, &text)?)
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
pub(super) fn best(run: &Path) -> Result<PathBuf> {
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
pub(super) fn eval_env(config: &Config) -> &EnvConfig {
    config.eval_env.as_ref().unwrap_or(&config.env)
}

/// The name under which an environment is configured.
pub(super) fn kind(env: &EnvConfig) -> Result<String> {
    let table = toml::Table::try_from(env)?;
    Ok(table.get("kind").and_then(|k| k.as_str()).context("an environment has a kind")?.to_owned())
}

/// Whether there are pictures of its environment.
pub(super) fn watchable(run: &Path) -> bool {
    let kind = config_of(run).and_then(|config| kind(eval_env(&config)));
    kind.is_ok_and(|k| RENDERED.contains(&k.as_str()))
}
