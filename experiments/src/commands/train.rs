//! `experiments train`.
use super::ConfigArgs;
use crate::assemble::{Prepared, prepare};
use crate::config::Config;
use anyhow::{Context, Result, bail};
use clap::Args;
use rlcore::run_dir::{Existing, Meta, RunDir};
use runners::{MinibatchRl, Outcome, Stop, signals};
use std::path::PathBuf;

/// More seeds than this in one command are a slip of the hand.
const MOST_SEEDS: u64 = 10_000;

/// Arguments of `train`.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Seed of the run.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Several runs one after another: `0..4` for seeds 0, 1, 2, 3 and 4, or `0,7,9`.
    #[arg(long, value_name = "RANGE")]
    seeds: Option<String>,
    /// Directory of the run [default: runs/<preset>-s<seed>, with a number where that is taken]; with --seeds, of DIR/s<seed>.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Replace the run that is in the directory already.
    #[arg(long)]
    overwrite: bool,
}

impl TrainArgs {
    pub(super) fn run(self) -> Result<i32> {
        let Some(text) = &self.seeds else { return self.one(self.seed, self.run_dir.clone()) };
        for seed in parse_seeds(text)? {
            crate::say!("seed {seed}");
            let dir = self.run_dir.as_ref().map(|d| d.join(format!("s{seed}")));
            let code = self.one(Some(seed), dir)?;
            if code != 0 {
                return Ok(code);
            }
        }
        Ok(0)
    }

    fn one(&self, seed: Option<u64>, dir: Option<PathBuf>) -> Result<i32> {
        let config = self.config.resolve(seed)?;
        let prepared = prepare(&config)?;
        let existing = if self.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let dir = match dir {
            Some(dir) => RunDir::create(&dir, existing)?,
            None if self.overwrite => {
                let name = rlcore::run_dir::default_name(&self.config.preset, config.seed);
                RunDir::create(&PathBuf::from("runs").join(name), existing)?
            }
            None => {
                RunDir::create_default(&PathBuf::from("runs"), &self.config.preset, config.seed)?
            }
        };
        dir.write_config(&rlcore::config::to_toml(&config)?)?;
        let mut runner = runner(&config, prepared, dir)?;
        let outcome = runner.run();
        finish(&outcome?, Some(&self.config.preset))
    }
}

/// A runner for a configuration in its run directory.
pub(super) fn runner(config: &Config, prepared: Prepared, dir: RunDir) -> Result<MinibatchRl> {
    signals::listen()?;
    let root = dir.root().to_owned();
    let mut meta = Meta::collect();
    meta.threads.insert("learner".into(), config.runner.threads);
    meta.threads.insert("workers".into(), config.sampler.workers());
    meta.versions.insert("tch".into(), "0.24 (libtorch 2.11.0)".into());
    dir.add_meta(meta)?;
    let parts = prepared.start(Some(dir.workers()))?;
    let mut runner = MinibatchRl::new(config.runner.clone(), parts.sampler, parts.algo, dir)?;
    runner.console().line(&format!(
        "{} environments, {} sampler{}, seed {}, run in {}",
        config.sampler.b,
        format!("{:?}", config.sampler.kind).to_lowercase(),
        match config.sampler.kind {
            samplers::SamplerKind::Serial => String::new(),
            _ => format!(" with {} workers", config.sampler.workers()),
        },
        config.seed,
        root.display()
    ));
    Ok(runner)
}

/// Says how training ended and what to do next; the exit code.
pub(super) fn finish(outcome: &Outcome, preset: Option<&str>) -> Result<i32> {
    let run = outcome
        .checkpoint
        .parent()
        .and_then(|p| p.parent())
        .context("a checkpoint lies in a run")?;
    let run = run.display();
    // As it was called, so that the lines below can be copied.
    let program = std::env::args().next().unwrap_or_else(|| "experiments".into());
    let spent = format!(
        "{} steps, {} updates, {:.1} s",
        outcome.env_steps, outcome.updates, outcome.seconds
    );
    crate::say!("");
    match outcome.stop {
        Stop::Return(r) => crate::say!("solved: mean return {r:.1} after {spent}"),
        Stop::Steps => crate::say!("the budget (runner.n_steps) is used up: {spent}"),
        Stop::Seconds => crate::say!("the time (runner.stop_seconds) is over: {spent}"),
        Stop::Signal(signal) => {
            crate::say!("stopped by signal {signal} after {spent}; a checkpoint is written");
            crate::say!("continue with: {program} resume {run}");
            return Ok(signals::exit_code(signal));
        }
    }
    crate::say!("  the run       {run}  (config.toml, progress.csv, log.txt, checkpoints/)");
    crate::say!("  the weights   {}", outcome.checkpoint.join(runners::WEIGHTS_FILE).display());
    crate::say!("try next");
    crate::say!("  measure it    {program} eval {run}");
    if matches!(outcome.stop, Stop::Return(_)) {
        crate::say!("  go on         {program} resume {run} --set runner.stop_return=");
    }
    if let Some(preset) = preset {
        crate::say!("  other seeds   {program} train {preset} --seeds 1..4");
        crate::say!("  change it     {program} train {preset} --set algo.learning_rate=1e-3");
        crate::say!("  every setting {program} show-config {preset}");
    }
    Ok(0)
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
