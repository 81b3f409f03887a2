//! `experiments train`.
use super::ConfigArgs;
use super::seeds::{self, Place, Seeds};
use super::summary::{self, ours, quoted};
use crate::assemble::prepare;
use crate::config::Config;
use crate::program::Program;
use anyhow::{Context, Result};
use clap::Args;
use rlcore::run_dir::{Existing, RunDir, RunDirError, default_name};
use runners::{MinibatchRl, Outcome, Stop, signals};
use std::path::{Path, PathBuf};

/// Arguments of `train`.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Seed of the run [default: the preset's, which is 0].
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// A run for each seed: `0..4` for the seeds 0, 1, 2, 3 and 4, or `0,7,9`. The same command again completes what was stopped.
    #[arg(long, value_name = "RANGE")]
    seeds: Option<String>,
    /// With --seeds: how many runs at a time, each in a process of its own; 0 for one per CPU.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "seeds")]
    jobs: usize,
    /// Where to write the run [default: runs/<preset>-s<seed>, then ...-2, ...-3; runs/<env>-<algo>-s<seed> where that is no longer
    /// what the preset trains]. With --seeds each run is in DIR/s<seed>.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Delete the run that is in the directory already, and begin anew.
    #[arg(long)]
    overwrite: bool,
}

impl TrainArgs {
    pub(super) fn run(self, program: &Program) -> Result<i32> {
        let Some(text) = &self.seeds else {
            let config = self.config.resolve(program, self.seed)?;
            let name = self.config.name(program, &config)?;
            let mut runner = begun(program, &config, || self.new_dir(&name, config.seed))?;
            return finish(program, &runner.run()?, Some(&self.config.given()));
        };
        let of_seed = |seed: u64| self.config.resolve(program, Some(seed));
        let configs = seeds::parse(text)?.into_iter().map(of_seed).collect::<Result<Vec<_>>>()?;
        let name = self.config.name(program, configs.first().context("there is a seed")?)?;
        let jobs = match self.jobs {
            0 => rlcore::affinity::cpu_count(),
            n => n,
        };
        let place = Place { dir: self.run_dir.clone(), name, overwrite: self.overwrite };
        Seeds { configs, place, jobs, again: self.again(text) }.run(program)
    }

    fn new_dir(&self, name: &str, seed: u64) -> Result<RunDir, RunDirError> {
        let existing = if self.overwrite { Existing::Overwrite } else { Existing::Refuse };
        match &self.run_dir {
            Some(dir) => RunDir::create(dir, existing),
            None if self.overwrite => {
                RunDir::create(&Path::new("runs").join(default_name(name, seed)), existing)
            }
            None => RunDir::create_default(Path::new("runs"), name, seed),
        }
    }

    /// The command that completes what this one leaves: the same, except that nothing is overwritten again.
    fn again(&self, seeds: &str) -> String {
        let option = |name: &str, value: Option<String>| {
            value.map_or(String::new(), |v| format!(" --{name} {}", quoted(&v)))
        };
        let command = [
            format!("train {}", self.config.given()),
            option("seeds", Some(seeds.to_owned())),
            option("jobs", (self.jobs != 1).then(|| self.jobs.to_string())),
            option("run-dir", self.run_dir.as_ref().map(|dir| dir.display().to_string())),
        ]
        .concat();
        ours(&command)
    }
}

/// A new run with these settings. Everything that can be refused is refused before its directory is made.
pub(super) fn begun(
    program: &Program,
    config: &Config,
    dir: impl FnOnce() -> Result<RunDir, RunDirError>,
) -> Result<MinibatchRl> {
    let prepared = prepare(program, config)?;
    let mut dir = dir()?;
    program.record(&mut dir, config)?;
    signals::listen()?;
    let parts = prepared.start(Some(dir.workers()))?;
    let mut runner = MinibatchRl::new(config.runner.clone(), parts.sampler, parts.algo, dir)?;
    introduce(&mut runner, config);
    Ok(runner)
}

/// The first line of a run.
pub(super) fn introduce(runner: &mut MinibatchRl, config: &Config) {
    let root = runner.dir().root().display().to_string();
    runner.console().line(&format!(
        "{} environments, {}, seed {}, run in {root}",
        config.sampler.b,
        config.sampler.arrangement(),
        config.seed,
    ));
}

/// Says how training ended, where everything lies and what to do next; the exit code. `given`: what `train` was given to choose the
/// settings, where it was `train`.
pub(super) fn finish(program: &Program, outcome: &Outcome, given: Option<&str>) -> Result<i32> {
    let run = run_of(outcome)?;
    let shown = quoted(&run.display().to_string());
    summary::headline(outcome);
    summary::places(&run, outcome);
    if let Stop::Signal(signal) = outcome.stop {
        crate::say!("continue with: {}", ours(&format!("resume {shown}")));
        return Ok(signals::exit_code(signal));
    }
    let mut next = vec![("measure it", ours(&format!("eval {shown}")))];
    next.extend(summary::looks(program, std::slice::from_ref(&run), &run));
    if matches!(outcome.stop, Stop::Return(_)) {
        next.push(("go on", ours(&format!("resume {shown} --set runner.stop_return="))));
    } else if outcome.stop == Stop::Seconds {
        next.push(("go on", ours(&format!("resume {shown} --set runner.stop_seconds="))));
    } else if outcome.stop == Stop::Steps {
        let more = format!("resume {shown} --set runner.n_steps={}", 2 * outcome.env_steps.0);
        next.push(("go on", ours(&more)));
    }
    if let Some(given) = given {
        let jobs = rlcore::affinity::cpu_count();
        let seeds = format!("train {given} --seeds 0..4 --jobs {jobs}");
        next.push(("other seeds", ours(&seeds)));
        next.push(("change it", ours(&format!("train {given} --set algo.learning_rate=1e-3"))));
        next.push(("all settings", ours(&format!("show-config {given}"))));
    }
    summary::next(&next);
    Ok(0)
}

/// The directory of the run that ended so.
fn run_of(outcome: &Outcome) -> Result<PathBuf> {
    let run = outcome.checkpoint.parent().and_then(|p| p.parent());
    Ok(run.context("a checkpoint lies in a run")?.to_owned())
}
