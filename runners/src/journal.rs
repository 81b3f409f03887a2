//! The output of a run: rows of `progress.csv`, TensorBoard events, the console, checkpoints. The runner's loop decides when
//! something is written; the journal decides where and in which order.
use crate::checkpoint::{self, Build};
use crate::config::RunnerConfig;
use crate::console::Console;
use crate::error::RunError;
use crate::record::Record;
use algos::{Algo, AlgoError, SaveScope};
use rlcore::checkpoint::{discard_after, keep, latest, step_name};
use rlcore::run_dir::RunDir;
use rlcore::table::{Events, Kept, KeptEvents, ProgressCsv};
use rlcore::traj::user_fields;
use rlcore::{EnvSpaces, GlobalSteps};
use samplers::{Evaluation, Sampler};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// The budget of environment steps is used up.
    Steps,
    /// The wanted mean return (`runner.stop_return`) was reached; the value is the mean return.
    Return(f64),
    /// The limit on seconds (`runner.stop_seconds`) was reached.
    Seconds,
    /// The process received this signal.
    Signal(i32),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why the run ended.
    pub stop: Stop,
    /// Environment steps.
    pub env_steps: GlobalSteps,
    /// Updates of the parameters.
    pub updates: u64,
    /// Seconds, including evaluation and the parts of the run before it was resumed.
    pub seconds: f64,
    /// Mean return of the last evaluation.
    pub last_return: Option<f64>,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// The checkpoint with the best evaluation, and that evaluation's mean return.
    pub best: Option<(PathBuf, f64)>,
}

/// The run directory of one runner, and what is written to it.
pub(crate) struct Journal {
    pub(crate) dir: RunDir,
    pub(crate) console: Console,
    pub(crate) record: Record,
    config: RunnerConfig,
    csv: ProgressCsv,
    events: Events,
    build: Build,
    user_fields: Vec<String>,
    /// The checkpoint that this process wrote last: its environment steps, and whether it holds the replay.
    written: Option<(GlobalSteps, SaveScope)>,
    /// Whether the algorithm has a replay; `None` until that is first needed.
    has_replay: Option<bool>,
}

impl Journal {
    /// The journal of a new run in `dir`.
    pub(crate) fn new(
        dir: RunDir,
        config: &RunnerConfig,
        sampler: &dyn Sampler,
    ) -> Result<Self, RunError> {
        Ok(Self {
            csv: ProgressCsv::create(&dir.progress())?,
            events: Events::new(dir.root()),
            console: Console::new(Some(&dir.log()))?,
            build: Build::this(config.threads, sampler),
            record: Record::default(),
            user_fields: user_field_names(sampler.spaces()),
            written: None,
            has_replay: None,
            config: config.clone(),
            dir,
        })
    }

    /// Looks at everything that going back to `checkpoint` needs, and puts it into sampler and algorithm; nothing in `dir` changes.
    ///
    /// # Errors
    /// Whatever refuses to continue. Workers write their logs until the sampler is gone: drop it before `dir`, which is then left
    /// as it was.
    pub(crate) fn look(
        dir: &RunDir,
        config: &RunnerConfig,
        checkpoint: &Path,
        sampler: &mut dyn Sampler,
        algo: &mut dyn Algo,
    ) -> Result<Continued, RunError> {
        is_of_run(dir, checkpoint)?;
        let loaded = checkpoint::load(checkpoint, algo)?;
        let mut notes = Vec::new();
        let build = Build::this(config.threads, sampler);
        notes.extend(loaded.build.differs_from(&build));
        if !loaded.has_replay {
            notes.push("note: this checkpoint has no replay: it starts empty, the run does not continue to the bit".into());
        }
        if !loaded.sampler.exact() {
            notes.push("note: these environments cannot save their state: new episodes start, the run does not continue to the bit".into());
            algo.cut();
        }
        sampler.load(loaded.sampler)?;
        let record = loaded.record;
        let csv = ProgressCsv::look(&dir.progress(), record.rows)?;
        let events = Events::look(dir.root(), record.env_steps.0)?;
        dir.check_in_place()?;
        let user_fields = user_field_names(sampler.spaces());
        let (config, checkpoint) = (config.clone(), checkpoint.to_owned());
        Ok(Continued { config, checkpoint, record, csv, events, build, user_fields, notes })
    }

    /// Writes a row that covers everything since the last row.
    pub(crate) fn row(
        &mut self,
        sampler: &dyn Sampler,
        algo: &dyn Algo,
        evaluation: Option<&Evaluation>,
    ) -> Result<(), RunError> {
        let (updates, batch) = (algo.updates(), algo.batch_size());
        let mut schedules = sampler.schedules(self.record.env_steps)?;
        schedules.extend(algo.schedules());
        let row = self.record.row(updates, batch, &self.user_fields, evaluation, schedules);
        self.in_place(|journal| {
            journal.csv.row(&row)?;
            Ok(journal.events.row(journal.record.env_steps.0, &row)?)
        })?;
        self.console.row(&row);
        Ok(())
    }

    /// Calls `write`, with an error of its own if the run directory was moved or deleted before or during the call.
    fn in_place<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        self.dir.check_in_place()?;
        let out = write(self);
        self.dir.check_in_place()?;
        out
    }

    /// Whether a checkpoint is due at a log row.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        (self.record.env_steps - self.record.saved_at).0 >= self.config.checkpoint_interval_steps
    }

    /// Whether a checkpoint that is due now includes the replay.
    pub(crate) fn scope_due(&self) -> SaveScope {
        let since = self.record.env_steps - self.record.replay_saved_at;
        if since.0 >= self.config.replay_interval_steps {
            SaveScope::Everything
        } else {
            SaveScope::WithoutReplay
        }
    }

    /// Writes a checkpoint of the present state and deletes old ones, except the best and the newest. The rows of progress.csv that
    /// the checkpoint counts are synced to the disk before the checkpoint is committed.
    pub(crate) fn save(
        &mut self,
        sampler: &mut dyn Sampler,
        algo: &dyn Algo,
        scope: SaveScope,
    ) -> Result<PathBuf, RunError> {
        self.in_place(|journal| journal.save_in_place(sampler, algo, scope))
    }

    fn save_in_place(
        &mut self,
        sampler: &mut dyn Sampler,
        algo: &dyn Algo,
        mut scope: SaveScope,
    ) -> Result<PathBuf, RunError> {
        let (now, name) = (self.record.env_steps, step_name(self.record.env_steps.0));
        if scope == SaveScope::WithoutReplay {
            let has_replay = match self.has_replay {
                Some(known) => known,
                None => *self.has_replay.insert(checkpoint::has_replay(algo)?),
            };
            if !has_replay {
                scope = SaveScope::Everything;
            }
        }
        if self
            .written
            .is_some_and(|(at, has)| at == now && (has == scope || has == SaveScope::Everything))
        {
            return Ok(self.dir.checkpoints().join(name));
        }
        let r = &mut self.record;
        // Only if evaluated at this step: after further updates, the return of the last evaluation is not this checkpoint's.
        if let Some(now) = r.last_return
            && r.evaluated_at == r.env_steps
            && r.best.as_ref().is_none_or(|(best, _)| now >= *best)
        {
            r.best = Some((now, name.clone()));
        }
        r.saved_at = now;
        if scope == SaveScope::Everything {
            r.replay_saved_at = now;
        }
        let state = sampler.save()?;
        self.csv.sync()?;
        self.events.sync()?;
        let path = self.dir.checkpoints().join(&name);
        checkpoint::save(&path, &self.record, state, algo, scope, &self.build)?;
        self.written = Some((now, scope));
        let last = NonZeroUsize::new(self.config.keep_checkpoints).unwrap_or(NonZeroUsize::MIN);
        let best = self.record.best.as_ref().map(|(_, name)| name.as_str());
        keep(&self.dir.checkpoints(), last, best)?;
        Ok(path)
    }

    /// The error for a failed update. It names the newest checkpoint.
    pub(crate) fn failed(&self, error: AlgoError) -> RunError {
        match latest(&self.dir.checkpoints()) {
            Ok(checkpoint) => RunError::Algo { error: Box::new(error), checkpoint },
            Err(e) => e.into(),
        }
    }

    /// The outcome of a run whose last checkpoint is `checkpoint`.
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

/// A run that was found sound, up to the checkpoint that it continues from.
pub(crate) struct Continued {
    config: RunnerConfig,
    checkpoint: PathBuf,
    record: Record,
    csv: Kept,
    events: KeptEvents,
    build: Build,
    user_fields: Vec<String>,
    notes: Vec<String>,
}

impl Continued {
    /// Cuts progress.csv and the TensorBoard events back to the checkpoint and removes later checkpoints, in an order that a crash
    /// may interrupt anywhere: once the later checkpoints are gone, this one is the newest, and what else belongs to the future that
    /// they led to is cut off when the run is resumed again.
    pub(crate) fn claim(self, mut dir: RunDir) -> Result<Journal, RunError> {
        let Self { config, checkpoint, mut record, csv, events, build, user_fields, mut notes } =
            self;
        dir.claim()?;
        discard_after(&dir.checkpoints(), record.env_steps.0)?;
        let csv = csv.cut()?;
        let events = events.cut()?;
        if csv.rows() < record.rows {
            notes.push(format!(
                "note: {} lacks {} of the {} rows that the run had written: it goes on behind row {}",
                dir.progress().display(),
                record.rows - csv.rows(),
                record.rows,
                csv.rows()
            ));
            record.rows = csv.rows();
        }
        // The best checkpoint may have been deleted already, by a better one among the later checkpoints that were discarded.
        record.best.take_if(|(_, name)| !dir.checkpoints().join(name).is_dir());
        notes.push(format!("resumed from {} at {} steps", checkpoint.display(), record.env_steps));
        let mut console = Console::new(Some(&dir.log()))?;
        for note in &notes {
            console.line(note);
        }
        // This checkpoint counts as written: without a further step there is no need to write it again.
        let (written, has_replay) = (Some((record.env_steps, SaveScope::Everything)), None);
        Ok(Journal {
            dir,
            console,
            record,
            config,
            csv,
            events,
            build,
            user_fields,
            written,
            has_replay,
        })
    }
}

fn user_field_names(spaces: &EnvSpaces) -> Vec<String> {
    user_fields(spaces).into_iter().map(|(name, _, _)| name).collect()
}

/// Checks that `checkpoint` lies in the run directory. Resuming deletes the run's later checkpoints, so the one that it continues
/// from must remain in the run directory in case of a crash.
fn is_of_run(dir: &RunDir, checkpoint: &Path) -> Result<(), RunError> {
    let whole = |path: &Path| path.canonicalize().ok();
    let theirs = checkpoint
        .parent()
        .and_then(|p| whole(if p == Path::new("") { Path::new(".") } else { p }));
    if checkpoint.exists() && (theirs.is_none() || theirs != whole(&dir.checkpoints())) {
        return Err(RunError::ForeignCheckpoint {
            checkpoint: checkpoint.to_owned(),
            checkpoints: dir.checkpoints(),
        });
    }
    Ok(())
}
