//! `experiments watch`.
use super::saved_run::{Which, checkpoint, config_of, eval_env};
use crate::assemble::{acting, agent_factory, env_factory, weights};
use crate::program::Program;
use crate::render::frame::shown;
use crate::render::play::{Episode, Order, play};
use crate::render::{gif::gif, sheet::sheet};
use anyhow::{Context, Result, ensure};
use clap::Args;
use rlcore::checkpoint::steps_of;
use rlcore::file::atomic_write;
use rlcore::seed::EvalSeries;
use std::path::PathBuf;

/// More would make a file that no viewer opens.
const MOST_EPISODES: usize = 20;

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The run's directory.
    run: PathBuf,
    /// Episodes, at most 20.
    #[arg(long, default_value_t = 3)]
    episodes: usize,
    /// Where the pictures go [default: watch/ in the run].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Checkpoint to watch: best, newest, a number of steps, or its directory [default: best; newest where there is no evaluation].
    #[arg(long, value_name = "WHICH")]
    checkpoint: Option<Which>,
    /// Seed of the episodes: the same seed plays the same episodes again, another seed others.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    episode_seed: u32,
}

impl WatchArgs {
    pub(super) fn run(self, program: &Program) -> Result<()> {
        let config = config_of(program, &self.run)?;
        ensure!(
            (1..=MOST_EPISODES).contains(&self.episodes),
            "--episodes {}: there must be 1 to {MOST_EPISODES}",
            self.episodes
        );
        let section = eval_env(&config);
        let env = env_factory(program, "env", section, config.time_limit)?;
        let spaces = env.spaces()?;
        let renderer = program.renderer_of(section, &spaces)?;
        let chosen = checkpoint(&self.run, self.checkpoint.as_ref())?;
        let checkpoint = chosen.path;
        let weights = weights(&acting(program, &config)?, &checkpoint)?;
        let order = Order {
            seed: config.seed,
            series: EvalSeries::Fresh(self.episode_seed),
            env_steps: steps_of(&checkpoint).unwrap_or(1).max(1),
            episodes: self.episodes,
            max_steps: config.eval.max_steps,
        };
        let agent = agent_factory(program, &config)?;
        let episodes = play(&env, &spaces, &agent, &config.device.0, &weights, &order)?;
        let name = checkpoint.file_name().context("a checkpoint has a name")?.to_string_lossy();
        let mean = episodes.iter().map(Episode::ret).sum::<f64>() / episodes.len() as f64;
        let heading = format!(
            "{}, {name}: mean return {} over {}",
            self.run.display(),
            shown(mean),
            count(episodes.len())
        );
        let dir = self.out.unwrap_or_else(|| self.run.join("watch"));
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let (animation, picture) =
            (dir.join(format!("{name}.gif")), dir.join(format!("{name}.png")));
        atomic_write(&animation, &gif(&renderer, &episodes)?)?;
        atomic_write(&picture, &sheet(&renderer, &episodes, &heading).png()?)?;
        crate::say!("{} ({})", checkpoint.display(), chosen.what);
        for (i, episode) in episodes.iter().enumerate() {
            let cut = if episode.is_cut { ", cut off by eval.max_steps" } else { "" };
            let (steps, ret) = (episode.steps(), shown(episode.ret()));
            crate::say!("  episode {}: {steps} steps, return {ret}{cut}", i + 1);
        }
        crate::say!("{}\n{}", animation.display(), picture.display());
        Ok(())
    }
}

fn count(episodes: usize) -> String {
    if episodes == 1 { "1 episode".into() } else { format!("{episodes} episodes") }
}
