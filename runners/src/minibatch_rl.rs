//! The training loop. Follows `rlpyt/runners/minibatch_rl.py`, both of its runners: evaluation is an option. Differs: resumes
//! exactly, schedules count global environment steps, stops on a return or a signal.
use crate::config::RunnerConfig;
use crate::console::Console;
use crate::error::RunError;
use crate::journal::{Journal, Outcome, Stop};
use crate::signals;
use algos::{Algo, SaveScope};
use rlcore::run_dir::RunDir;
use rlcore::seed::EvalSeries;
use rlcore::table::Stats;
use samplers::{Evaluation, Sampler};
use std::path::Path;
use std::time::Instant;

/// A run: collects batches, learns from them, evaluates, logs and writes checkpoints until it ends.
pub struct MinibatchRl {
    config: RunnerConfig,
    sampler: Box<dyn Sampler>,
    algo: Box<dyn Algo>,
    journal: Journal,
    /// Version of the algorithm's weights that was last published to the sampler.
    published: Option<u64>,
    weights: Vec<f32>,
    /// Whether the user was told of evaluation episodes that do not end.
    said_unfinished: bool,
}

impl std::fmt::Debug for MinibatchRl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (root, steps) = (self.journal.dir.root(), self.journal.record.env_steps);
        write!(f, "MinibatchRl({}, {steps} steps)", root.display())
    }
}

impl MinibatchRl {
    /// A new run in `dir`.
    ///
    /// # Errors
    /// Settings out of range; a sampler whose samples lack something that the algorithm needs; files that cannot be written.
    pub fn new(
        config: RunnerConfig,
        sampler: Box<dyn Sampler>,
        algo: Box<dyn Algo>,
        dir: RunDir,
    ) -> Result<Self, RunError> {
        prepare(&config, &*sampler, &*algo)?;
        let journal = Journal::new(dir, &config, &*sampler)?;
        let weights = vec![0.0; algo.params().len()];
        Ok(Self {
            config,
            sampler,
            algo,
            journal,
            published: None,
            weights,
            said_unfinished: false,
        })
    }

    /// The run in `dir`, continued from `checkpoint`, which must be one of that run's. Deletes the later checkpoints and truncates
    /// progress.csv and the TensorBoard events to the checkpoint.
    ///
    /// # Errors
    /// A checkpoint that is damaged, belongs to another run, or does not fit the sampler or the algorithm. The directory is
    /// unchanged then.
    pub fn resume(
        config: RunnerConfig,
        mut sampler: Box<dyn Sampler>,
        mut algo: Box<dyn Algo>,
        dir: RunDir,
        checkpoint: &Path,
    ) -> Result<Self, RunError> {
        let looked = prepare(&config, &*sampler, &*algo)
            .and_then(|()| Journal::look(&dir, &config, checkpoint, &mut *sampler, &mut *algo));
        let journal = match looked {
            Ok(looked) => looked.claim(dir)?,
            Err(refused) => {
                // Its workers write into the directory, which is then left as it was.
                drop(sampler);
                return Err(refused);
            }
        };
        let weights = vec![0.0; algo.params().len()];
        Ok(Self {
            config,
            sampler,
            algo,
            journal,
            published: None,
            weights,
            said_unfinished: false,
        })
    }

    /// The run directory.
    pub fn dir(&mut self) -> &mut RunDir {
        &mut self.journal.dir
    }

    /// The console output of this run.
    pub fn console(&mut self) -> &mut Console {
        &mut self.journal.console
    }

    /// Trains until a [`Stop`] applies, then writes a last checkpoint.
    ///
    /// # Errors
    /// Whatever ended the run before that; the error is also written to the log.
    pub fn run(&mut self) -> Result<Outcome, RunError> {
        let out = self.train();
        self.journal.console.finish();
        if let Err(e) = &out {
            self.journal.console.log_line(&format!("error: {e}"));
        }
        out
    }

    fn train(&mut self) -> Result<Outcome, RunError> {
        let r = &self.journal.record;
        if r.itr == 0 && r.rows == 0 && self.config.evaluate {
            self.log_row()?;
        }
        let stop = loop {
            if let Some(stop) = self.stop() {
                break stop;
            }
            let before = self.journal.record.env_steps.0;
            self.iterate()?;
            let interval = self.config.log_interval_steps;
            let now = self.journal.record.env_steps.0;
            if now / interval > before / interval || now >= self.config.n_steps {
                self.log_row()?;
                // Not if the run ends with this row: the last checkpoint is written below.
                if self.journal.checkpoint_is_due() && self.stop().is_none() {
                    let scope = self.journal.scope_due();
                    self.journal.save(&mut *self.sampler, &*self.algo, scope)?;
                }
            }
        };
        let scope = SaveScope::Everything;
        let checkpoint = self.journal.save(&mut *self.sampler, &*self.algo, scope)?;
        Ok(self.journal.outcome(stop, self.algo.updates(), checkpoint))
    }

    fn stop(&self) -> Option<Stop> {
        signals::caught().map(Stop::Signal).or_else(|| self.journal.record.stop(&self.config))
    }

    fn publish(&mut self) -> Result<(), RunError> {
        if self.published != Some(self.algo.version()) {
            self.algo.params().write_to(&mut self.weights);
            self.sampler.publisher().publish(&self.weights)?;
            self.published = Some(self.algo.version());
        }
        Ok(())
    }

    fn iterate(&mut self) -> Result<(), RunError> {
        let begun = Instant::now();
        self.publish()?;
        let r = &mut self.journal.record;
        let samples = self.sampler.obtain_samples(r.env_steps)?;
        r.env_steps += self.sampler.world().global(samples.columns().valid_steps());
        r.add_trajectories(samples.trajectories(), self.config.log_traj_window);
        for (rank, note) in samples.notes() {
            self.journal.console.log_line(&format!("environment {rank}: {note}"));
        }
        let info = match self.algo.optimize(samples.into_lease(), r.env_steps) {
            Ok(info) => info,
            Err(error) => return Err(self.journal.failed(error)),
        };
        r.add_opt(info);
        r.itr += 1;
        r.seconds += begun.elapsed().as_secs_f64();
        self.journal.console.progress(&self.journal.record, &self.config);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<Evaluation, RunError> {
        self.journal.console.busy("evaluating");
        let begun = Instant::now();
        self.publish()?;
        let series = EvalSeries::Training(self.journal.record.evaluations);
        let episodes = self.sampler.eval_episodes();
        let found = self.sampler.evaluate(series, episodes, self.journal.record.env_steps)?;
        let took = begun.elapsed().as_secs_f64();
        let r = &mut self.journal.record;
        r.evaluations += 1;
        r.evaluated_at = r.env_steps;
        r.seconds += took;
        r.eval_seconds += took;
        // No result if eval.max_steps cut off an episode: its return is incomplete.
        r.last_return = found.mean_return().filter(|_| found.unfinished == 0);
        // A return that is to be confirmed counts only once it is.
        r.trusted_return = r.last_return.filter(|_| self.config.confirm_episodes == 0);
        if found.unfinished > 0 && !self.said_unfinished {
            self.said_unfinished = true;
            let all = found.trajectories.len() + found.unfinished;
            self.journal.console.line(&format!(
                "note: {} of {all} evaluation episodes did not end within the limit of steps (eval.max_steps): an evaluation with such episodes neither stops the run nor counts as its best; limit the episodes (time_limit) or raise eval.max_steps",
                found.unfinished
            ));
        }
        Ok(found)
    }

    /// Evaluates once more, over fresh episodes, if the last evaluation reached `stop_return`. Only a confirmed return ends the run.
    fn confirm(&mut self) -> Result<(), RunError> {
        let episodes = self.config.confirm_episodes;
        let Some(wanted) = self.config.stop_return.filter(|_| episodes > 0) else { return Ok(()) };
        if self.journal.record.last_return.is_none_or(|r| r < wanted) {
            return Ok(());
        }
        self.journal.console.busy("confirming");
        let begun = Instant::now();
        let series = EvalSeries::Confirmation(self.journal.record.evaluations);
        let found = self.sampler.evaluate(series, episodes, self.journal.record.env_steps)?;
        let took = begun.elapsed().as_secs_f64();
        self.journal.record.seconds += took;
        self.journal.record.eval_seconds += took;
        let returns: Vec<f64> = found.trajectories.iter().map(|t| t.ret).collect();
        let s = Stats::of(&returns);
        let error = s.std / (returns.len() as f64 - 1.0).sqrt();
        let holds = found.unfinished == 0 && s.average - 2.0 * error >= wanted;
        let seen =
            format!("mean return {:.1} +- {error:.1} over {episodes} fresh episodes", s.average);
        let verdict = if holds {
            format!("confirmed: {seen}")
        } else if found.unfinished > 0 {
            format!(
                "not confirmed, training goes on: {} of {episodes} fresh episodes did not end within eval.max_steps",
                found.unfinished
            )
        } else {
            format!(
                "not confirmed, training goes on: {seen}; less two standard errors that is {:.1}, below runner.stop_return = {wanted}",
                s.average - 2.0 * error
            )
        };
        self.journal.console.line(&verdict);
        self.journal.record.trusted_return = holds.then_some(s.average);
        Ok(())
    }

    fn log_row(&mut self) -> Result<(), RunError> {
        let evaluation = if self.config.evaluate { Some(self.evaluate()?) } else { None };
        self.journal.row(&*self.sampler, &*self.algo, evaluation.as_ref())?;
        if self.config.evaluate { self.confirm() } else { Ok(()) }
    }
}

fn prepare(config: &RunnerConfig, sampler: &dyn Sampler, algo: &dyn Algo) -> Result<(), RunError> {
    config.check().map_err(RunError::Config)?;
    let (layout, weights) = (sampler.layout(), sampler.weight_count());
    let fits = algo.requires().check(layout, weights, sampler.discount());
    fits.map_err(|e| RunError::Config(e.to_string()))?;
    tch::set_num_threads(config.threads as i32);
    Ok(())
}
