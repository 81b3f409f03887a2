//! `experiments eval`.
use super::saved_run::{config_of, newest};
use super::summary::{self, looks, ours};
use crate::assemble::{acting, check, weights};
use crate::program::Program;
use anyhow::{Result, bail};
use clap::Args;
use rlcore::GlobalSteps;
use rlcore::checkpoint::steps_of;
use rlcore::seed::EvalSeries;
use rlcore::table::Stats;
use std::path::PathBuf;

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// The run's directory, such as runs/cartpole-dqn-s0.
    run: PathBuf,
    /// Episodes to play.
    #[arg(long, default_value_t = 100)]
    episodes: usize,
    /// Checkpoint to measure [default: the newest].
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Number of this evaluation: the same number plays the same episodes, another number others.
    #[arg(long, default_value_t = 0)]
    number: u32,
}

impl EvalArgs {
    pub(super) fn run(self, program: &Program) -> Result<()> {
        let mut config = config_of(program, &self.run)?;
        if self.episodes == 0 {
            bail!("--episodes 0: there must be at least one");
        }
        config.runner.evaluate = true;
        config.sampler.max_decorrelation_steps = 0;
        config.eval.n_episodes = self.episodes;
        config.eval.n_envs = config.eval.n_envs.min(self.episodes);
        check(program, &config)?;
        let checkpoint = match self.checkpoint {
            Some(path) => path,
            None => newest(&self.run)?,
        };
        let plan = acting(program, &config)?;
        let weights = weights(&plan, &checkpoint)?;
        let mut sampler = plan.build()?;
        sampler.publisher().publish(&weights)?;
        let now = GlobalSteps(steps_of(&checkpoint).unwrap_or(1).max(1));
        let found = sampler.evaluate(EvalSeries::Fresh(self.number), self.episodes, now)?;
        let returns: Vec<f64> = found.trajectories.iter().map(|t| t.ret).collect();
        let lengths: Vec<f64> = found.trajectories.iter().map(|t| t.length).collect();
        crate::say!("{} over {} fresh episodes", checkpoint.display(), returns.len());
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
        let run = self.run.display();
        let number = self.number.wrapping_add(1);
        let other = ours(&format!("eval {run} --number {number}"));
        let mut next = vec![("other ones", other)];
        next.extend(looks(program, std::slice::from_ref(&self.run), &self.run));
        summary::next(&next);
        Ok(())
    }
}
