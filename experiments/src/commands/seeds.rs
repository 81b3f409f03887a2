//! `train --seeds`: a run for each seed, one after another here, or side by side in processes of their own. What has ended is skipped,
//! what was stopped goes on, so that the same command, given again, completes what it began.
mod jobs;
mod screen;
mod table;
mod work;

pub(super) use self::jobs::JobArgs;
pub(super) use self::table::mean_line;
pub(super) use self::work::Place;

use self::screen::Screen;
use self::work::{Todo, Work};
use super::summary::{self, ours};
use crate::assemble::{check_together, prepare};
use crate::config::Config;
use crate::failure;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use runners::{Stop, signals};
use std::path::PathBuf;

/// More seeds than this in one command are a slip of the hand.
const MOST_SEEDS: u64 = 10_000;

/// What a command over several seeds was asked for.
#[derive(Debug)]
pub(super) struct Seeds {
    /// A configuration for each seed.
    pub(super) configs: Vec<Config>,
    pub(super) place: Place,
    /// Runs at a time.
    pub(super) jobs: usize,
    /// The command that completes what this one leaves.
    pub(super) again: String,
}

impl Seeds {
    /// The value is the exit code.
    pub(super) fn run(self, program: &Program) -> Result<i32> {
        let found: Result<Vec<Work>> =
            self.configs.iter().map(|c| Work::find(program, c, &self.place)).collect();
        let works = found?;
        for work in works.iter().filter(|w| w.todo == Todo::Nothing) {
            crate::say!("seed {}: finished already, in {}", work.seed, work.dir.display());
        }
        let todo: Vec<&Work> = works.iter().filter(|w| w.todo != Todo::Nothing).collect();
        signals::listen()?;
        let mut failed = match (todo.is_empty(), self.jobs) {
            (true, _) => Vec::new(),
            (false, 1) => one_by_one(program, &todo),
            (false, jobs) => {
                // Settings that are refused are refused once.
                let config = self.configs.first().context("there is a seed")?;
                check_together(program, config, jobs.min(todo.len()))?;
                drop(prepare(program, config)?);
                jobs::side_by_side(&todo, jobs, &mut Screen::new())?
            }
        };
        let rows: Result<Vec<_>> = works.iter().map(|w| Ok((w.seed, w.progress()?))).collect();
        table::say(&rows?, &works.first().context("there is a seed")?.runner);
        if !failed.is_empty() {
            failed.sort_by_key(|(i, _)| *i);
            let why = failed.iter().map(|(i, why)| format!("seed {}: {why}", todo[*i].seed));
            let why: Vec<String> = why.collect();
            bail!(
                "{} of {} seeds failed: {}; go on with: {}",
                failed.len(),
                works.len(),
                why.join("; "),
                self.again
            );
        }
        if let Some(signal) = signals::caught() {
            crate::say!("go on with: {}", self.again);
            return Ok(signals::exit_code(signal));
        }
        let dirs: Vec<PathBuf> = works.into_iter().map(|w| w.dir).collect();
        let all: Vec<String> = dirs.iter().map(|d| summary::quoted(&d.to_string_lossy())).collect();
        let mut next = vec![("measure them", ours(&format!("eval {}", all.join(" "))))];
        let above = dirs[0].parent().context("a run lies in a directory")?.to_owned();
        next.extend(summary::looks(program, &dirs, &above));
        summary::next(&next);
        Ok(0)
    }
}

/// All runs in this process, until one fails or a signal comes.
fn one_by_one(program: &Program, works: &[&Work]) -> Vec<(usize, String)> {
    for (i, work) in works.iter().enumerate() {
        crate::say!("seed {}", work.seed);
        let outcome = work.runner(program).and_then(|mut runner| Ok(runner.run()?));
        match outcome {
            Err(e) => return vec![(i, failure::line(&e))],
            Ok(outcome) => {
                summary::headline(&outcome);
                if matches!(outcome.stop, Stop::Signal(_)) {
                    break;
                }
                summary::places(&work.dir, &outcome);
                crate::say!("");
            }
        }
    }
    Vec::new()
}

/// `0..4` (both ends included) or `0,7,9`.
pub(super) fn parse(text: &str) -> Result<Vec<u64>> {
    let form = "write a range as 0..4, which is 0, 1, 2, 3 and 4, or a list as 0,7,9";
    let number = |s: &str| {
        let number = s.trim().parse::<u64>();
        number.ok().with_context(|| format!("--seeds {text}: {s:?} is not a seed; {form}"))
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
        bail!("--seeds {text} names no seed; {form}");
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = seeds.iter().find(|s| !seen.insert(**s)) {
        bail!("--seeds {text} names the seed {twice} twice; {form}");
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_inclusive_ranges_or_lists() {
        assert_eq!(parse("0..4").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(parse("0..=4").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(parse("7").unwrap(), [7]);
        assert_eq!(parse("1, 5").unwrap(), [1, 5]);
        for wrong in ["4..0", "a", "0-4", "", "1,,2", "-1"] {
            assert!(parse(wrong).unwrap_err().to_string().contains("0..4, which is"), "{wrong}");
        }
        assert!(parse("1,2,1").unwrap_err().to_string().contains("seed 1 twice"));
        assert!(parse("0..99999999999").unwrap_err().to_string().contains("more than"));
    }
}
