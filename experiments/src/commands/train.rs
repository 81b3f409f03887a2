//! `experiments train`.
use super::ConfigArgs;
use super::summary::{self, ours};
use crate::assemble::prepare;
use crate::config::Config;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use clap::Args;
use rlcore::run_dir::{Existing, RunDir};
use runners::{MinibatchRl, Outcome, Stop, signals};
use std::path::PathBuf;

/// More seeds than this in one command are a slip of the hand.
const MOST_SEEDS: u64 = 10_000;

/// Arguments of `train`.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Seed of the run [default: the preset's, which is 0].
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Several runs, one after another: `0..4` for the seeds 0, 1, 2, 3 and 4, or `0,7,9`.
    #[arg(long, value_name = "RANGE")]
    seeds: Option<String>,
    /// Where to write the run [default: runs/<preset>-s<seed>, then ...-2, ...-3]. With --seeds each run is in DIR/s<seed>.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Delete the run that is in the directory already, and begin anew.
    #[arg(long)]
    overwrite: bool,
}

impl TrainArgs {
    pub(super) fn run(self, program: &Program) -> Result<i32> {
        let preset = &self.config.preset;
        let Some(text) = &self.seeds else {
            return finish(
                program,
                &self.one(program, self.seed, self.run_dir.clone())?,
                Some(preset),
            );
        };
        let mut runs = Vec::new();
        for seed in parse_seeds(text)? {
            crate::say!("seed {seed}");
            let dir = self.run_dir.as_ref().map(|d| d.join(format!("s{seed}")));
            let outcome = self.one(program, Some(seed), dir)?;
            if matches!(outcome.stop, Stop::Signal(_)) {
                return finish(program, &outcome, Some(preset));
            }
            summary::headline(&outcome);
            runs.push(run_of(&outcome)?);
            summary::places(&runs[runs.len() - 1], &outcome);
            crate::say!("");
        }
        let above = runs[0].parent().context("a run lies in a directory")?.to_owned();
        summary::next(&summary::looks(program, &runs, &above));
        Ok(0)
    }

    fn one(&self, program: &Program, seed: Option<u64>, dir: Option<PathBuf>) -> Result<Outcome> {
        let config = self.config.resolve(program, seed)?;
        let prepared = prepare(program, &config)?;
        let existing = if self.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let mut dir = match dir {
            Some(dir) => RunDir::create(&dir, existing)?,
            None if self.overwrite => {
                let name = rlcore::run_dir::default_name(&self.config.preset, config.seed);
                RunDir::create(&PathBuf::from("runs").join(name), existing)?
            }
            None => {
                RunDir::create_default(&PathBuf::from("runs"), &self.config.preset, config.seed)?
            }
        };
        program.record(&mut dir, &config)?;
        signals::listen()?;
        let parts = prepared.start(Some(dir.workers()))?;
        let mut runner = MinibatchRl::new(config.runner.clone(), parts.sampler, parts.algo, dir)?;
        introduce(&mut runner, &config);
        Ok(runner.run()?)
    }
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

/// Says how training ended, where everything lies and what to do next; the exit code.
pub(super) fn finish(program: &Program, outcome: &Outcome, preset: Option<&str>) -> Result<i32> {
    let run = run_of(outcome)?;
    let shown = run.display();
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
    } else if outcome.stop == Stop::Steps {
        let more = format!("resume {shown} --set runner.n_steps={}", 2 * outcome.env_steps.0);
        next.push(("go on", ours(&more)));
    }
    if let Some(preset) = preset {
        next.push(("other seeds", ours(&format!("train {preset} --seeds 1..4"))));
        next.push(("change it", ours(&format!("train {preset} --set algo.learning_rate=1e-3"))));
        next.push(("all settings", ours(&format!("show-config {preset}"))));
    }
    summary::next(&next);
    Ok(0)
}

/// The directory of the run that ended so.
fn run_of(outcome: &Outcome) -> Result<PathBuf> {
    let run = outcome.checkpoint.parent().and_then(|p| p.parent());
    Ok(run.context("a checkpoint lies in a run")?.to_owned())
}

fn parse_seeds(text: &str) -> Result<Vec<u64>> {
    let number = |s: &str| {
        s.trim().parse::<u64>().with_context(|| format!("--seeds {text}: {s:?} is not a number"))
    };
    let seeds: Vec<u64> = match text.split_once("..") {
        Some((first, last)) => {
            let seeds = number(first)?..=number(last.trim_start_matches('='))?;
            if seeds.end().saturating_sub(*seeds.start()) >= MOST_SEEDS {
                bail!("--seeds {text} names more than {MOST_SEEDS} seeds");
            }
            seeds.collect()
        }
        None => text.split(',').map(number).collect::<Result<_>>()?,
    };
    if seeds.is_empty() {
        bail!("--seeds {text} names no seed: write it as 0..4 or 0,1,2");
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_inclusive_ranges_or_lists() {
        assert_eq!(parse_seeds("0..4").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(parse_seeds("7").unwrap(), [7]);
        assert_eq!(parse_seeds("1, 5").unwrap(), [1, 5]);
        assert!(parse_seeds("4..0").unwrap_err().to_string().contains("0..4"));
        assert!(parse_seeds("a").is_err());
        assert!(parse_seeds("0..99999999999").unwrap_err().to_string().contains("more than"));
    }
}
