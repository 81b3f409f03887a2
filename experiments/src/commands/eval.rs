//! `experiments eval`.
use super::saved_run::{Which, checkpoint, config_of, runs_of};
use super::seeds::mean_line;
use super::summary::{self, looks, ours, quoted};
use crate::assemble::{acting, check, weights};
use crate::program::Program;
use anyhow::{Context, Result, bail};
use clap::Args;
use rlcore::GlobalSteps;
use rlcore::checkpoint::steps_of;
use rlcore::seed::EvalSeries;
use rlcore::table::Stats;
use std::path::{Path, PathBuf};

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// Run directories, such as runs/cartpole-dqn-s0, or directories that hold some; of several the mean over runs is said as well.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Episodes to play with each.
    #[arg(long, default_value_t = 100)]
    episodes: usize,
    /// Checkpoint to measure: best, newest, a number of steps, or its directory [default: best; newest where there is no
    /// evaluation].
    #[arg(long, value_name = "WHICH")]
    checkpoint: Option<Which>,
    /// Seed of the episodes: the same seed plays the same episodes again, another seed others.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    episode_seed: u32,
}

impl EvalArgs {
    pub(super) fn run(self, program: &Program) -> Result<()> {
        if self.episodes == 0 {
            bail!("--episodes 0: there must be at least one");
        }
        let runs = runs_of(&self.runs)?;
        if let (Some(Which::Dir(path)), true) = (&self.checkpoint, runs.len() > 1) {
            bail!(
                "--checkpoint {}: a directory is the checkpoint of one run, and there are {} runs: give best, newest or a number of steps",
                path.display(),
                runs.len()
            );
        }
        let mut means = Vec::new();
        for run in &runs {
            means.extend(self.one(program, run)?);
        }
        if runs.len() > 1 && !means.is_empty() && same_environment(program, &runs)? {
            crate::say!("{}", mean_line(&means, "run"));
        }
        let all: Vec<String> = runs.iter().map(|r| quoted(&r.display().to_string())).collect();
        let seed = self.episode_seed.wrapping_add(1);
        let other = ours(&format!("eval {} --episode-seed {seed}", all.join(" ")));
        let mut next = vec![("other ones", other)];
        let above = match &runs[..] {
            [run] => run,
            _ => runs[0].parent().context("a run lies in a directory")?,
        };
        next.extend(looks(program, &runs, above));
        summary::next(&next);
        Ok(())
    }

    /// Measures one run; the value is its mean return, if an episode has ended.
    fn one(&self, program: &Program, run: &Path) -> Result<Option<f64>> {
        let mut config = config_of(program, run)?;
        config.runner.evaluate = true;
        config.sampler.max_decorrelation_steps = 0;
        config.eval.n_episodes = self.episodes;
        config.eval.n_envs = config.eval.n_envs.min(self.episodes);
        check(program, &config)?;
        let chosen = checkpoint(run, self.checkpoint.as_ref())?;
        let plan = acting(program, &config)?;
        let weights = weights(&plan, &chosen.path)?;
        let mut sampler = plan.build()?;
        sampler.publisher().publish(&weights)?;
        let now = GlobalSteps(steps_of(&chosen.path).unwrap_or(1).max(1));
        let series = EvalSeries::Fresh(self.episode_seed);
        let found = sampler.evaluate(series, self.episodes, now)?;
        let returns: Vec<f64> = found.trajectories.iter().map(|t| t.ret).collect();
        let lengths: Vec<f64> = found.trajectories.iter().map(|t| t.length).collect();
        crate::say!(
            "{} ({}) over {} fresh episodes",
            chosen.path.display(),
            chosen.what,
            returns.len()
        );
        let mean = Stats::of(&returns).average;
        if returns.is_empty() {
            crate::say!(
                "  no episode ended within eval.max_steps = {}: limit the episodes (time_limit) or raise eval.max_steps in the run's config.toml",
                config.eval.max_steps
            );
            return Ok(None);
        }
        for (name, values) in [("return", returns), ("length", lengths)] {
            let s = Stats::of(&values);
            crate::say!(
                "  {name}  mean {:.2}  std {:.2}  median {:.1}  min {:.1}  max {:.1}",
                s.average,
                s.std,
                s.median,
                s.min,
                s.max
            );
        }
        if found.unfinished > 0 {
            crate::say!(
                "  {} episodes were cut off or never begun, by eval.max_steps = {}",
                found.unfinished,
                config.eval.max_steps
            );
        }
        Ok(Some(mean))
    }
}

/// Returns of different environments have no mean.
fn same_environment(program: &Program, runs: &[PathBuf]) -> Result<bool> {
    let kinds: Result<Vec<String>> =
        runs.iter().map(|run| Ok(config_of(program, run)?.env.kind)).collect();
    let kinds = kinds?;
    Ok(kinds.iter().all(|k| *k == kinds[0]))
}
