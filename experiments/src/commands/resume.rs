//! `experiments resume`.
use super::saved_run::{Which, checkpoint, config_of, to_resume};
use super::summary::{self, ours};
use super::train::{finish, introduce};
use crate::assemble::prepare;
use crate::config::Config;
use crate::failure;
use crate::program::Program;
use crate::program::run::meta;
use anyhow::{Error, Result, anyhow};
use clap::Args;
use rlcore::checkpoint::CheckpointReader;
use rlcore::config::Form;
use rlcore::run_dir::RunDir;
use runners::{MinibatchRl, Progress, RunError, Stop, signals};
use std::path::{Path, PathBuf};
use toml::Value;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's directory, such as runs/cartpole-dqn-s0.
    run: PathBuf,
    /// Checkpoint to continue from: newest, best, a number of steps, or its directory [default: newest]. Later checkpoints and log
    /// rows are deleted.
    #[arg(long, value_name = "WHICH")]
    checkpoint: Option<Which>,
    /// One setting that differs from now on, such as `runner.n_steps=800000`, or `runner.stop_return=` to go on after a run
    /// is solved; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl ResumeArgs {
    pub(super) fn run(self, program: &Program) -> Result<i32> {
        let before = config_of(program, &self.run)?;
        let config = program.resolve(&before, None, &self.sets)?;
        let dir = RunDir::resume(&self.run)?;
        let (from, note) = match &self.checkpoint {
            Some(which) => (checkpoint(&self.run, Some(which))?.path, None),
            None => to_resume(&self.run)?,
        };
        let progress = Progress::at(&from, &config.runner)?;
        if let Some(stop) = progress.stop {
            crate::assemble::check(program, &config)?;
            if self.checkpoint.is_some() {
                CheckpointReader::open(&from)?.verify()?;
            }
            nothing_to_do(&self.run, stop, &progress);
            return Ok(0);
        }
        let mut runner = continued(program, dir, &config, &from, note)
            .map_err(|e| with_settings(program, e, &before, &config))?;
        // Only settings with which the checkpoint could be loaded replace those of the run.
        if !self.sets.is_empty() {
            runner.dir().write_config(&program.to_toml(&config)?)?;
        }
        finish(program, &runner.run()?, None)
    }
}

/// The run in `dir` from a checkpoint on, with these settings; `note`: to be said first.
pub(super) fn continued(
    program: &Program,
    dir: RunDir,
    config: &Config,
    checkpoint: &Path,
    note: Option<String>,
) -> Result<MinibatchRl> {
    let parts = prepare(program, config)?;
    signals::listen()?;
    let parts = parts.start(Some(dir.workers()))?;
    let settings = config.runner.clone();
    let mut runner = MinibatchRl::resume(settings, parts.sampler, parts.algo, dir, checkpoint)?;
    runner.dir().add_meta(meta(config))?;
    if let Some(note) = note {
        runner.console().line(&note);
    }
    introduce(&mut runner, config);
    Ok(runner)
}

fn nothing_to_do(run: &Path, stop: Stop, progress: &Progress) {
    let shown = summary::quoted(&run.display().to_string());
    let after = format!("after {} steps, {:.1} s", progress.env_steps, progress.seconds);
    let (why, more) = match stop {
        Stop::Return(r) => (
            format!("is solved, with a mean return of {r:.1} {after}"),
            "--set runner.stop_return=".to_owned(),
        ),
        Stop::Seconds => (
            format!("has used up its time (runner.stop_seconds) {after}"),
            "--set runner.stop_seconds=".to_owned(),
        ),
        Stop::Steps | Stop::Signal(_) => (
            format!("has used up its budget (runner.n_steps) {after}"),
            format!("--set runner.n_steps={}", progress.env_steps.saturating_mul(2)),
        ),
    };
    crate::say!("nothing to do: {shown} {why}");
    summary::next(&[
        ("go on", ours(&format!("resume {shown} {more}"))),
        ("measure it", ours(&format!("eval {shown}"))),
    ]);
}

/// A resume that failed, with what the run had before its settings were changed.
fn with_settings(program: &Program, e: Error, before: &Config, now: &Config) -> Error {
    let flat = |config: &Config| -> Vec<(String, String)> {
        let mut all = Vec::new();
        if let Ok(table) = program.write(config) {
            flatten("", &Value::Table(table), &mut all);
        }
        all
    };
    if !e.is::<RunError>() {
        return e;
    }
    let now = flat(now);
    let was = flat(before).into_iter().filter(|setting| !now.contains(setting));
    let was: Vec<String> = was.map(|(key, value)| format!("{key} = {value}")).collect();
    match was.as_slice() {
        [] => e,
        was => anyhow!("{}; the run itself has {}", failure::line(&e), was.join(", ")),
    }
}

fn flatten(key: &str, value: &Value, all: &mut Vec<(String, String)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let dot = if key.is_empty() { "" } else { "." };
                flatten(&format!("{key}{dot}{name}"), value, all);
            }
        }
        value => all.push((key.to_owned(), value.to_string())),
    }
}
