//! Facts about runs on disk, for the commands that begin with one.
use crate::config::{Config, Section};
use crate::figure::run::{is_run, runs_in};
use crate::program::Program;
use anyhow::{Context, Result, anyhow};
use rlcore::checkpoint::{latest, latest_complete, step_name};
use runners::{Progress, RunnerConfig};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// As many runs are named as a suggestion.
const MOST_NAMED: usize = 8;

/// Its configuration.
pub(crate) fn config_of(program: &Program, run: &Path) -> Result<Config> {
    if !is_run(run) {
        return Err(no_run(run));
    }
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(program.read(&path, &text)?)
}

/// The runs that these directories are or hold.
pub(super) fn runs_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        let mut found = if is_run(path) { vec![path.clone()] } else { runs_in(path) };
        if found.is_empty() {
            return Err(no_run(path));
        }
        all.append(&mut found);
    }
    Ok(all)
}

/// Why `path` is no run, and which runs are near it.
pub(super) fn no_run(path: &Path) -> anyhow::Error {
    let within = runs_in(path);
    let shown = path.display();
    if !within.is_empty() {
        return anyhow!("{shown} is not a run but holds runs: give one of {}", listed(&within));
    }
    let what = if path.exists() {
        format!("{shown} is not a run directory: it has no config.toml")
    } else {
        format!("there is no {shown}")
    };
    let beside = path.parent().map(|p| if p == Path::new("") { Path::new(".") } else { p });
    let beside = beside.map_or(vec![], runs_in);
    let near = if beside.is_empty() { runs_in(Path::new("runs")) } else { beside };
    if near.is_empty() {
        return anyhow!(
            "{what}; give a directory that `train` printed, such as runs/cartpole-dqn-s0"
        );
    }
    anyhow!("{what}; there are the runs {}", listed(&near))
}

fn listed(runs: &[PathBuf]) -> String {
    let shown = |p: &PathBuf| p.strip_prefix("./").unwrap_or(p).display().to_string();
    let names: Vec<String> = runs.iter().take(MOST_NAMED).map(shown).collect();
    let more = match runs.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    names.join(", ") + &more
}

/// Which checkpoint of a run is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one with the best evaluation.
    Best,
    /// The one that was written last.
    Newest,
    /// The one after so many environment steps.
    Step(u64),
    /// This one.
    Dir(PathBuf),
}

/// `best`, `newest`, a number of steps, or else a path.
impl FromStr for Which {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text, text.parse()) {
            ("best", _) => Self::Best,
            ("newest", _) => Self::Newest,
            (_, Ok(steps)) => Self::Step(steps),
            _ => Self::Dir(text.into()),
        })
    }
}

/// A checkpoint, and what it is among those of its run, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) path: PathBuf,
    pub(crate) what: String,
}

/// The checkpoint that is meant; without a wish the best, or the newest of a run that has no evaluation.
pub(crate) fn checkpoint(run: &Path, which: Option<&Which>) -> Result<Chosen> {
    let newest = newest(run)?;
    let best = Progress::at(&newest, &RunnerConfig::default())?.best;
    let best = best.map(|(_, name)| run.join("checkpoints").join(name)).filter(|p| p.is_dir());
    let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = match which {
        None => best.clone().unwrap_or(newest.clone()),
        Some(Which::Best) => best.clone().with_context(|| {
            format!(
                "{} has no best checkpoint: none of its evaluations has a return; give --checkpoint newest",
                run.display()
            )
        })?,
        Some(Which::Newest) => newest.clone(),
        Some(Which::Step(steps)) => {
            let path = run.join("checkpoints").join(step_name(*steps));
            if !path.is_dir() {
                return Err(anyhow!("{}", no_step(run, *steps)));
            }
            path
        }
        Some(Which::Dir(path)) => path.clone(),
    };
    let what = match &best {
        Some(best) if *best == path && path == newest => "best and newest".to_owned(),
        Some(best) if *best == path => format!("best; newest: {}", name(&newest)),
        Some(best) if path == newest => format!("newest; best: {}", name(best)),
        None if path == newest => "newest; there is no evaluation to say which is best".to_owned(),
        _ => "as given".to_owned(),
    };
    Ok(Chosen { path, what })
}

fn no_step(run: &Path, steps: u64) -> String {
    let entries = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    let mut there: Vec<u64> =
        entries.filter_map(|e| rlcore::checkpoint::steps_of(&e.path())).collect();
    there.sort_unstable();
    let there: Vec<String> = there.iter().map(u64::to_string).collect();
    format!(
        "{} has no checkpoint after {steps} steps; there are: {}, and `best` and `newest` are names for two of them",
        run.display(),
        there.join(", ")
    )
}

/// Its newest checkpoint, or an error that says there is none.
pub(super) fn newest(run: &Path) -> Result<PathBuf> {
    latest(&run.join("checkpoints"))?.with_context(|| none(run))
}

/// The checkpoint that it continues from: the newest that has its replay. Where that is not the newest, a note that says so.
pub(super) fn to_resume(run: &Path) -> Result<(PathBuf, Option<String>)> {
    let newest = newest(run)?;
    match latest_complete(&run.join("checkpoints"))? {
        Some(complete) if complete != newest => {
            let note = format!(
                "note: {} has no replay (see runner.replay_interval_steps): the run continues exactly from {}; to continue from the newer one with an empty replay give it as `--checkpoint`",
                newest.display(),
                complete.display()
            );
            Ok((complete, Some(note)))
        }
        _ => Ok((newest, None)),
    }
}

fn none(run: &Path) -> String {
    format!(
        "{run} has no checkpoint yet: wait for one, or start it again with `train ... --run-dir {run} --overwrite`",
        run = run.display()
    )
}

/// The environments that are measured and watched.
pub(super) fn eval_env(config: &Config) -> &Section {
    config.eval_env.as_ref().unwrap_or(&config.env)
}

/// Whether there are pictures of its environment.
pub(super) fn watchable(program: &Program, run: &Path) -> bool {
    config_of(program, run).is_ok_and(|config| program.is_rendered(eval_env(&config)))
}
