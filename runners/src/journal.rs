//! What a run writes about itself: rows of `progress.csv`, TensorBoard events, the console, checkpoints. A runner's loop decides
//! when; this says where and in which order.
use crate::checkpoint::{self, Build};
use crate::config::RunnerConfig;
use crate::console::Console;
use crate::error::RunError;
use crate::record::Record;
use algos::{Algo, AlgoError};
use rlcore::EnvSpaces;
use rlcore::checkpoint::{keep, latest, step_name};
use rlcore::run_dir::RunDir;
use rlcore::table::{Events, ProgressCsv};
use rlcore::traj::user_fields;
use samplers::{Evaluation, Sampler};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// The budget of environment steps is used up.
    Steps,
    /// This mean return was reached.
    Return(f64),
    /// The time is over.
    Seconds,
    /// This signal came.
    Signal(i32),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why.
    pub stop: Stop,
    /// Global environment steps.
    pub env_steps: u64,
    /// Updates.
    pub updates: u64,
    /// Seconds, resumed parts and evaluation included.
    pub seconds: f64,
    /// Mean return of the last evaluation.
    pub last_return: Option<f64>,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// The checkpoint with the best evaluation, and that evaluation's mean return.
    pub best: Option<(PathBuf, f64)>,
}

/// The run directory and everything that is written to it, for one runner.
pub(crate) struct Journal {
    pub(crate) dir: RunDir,
    pub(crate) console: Console,
    pub(crate) record: Record,
    config: RunnerConfig,
    csv: ProgressCsv,
    events: Events,
    build: Build,
    user_fields: Vec<String>,
    /// Environment steps of the checkpoint that this process wrote last.
    written: Option<u64>,
}

impl Journal {
    /// Of a run in `dir` from its beginning.
    pub(crate) fn new(
        dir: RunDir,
        config: &RunnerConfig,
        spaces: &EnvSpaces,
    ) -> Result<Self, RunError> {
        Ok(Self {
            csv: ProgressCsv::append(&dir.progress())?,
            events: Events::new(dir.root()),
            console: Console::new(Some(&dir.log()))?,
            build: Build::this(config.threads),
            record: Record::default(),
            user_fields: user_fields(spaces).into_iter().map(|(name, _, _)| name).collect(),
            written: None,
            config: config.clone(),
            dir,
        })
    }

    /// Goes back to `checkpoint`, into which sampler and algorithm are put as well; progress.csv and the TensorBoard events are cut
    /// back to it, later checkpoints are removed.
    pub(crate) fn resume(
        &mut self,
        checkpoint: &Path,
        sampler: &mut dyn Sampler,
        algo: &mut dyn Algo,
    ) -> Result<(), RunError> {
        let loaded = checkpoint::load(checkpoint, algo)?;
        if loaded.build != self.build {
            let now = &self.build;
            self.console.line(&format!(
                "note: the checkpoint was written by version {} with {} threads on {:?}, this is version {} with {} threads on {:?}: results may differ in the last bits",
                loaded.build.version, loaded.build.threads, loaded.build.cpu, now.version, now.threads, now.cpu
            ));
        }
        if !loaded.sampler.exact() {
            self.console.line("note: these environments cannot save their state: new episodes start, the run does not continue to the bit");
            algo.cut();
        }
        sampler.load(loaded.sampler)?;
        discard_after(&self.dir.checkpoints(), loaded.record.env_steps)?;
        self.csv.truncate_to_rows(loaded.record.rows)?;
        self.events.truncate_to_step(loaded.record.env_steps)?;
        self.record = loaded.record;
        let checkpoints = self.dir.checkpoints();
        // A better one may have replaced it in the future that was discarded.
        self.record.best.take_if(|(_, name)| !checkpoints.join(name).is_dir());
        self.console.line(&format!(
            "resumed from {} at {} steps",
            checkpoint.display(),
            self.record.env_steps
        ));
        Ok(())
    }

    /// A row of everything since the last one.
    pub(crate) fn row(
        &mut self,
        algo: &dyn Algo,
        evaluation: Option<&Evaluation>,
    ) -> Result<(), RunError> {
        let (updates, batch) = (algo.updates(), algo.batch_size());
        let row = self.record.row(updates, batch, &self.user_fields, evaluation);
        self.csv.row(&row)?;
        self.events.row(self.record.env_steps, &row)?;
        self.console.row(&row);
        Ok(())
    }

    /// Whether a checkpoint is due at a log row.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.record.env_steps - self.record.saved_at >= self.config.checkpoint_interval_steps
    }

    /// Writes a checkpoint of now; the best and the newest are kept.
    pub(crate) fn save(
        &mut self,
        sampler: &mut dyn Sampler,
        algo: &dyn Algo,
    ) -> Result<PathBuf, RunError> {
        let name = step_name(self.record.env_steps);
        if self.written == Some(self.record.env_steps) {
            return Ok(self.dir.checkpoints().join(name));
        }
        let r = &mut self.record;
        // A run that is stopped between two evaluations has learned since the last: that return is not this checkpoint's.
        if let Some(now) = r.last_return
            && r.evaluated_at == r.env_steps
            && r.best.as_ref().is_none_or(|(best, _)| now >= *best)
        {
            r.best = Some((now, name.clone()));
        }
        r.saved_at = r.env_steps;
        let state = sampler.save()?;
        let path = self.dir.checkpoints().join(&name);
        checkpoint::save(&path, &self.record, &state, algo, &self.build)?;
        self.written = Some(self.record.env_steps);
        let last = NonZeroUsize::new(self.config.keep_checkpoints).unwrap_or(NonZeroUsize::MIN);
        let best = self.record.best.as_ref().map(|(_, name)| name.as_str());
        keep(&self.dir.checkpoints(), last, best)?;
        Ok(path)
    }

    /// The error of a failed update, with the checkpoint from before it.
    pub(crate) fn failed(&self, source: AlgoError) -> RunError {
        match latest(&self.dir.checkpoints()) {
            Ok(checkpoint) => RunError::Algo { source, checkpoint },
            Err(e) => e.into(),
        }
    }

    /// How the run ended that wrote `checkpoint` last.
    pub(crate) fn outcome(&self, stop: Stop, updates: u64, checkpoint: PathBuf) -> Outcome {
        let best = self.record.best.as_ref();
        Outcome {
            stop,
            env_steps: self.record.env_steps,
            updates,
            seconds: self.record.seconds,
            last_return: self.record.last_return,
            checkpoint,
            best: best.map(|(value, name)| (self.dir.checkpoints().join(name), *value)),
        }
    }
}

/// Removes checkpoints after `env_steps`: they belong to a future that is not this run's.
fn discard_after(checkpoints: &Path, env_steps: u64) -> Result<(), RunError> {
    for entry in std::fs::read_dir(checkpoints)?.flatten() {
        let name = entry.file_name();
        let step = name.to_str().and_then(|n| n.strip_prefix("step_")?.parse::<u64>().ok());
        if step.is_some_and(|step| step > env_steps) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
