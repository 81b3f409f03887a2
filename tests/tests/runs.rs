//! Runs of the real program that are interrupted and resumed equal uninterrupted runs to the bit.
//!
//! Compared are the last checkpoints (weights, target network, Adam's moments, replay, environments, random generators, counters, the
//! window of episodes) and `progress.csv` except for times. They differ if a checkpoint lacks anything that the rest of the run
//! depends on.
#![allow(missing_docs, clippy::unwrap_used)]
#[path = "runs/killed.rs"]
mod killed;
#[path = "runs/restored.rs"]
mod restored;
#[path = "runs/stopped.rs"]
mod stopped;
#[path = "runs/unchanged.rs"]
mod unchanged;

use rlcore::checkpoint::{latest, latest_complete, steps_of};
use runners::WEIGHTS_FILE;
use serde_json::Value;
use std::path::Path;
use tests::program::{Program, Running};
use tests::run::{newest, progress};

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Steps that no run reaches before it is interrupted.
const ENDLESS: u64 = 1_000_000_000;

/// Least number of steps before a run is interrupted: the replay has wrapped and all schedules have ended by then.
const INTERRUPTED_AT: u64 = 1300;

const SETTINGS: [&str; 19] = [
    "time_limit=30",
    "sampler.t=8",
    "sampler.b=4",
    "sampler.max_decorrelation_steps=20",
    "agent.model.hidden=[16]",
    "agent.epsilon.eps_final=0.1",
    "algo.batch_size=16",
    "algo.min_steps_learn=200",
    "algo.eps_steps=1000",
    "algo.replay_size=1000",
    "algo.replay_ratio=2",
    "eval.n_envs=2",
    "eval.n_episodes=3",
    "eval.max_steps=100",
    "runner.log_interval_steps=256",
    "runner.log_traj_window=60",
    "runner.keep_checkpoints=2",
    "runner.stop_return=",
    "seed=5",
];

const CATCH: &str = "env.kind=catch";
const DICT_TOY: [&str; 2] = ["env.kind=dict-toy", "time_limit=9"];
const WAIT: &str = "sampler.reset=wait";
const TWO_WORKERS: [&str; 2] = ["sampler.kind=cpu", "sampler.worker.n=2"];
const GPU: [&str; 2] = ["sampler.kind=gpu", "sampler.worker.n=2"];
const ALTERNATING: [&str; 2] = ["sampler.kind=alternating", "sampler.worker.n=2"];
const IN_TURN: &str = "sampler.overlap=false";
const NO_EVALUATION: &str = "runner.evaluate=false";
/// Not a multiple of the log interval.
const RARE_CHECKPOINTS: &str = "runner.checkpoint_interval_steps=600";

fn args(dir: &str, n_steps: u64, more: &[&str]) -> Vec<String> {
    let budget = format!("runner.n_steps={n_steps}");
    tests::run::train(dir, SETTINGS.iter().chain(&[budget.as_str()]).chain(more).copied())
}

/// Environment steps of the last row of the log; `None` if there is no readable row yet.
fn logged_steps(run: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(run.join("progress.csv")).ok()?;
    let column = text.lines().next()?.split(',').position(|c| c == "Diagnostics/CumSteps")?;
    let whole = &text[..=text.rfind('\n')?];
    whole.lines().last()?.split(',').nth(column)?.parse().ok()
}

fn file(checkpoint: &Path, name: &str) -> Vec<u8> {
    std::fs::read(checkpoint.join(name)).unwrap()
}

/// State of a checkpoint (counters, random generators, environments) except for times and the kind of sampler.
fn state(checkpoint: &Path) -> Value {
    let mut state: Value = serde_json::from_slice(&file(checkpoint, "state.json")).unwrap();
    for time in ["/record/seconds", "/record/eval_seconds", "/record/at_row/2", "/build/sampler"] {
        *state.pointer_mut(time).expect(time) = Value::Null;
    }
    state
}

fn same_learner(a: &Path, b: &Path) {
    let (a, b) = (newest(a), newest(b));
    assert_eq!(a.file_name(), b.file_name());
    for name in [WEIGHTS_FILE, "arrays.safetensors"] {
        assert!(file(&a, name) == file(&b, name), "{name} of {} differs", a.display());
    }
}

/// Names of all checkpoints in ascending order.
fn kept(run: &Path) -> Vec<std::ffi::OsString> {
    let all = std::fs::read_dir(run.join("checkpoints")).unwrap().flatten();
    let mut names: Vec<_> = all.map(|e| e.file_name()).collect();
    names.sort();
    names
}

fn same(a: &Path, b: &Path) {
    assert_eq!(progress(a), progress(b));
    same_learner(a, b);
    assert_eq!(state(&newest(a)), state(&newest(b)));
    assert_eq!(kept(a), kept(b));
}

/// Environment steps of the newest checkpoint, if there is one.
fn saved_steps(run: &Path) -> Option<u64> {
    let newest = latest(&run.join("checkpoints")).ok()??;
    steps_of(&newest)
}

/// Starts an endless run and waits until it has passed [`INTERRUPTED_AT`].
fn begun(program: &Program, dir: &str, more: &[&str]) -> Running {
    let mut run = program.start(&args(dir, ENDLESS, more));
    let path = program.path(dir);
    run.until("a late checkpoint", || saved_steps(&path).is_some_and(|s| s > INTERRUPTED_AT));
    run
}

/// Resumes the run `cut` beyond all steps that it had logged, and compares it with an uninterrupted run.
fn continued_equals_whole(program: &Program, more: &[&str]) -> String {
    let cut = program.path("cut");
    let from = latest_complete(&cut.join("checkpoints")).unwrap().expect("a checkpoint");
    let target = logged_steps(&cut).unwrap() + 700;
    let end = program.succeeds(&["resume", "cut", "--set", &format!("runner.n_steps={target}")]);
    let from = from.strip_prefix(program.path("")).unwrap().display().to_string();
    assert!(end.stdout.contains(&format!("resumed from {from} at ")), "{}", end.stdout);
    program.succeeds(&args("whole", target, more));
    same(&program.path("whole"), &cut);
    end.stdout
}
