//! TensorBoard reads every number of a run: the same tags, steps and values as in `progress.csv`, also after the run was killed and
//! resumed, even while TensorBoard was open.
//!
//! Needs a Python with tensorboard (`tests::python`).
#![allow(missing_docs, clippy::unwrap_used)]
use nix::sys::signal::Signal;
use rlcore::checkpoint::latest;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use tests::program::{Program, all_gone};
use tests::python;

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Arguments: the run, then the command that continues it.
const SCRIPT: &str = r#"
import csv, math, struct, subprocess, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginAccumulator
from tensorboard.util import tensor_util

run, resume = sys.argv[1], sys.argv[2:]

def f32(text):
    return struct.unpack("f", struct.pack("f", float(text)))[0]

def in_log():
    found, steps = {}, []
    for row in csv.DictReader(open(run + "/progress.csv")):
        step = int(row["Diagnostics/CumSteps"])
        steps.append(step)
        for name, text in row.items():
            if text and not math.isnan(float(text)):
                found.setdefault(name, []).append((step, f32(text)))
    return found, steps

def scalars(events):
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

def tensors(events):
    value = lambda e: tensor_util.make_ndarray(e.tensor_proto).item()
    return {tag: [(e.step, value(e)) for e in events.Tensors(tag)] for tag in events.Tags()["tensors"]}

KINDS = [(EventAccumulator, "scalars", scalars), (PluginAccumulator, "tensors", tensors)]

def opened():
    return [(make(run, size_guidance={kind: 0}), read) for make, kind, read in KINDS]

def check(readers):
    want, steps = in_log()
    assert steps == sorted(set(steps)), steps
    for events, read in readers:
        events.Reload()
        have = read(events)
        assert sorted(have) == sorted(want), set(have) ^ set(want)
        for tag in want:
            assert have[tag] == want[tag], (tag, have[tag], want[tag])
    return len(want), len(steps)

readers = opened()
for events, read in readers:
    events.Reload()
    assert read(events)
subprocess.run(resume, check=True, stdout=subprocess.DEVNULL)
tags, rows = check(readers)
assert (tags, rows) == check(opened())
print(tags, "tags", rows, "rows")
"#;

const SETTINGS: [&str; 11] = [
    "time_limit=30",
    "sampler.t=8",
    "sampler.b=4",
    "agent.model.hidden=[16]",
    "algo.batch_size=16",
    "algo.min_steps_learn=200",
    "eval.n_envs=2",
    "eval.n_episodes=2",
    "runner.log_interval_steps=256",
    "runner.keep_checkpoints=1000",
    "runner.stop_return=",
];

fn args(more: &[&str]) -> Vec<String> {
    let mut args = ["train", "cartpole-dqn", "--run-dir", "run"].map(String::from).to_vec();
    for set in SETTINGS.iter().chain(more) {
        args.extend(["--set".to_owned(), (*set).to_owned()]);
    }
    args
}

fn newest(program: &Program) -> Option<PathBuf> {
    latest(&program.path("run/checkpoints")).ok()?
}

/// Resumes the run to `n_steps` while TensorBoard is open; returns the tags and rows that TensorBoard shows.
fn continued(program: &Program, n_steps: u64, checkpoint: Option<&str>) -> String {
    let budget = format!("runner.n_steps={n_steps}");
    let mut command = Command::new(python::path());
    command.args(["-c", SCRIPT, "run"]).arg(program.binary());
    command.args(["resume", "run", "--set", &budget]);
    command.args(checkpoint.map(|c| ["--checkpoint", c]).into_iter().flatten());
    program.spawn(command).end().code(0).stdout
}

#[test]
fn rows_after_a_checkpoint_are_forgotten() {
    if !python::imports("tensorboard") {
        return;
    }
    let program = Program::new(BINARY);
    program.succeeds(&args(&["runner.n_steps=1536"]));
    let old = "run/checkpoints/step_000000000512";
    let said = continued(&program, 1280, Some(old));
    assert!(said.ends_with(" tags 6 rows\n"), "{said}"); // 0, 256, ..., 1280
    let said = continued(&program, 1792, None);
    assert!(said.ends_with(" tags 8 rows\n"), "{said}");
}

/// Without evaluation, where the first rows have no finished episodes and so no statistics.
#[test]
fn a_killed_run_is_read_in_full() {
    if !python::imports("tensorboard") {
        return;
    }
    let program = Program::new(BINARY);
    let endless = ["runner.n_steps=1000000000", "runner.evaluate=false"];
    let mut run = program.start(&args(&endless));
    let steps = |path: PathBuf| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix("step_")?.parse().ok()
    };
    let late = || newest(&program).and_then(steps).is_some_and(|s| s > 1300);
    run.until("a late checkpoint", late);
    let family = run.family();
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    all_gone(&family);
    // And the last record is torn.
    let events = std::fs::read_dir(program.path("run")).unwrap().flatten().map(|e| e.path());
    let is_events = |p: &PathBuf| p.to_string_lossy().contains("tfevents");
    let events: Vec<PathBuf> = events.filter(is_events).collect();
    let [events] = &events[..] else { panic!("{events:?}") };
    let mut file = std::fs::File::options().append(true).open(events).unwrap();
    file.write_all(&[200, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
    let n_steps = newest(&program).and_then(steps).unwrap() + 600;
    let said = continued(&program, n_steps, None);
    assert!(said.ends_with(" rows\n"), "{said}");
}
