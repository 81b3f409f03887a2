//! The training loop. Follows `rlpyt/runners/minibatch_rl.py`, both of its runners: evaluation is an option. Differs: resumes
//! exactly, schedules count global environment steps, stops on a return or a signal.
use crate::checkpoint::{self, Build};
use crate::config::RunnerConfig;
use crate::console::Console;
use crate::error::RunError;
use crate::record::Record;
use crate::signals;
use algos::Algo;
use rlcore::block::{Columns, flag};
use rlcore::checkpoint::{keep, latest, step_name};
use rlcore::run_dir::RunDir;
use rlcore::table::{Events, ProgressCsv, Stats};
use rlcore::traj::user_fields;
use samplers::{Evaluation, Sampler};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

/// Evaluations that confirm a stop are numbered from here.
const CONFIRMATION: u64 = 1 << 33;

/// See the module documentation.
pub struct MinibatchRl {
    config: RunnerConfig,
    sampler: Box<dyn Sampler>,
    algo: Box<dyn Algo>,
    dir: RunDir,
    csv: ProgressCsv,
    events: Events,
    console: Console,
    record: Record,
    build: Build,
    user_fields: Vec<String>,
    published: Option<u64>,
    /// Environment steps of the checkpoint that this process wrote last.
    written: Option<u64>,
    weights: Vec<f32>,
}

impl std::fmt::Debug for MinibatchRl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MinibatchRl({}, {} steps)", self.dir.root().display(), self.record.env_steps)
    }
}

impl MinibatchRl {
    /// A run in `dir` from its beginning.
    pub fn new(
        config: RunnerConfig,
        sampler: Box<dyn Sampler>,
        algo: Box<dyn Algo>,
        dir: RunDir,
    ) -> Result<Self, RunError> {
        config.check().map_err(RunError::Config)?;
        tch::set_num_threads(config.threads as i32);
        let user = user_fields(sampler.spaces()).into_iter().map(|(name, _, _)| name).collect();
        Ok(Self {
            csv: ProgressCsv::append(&dir.progress())?,
            events: Events::new(dir.root()),
            console: Console::new(Some(&dir.log()))?,
            build: Build::this(config.threads),
            weights: vec![0.0; algo.params().len()],
            record: Record::default(),
            user_fields: user,
            published: None,
            written: None,
            config,
            sampler,
            algo,
            dir,
        })
    }

    /// Continues from `checkpoint`; progress.csv and the TensorBoard events are cut back to it, later checkpoints are removed.
    pub fn resume(&mut self, checkpoint: &Path) -> Result<(), RunError> {
        let loaded = checkpoint::load(checkpoint, &mut *self.algo)?;
        if loaded.build != self.build {
            let now = &self.build;
            self.console.line(&format!(
                "note: the checkpoint was written by version {} with {} threads on {:?}, this is version {} with {} threads on {:?}: results may differ in the last bits",
                loaded.build.version, loaded.build.threads, loaded.build.cpu, now.version, now.threads, now.cpu
            ));
        }
        if !loaded.sampler.exact() {
            self.console.line("note: these environments cannot save their state: new episodes start, the run does not continue to the bit");
            self.algo.cut();
        }
        self.sampler.load(loaded.sampler)?;
        discard_after(&self.dir.checkpoints(), loaded.record.env_steps)?;
        self.csv.truncate_to_rows(loaded.record.rows)?;
        self.events.truncate_to_step(loaded.record.env_steps)?;
        self.record = loaded.record;
        let checkpoints = self.dir.checkpoints();
        // A better one may have replaced it in the future that was discarded.
        self.record.best.take_if(|(_, name)| !checkpoints.join(name).is_dir());
        self.published = None;
        self.console.line(&format!(
            "resumed from {} at {} steps",
            checkpoint.display(),
            self.record.env_steps
        ));
        Ok(())
    }

    /// Where the run lies.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// The terminal and log of this run.
    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    /// Trains until a reason to stop, then writes a last checkpoint.
    pub fn run(&mut self) -> Result<Outcome, RunError> {
        let out = self.train();
        self.console.finish();
        if let Err(e) = &out {
            self.console.log_line(&format!("error: {e}"));
        }
        out
    }

    fn train(&mut self) -> Result<Outcome, RunError> {
        if self.record.itr == 0 && self.record.rows == 0 && self.config.evaluate {
            self.log_row()?;
        }
        let stop = loop {
            if let Some(stop) = self.stop() {
                break stop;
            }
            let before = self.record.env_steps;
            self.iterate()?;
            let interval = self.config.log_interval_steps;
            let crossed = self.record.env_steps / interval > before / interval;
            if crossed || self.record.env_steps >= self.config.n_steps {
                self.log_row()?;
                let due = self.record.env_steps - self.record.saved_at
                    >= self.config.checkpoint_interval_steps;
                if due {
                    self.save()?;
                }
            }
        };
        let checkpoint = self.save()?;
        let best = self.record.best.as_ref();
        let best = best.map(|(value, name)| (self.dir.checkpoints().join(name), *value));
        Ok(Outcome {
            stop,
            env_steps: self.record.env_steps,
            updates: self.algo.updates(),
            seconds: self.record.seconds,
            last_return: self.record.last_return,
            checkpoint,
            best,
        })
    }

    fn stop(&self) -> Option<Stop> {
        let r = &self.record;
        let c = &self.config;
        let reached =
            if c.evaluate { r.trusted_return } else { r.online_return(c.log_traj_window) };
        if let Some(signal) = signals::caught() {
            return Some(Stop::Signal(signal));
        }
        if let (Some(reached), Some(wanted)) = (reached, c.stop_return)
            && reached >= wanted
        {
            return Some(Stop::Return(reached));
        }
        if c.stop_seconds.is_some_and(|s| r.seconds >= s) {
            return Some(Stop::Seconds);
        }
        (r.env_steps >= c.n_steps).then_some(Stop::Steps)
    }

    fn publish(&mut self) -> Result<(), RunError> {
        if self.published != Some(self.algo.version()) {
            self.algo.params().write_to(&mut self.weights);
            self.sampler.publish(&self.weights)?;
            self.published = Some(self.algo.version());
        }
        Ok(())
    }

    fn iterate(&mut self) -> Result<(), RunError> {
        let begun = Instant::now();
        self.publish()?;
        let r = &mut self.record;
        let samples = self.sampler.obtain_samples(r.env_steps)?;
        r.env_steps += valid_steps(samples.columns());
        r.add_trajectories(samples.trajectories(), self.config.log_traj_window);
        for (rank, note) in samples.notes() {
            self.console.log_line(&format!("environment {rank}: {note}"));
        }
        let info = match self.algo.optimize(samples.columns(), r.env_steps) {
            Ok(info) => info,
            Err(source) => {
                let checkpoint = latest(&self.dir.checkpoints())?;
                return Err(RunError::Algo { source, checkpoint });
            }
        };
        drop(samples);
        r.add_opt(info);
        r.itr += 1;
        r.seconds += begun.elapsed().as_secs_f64();
        self.console.progress(&self.record, &self.config);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<Evaluation, RunError> {
        self.console.busy("evaluating");
        let begun = Instant::now();
        self.publish()?;
        let (number, episodes) = (self.record.evaluations, self.sampler.eval_episodes());
        let found = self.sampler.evaluate(number, episodes, self.record.env_steps)?;
        let took = begun.elapsed().as_secs_f64();
        let r = &mut self.record;
        r.evaluations += 1;
        r.evaluated_at = r.env_steps;
        r.seconds += took;
        r.eval_seconds += took;
        // Episodes cut off by eval.max_steps are no measure of the agent.
        r.last_return = found.mean_return().filter(|_| found.unfinished == 0);
        // What is to be confirmed is not trusted until it is.
        r.trusted_return = r.last_return.filter(|_| self.config.confirm_episodes == 0);
        Ok(found)
    }

    /// Whether the weights of the last evaluation keep its promise over fresh episodes; if not, training goes on.
    fn confirm(&mut self) -> Result<(), RunError> {
        let episodes = self.config.confirm_episodes;
        let Some(wanted) = self.config.stop_return.filter(|_| episodes > 0) else { return Ok(()) };
        if self.record.last_return.is_none_or(|r| r < wanted) {
            return Ok(());
        }
        self.console.busy("confirming");
        let begun = Instant::now();
        let number = CONFIRMATION + self.record.evaluations;
        let found = self.sampler.evaluate(number, episodes, self.record.env_steps)?;
        let took = begun.elapsed().as_secs_f64();
        self.record.seconds += took;
        self.record.eval_seconds += took;
        let returns: Vec<f64> = found.trajectories.iter().map(|t| t.ret).collect();
        let s = Stats::of(&returns);
        let error = s.std / (returns.len() as f64 - 1.0).sqrt();
        let holds = found.unfinished == 0 && s.average - 2.0 * error >= wanted;
        let verdict = if holds { "confirmed" } else { "not confirmed, training goes on" };
        let seen =
            format!("mean return {:.1} +- {error:.1} over {episodes} fresh episodes", s.average);
        self.console.line(&format!("{verdict}: {seen}"));
        self.record.trusted_return = holds.then_some(s.average);
        Ok(())
    }

    fn log_row(&mut self) -> Result<(), RunError> {
        let evaluation = if self.config.evaluate { Some(self.evaluate()?) } else { None };
        let (updates, batch) = (self.algo.updates(), self.algo.batch_size());
        let row = self.record.row(updates, batch, &self.user_fields, evaluation.as_ref());
        self.csv.row(&row)?;
        self.events.row(self.record.env_steps, &row)?;
        self.console.row(&row);
        if self.config.evaluate { self.confirm() } else { Ok(()) }
    }

    /// Writes a checkpoint of now; the best and the newest are kept.
    fn save(&mut self) -> Result<PathBuf, RunError> {
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
        let state = self.sampler.save()?;
        let path = self.dir.checkpoints().join(&name);
        checkpoint::save(&path, &self.record, &state, &*self.algo, &self.build)?;
        self.written = Some(self.record.env_steps);
        let last = NonZeroUsize::new(self.config.keep_checkpoints).unwrap_or(NonZeroUsize::MIN);
        let best = self.record.best.as_ref().map(|(_, name)| name.as_str());
        keep(&self.dir.checkpoints(), last, best)?;
        Ok(path)
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

/// Steps that happened: a waiting environment's do not count.
fn valid_steps(columns: &Columns) -> u64 {
    let row =
        |t| columns.flags.row(t).get::<u8>(flag::VALID).iter().map(|v| u64::from(*v)).sum::<u64>();
    (0..columns.flags.rows()).map(row).sum()
}
