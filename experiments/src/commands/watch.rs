//! `experiments watch`.
use super::eval::{FRESH, least_replay, steps_of};
use super::resume::{config_of, newest};
use crate::assemble::{agent_factory, env_factory, prepare};
use crate::config::EnvConfig;
use crate::render::frame::shown;
use crate::render::play::{Episode, Order, play};
use crate::render::{RENDERED, gif::gif, renderer, sheet::sheet};
use anyhow::{Context, Result, ensure};
use clap::Args;
use rlcore::run_dir::atomic_write;
use std::path::{Path, PathBuf};

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
    /// Checkpoint to watch [default: the one with the best return, or else the newest].
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Draws other episodes.
    #[arg(long, default_value_t = 0)]
    number: u32,
}

impl WatchArgs {
    pub(super) fn run(self) -> Result<()> {
        let mut config = config_of(&self.run)?;
        ensure!(
            (1..=MOST_EPISODES).contains(&self.episodes),
            "--episodes {}: there must be 1 to {MOST_EPISODES}",
            self.episodes
        );
        let env_config = config.eval_env.as_ref().unwrap_or(&config.env);
        let env = env_factory(env_config, config.time_limit)?;
        let renderer = renderer(&kind(env_config)?, &env.spaces()?.observation)?;
        let checkpoint = match self.checkpoint {
            Some(path) => path,
            None => best(&self.run)?,
        };
        least_replay(&mut config);
        let weights = prepare(&config)?.load_weights(&checkpoint)?;
        let order = Order {
            seed: config.seed,
            number: FRESH + u64::from(self.number),
            env_steps: steps_of(&checkpoint).unwrap_or(1).max(1),
            episodes: self.episodes,
            max_steps: config.eval.max_steps,
        };
        let agent = agent_factory(&config)?;
        let episodes = play(&env, &agent, &config.device.0, &weights, &order)?;
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
        crate::say!("{}", checkpoint.display());
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

/// The name under which an environment is configured.
/// Whether there are pictures of the environment of this run.
pub(super) fn watchable(run: &Path) -> bool {
    let kind = config_of(run).and_then(|c| kind(c.eval_env.as_ref().unwrap_or(&c.env)));
    kind.is_ok_and(|k| RENDERED.contains(&k.as_str()))
}

fn kind(env: &EnvConfig) -> Result<String> {
    let table = toml::Table::try_from(env)?;
    Ok(table.get("kind").and_then(|k| k.as_str()).context("an environment has a kind")?.to_owned())
}

/// The run's best checkpoint, while it is there, or its newest.
fn best(run: &Path) -> Result<PathBuf> {
    let newest = newest(run)?;
    let best = runners::best(&newest)?.map(|name| run.join("checkpoints").join(name));
    Ok(best.filter(|path| path.is_dir()).unwrap_or(newest))
}
