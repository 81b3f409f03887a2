//! One run of a command that makes several: where it lies, how far it has come, how it goes on. A child process is handed one of
//! these.
use crate::commands::resume::continued;
use crate::commands::saved_run::to_resume;
use crate::commands::train::begun;
use crate::config::Config;
use crate::program::Program;
use anyhow::{Result, bail};
use rlcore::checkpoint::latest;
use rlcore::run_dir::{Existing, RunDir, default_name, is_unused};
use runners::{MinibatchRl, Progress, RunnerConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// See the module documentation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::commands) struct Work {
    pub(super) seed: u64,
    pub(super) dir: PathBuf,
    /// The run's `config.toml`, and its part that says when the run ends.
    config: String,
    pub(super) runner: RunnerConfig,
    pub(super) todo: Todo,
}

/// What is left to do of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Todo {
    /// Everything.
    Begin,
    /// Everything, and what is in its directory is deleted.
    BeginAnew,
    /// What comes after its newest checkpoint.
    Continue,
    /// Nothing.
    Nothing,
}

/// Where the runs of a command go.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Place {
    /// `--run-dir`.
    pub(in crate::commands) dir: Option<PathBuf>,
    /// Of the runs where no directory was given.
    pub(in crate::commands) name: String,
    /// Whether runs that are there are replaced.
    pub(in crate::commands) overwrite: bool,
}

impl Place {
    /// The directory of a seed; `count`, from 1, where others have taken the name.
    fn of(&self, seed: u64, count: usize) -> PathBuf {
        match (&self.dir, count) {
            (Some(dir), _) => dir.join(format!("s{seed}")),
            (None, 1) => PathBuf::from("runs").join(default_name(&self.name, seed)),
            (None, n) => {
                PathBuf::from("runs").join(format!("{}-{n}", default_name(&self.name, seed)))
            }
        }
    }
}

impl Work {
    /// The run of these settings: the one that is there, or a new one. Runs with other settings are left alone.
    pub(super) fn find(program: &Program, config: &Config, place: &Place) -> Result<Self> {
        let toml = program.to_toml(config)?;
        let seed = config.seed;
        let work = |dir, todo| {
            Ok(Self { seed, dir, config: toml.clone(), runner: config.runner.clone(), todo })
        };
        for count in 1.. {
            let dir = place.of(seed, count);
            if is_unused(&dir)? {
                return work(dir, Todo::Begin);
            }
            if place.overwrite {
                return work(dir, Todo::BeginAnew);
            }
            if std::fs::read_to_string(dir.join("config.toml")).is_ok_and(|c| c == toml) {
                let todo = match latest(&dir.join("checkpoints"))? {
                    None => Todo::BeginAnew,
                    Some(c) if Progress::at(&c, &config.runner)?.stop.is_some() => Todo::Nothing,
                    Some(_) => Todo::Continue,
                };
                return work(dir, todo);
            }
            if place.dir.is_some() {
                bail!(
                    "{} is taken by a run with other settings, or by something else: choose another --run-dir, or replace it with --overwrite",
                    dir.display()
                );
            }
        }
        bail!("every name for a run is taken")
    }

    /// How far it has come; none where it has no checkpoint.
    pub(super) fn progress(&self) -> Result<Option<Progress>> {
        let newest = latest(&self.dir.join("checkpoints"))?;
        Ok(newest.map(|c| Progress::at(&c, &self.runner)).transpose()?)
    }

    /// The run, ready to do what is left of it.
    pub(super) fn runner(&self, program: &Program) -> Result<MinibatchRl> {
        let config = program.read(&self.dir.join("config.toml"), &self.config)?;
        match self.todo {
            Todo::Continue | Todo::Nothing => {
                let (checkpoint, note) = to_resume(&self.dir)?;
                continued(program, RunDir::resume(&self.dir)?, &config, &checkpoint, note)
            }
            Todo::Begin => begun(program, &config, || RunDir::create(&self.dir, Existing::Refuse)),
            Todo::BeginAnew => {
                begun(program, &config, || RunDir::create(&self.dir, Existing::Overwrite))
            }
        }
    }
}
