//! Runs that are killed and resumed: with the same settings, with other samplers or workers, from older checkpoints.
use crate::{
    ALTERNATING, BINARY, CATCH, DICT_TOY, GPU, IN_TURN, NO_EVALUATION, RARE_CHECKPOINTS,
    TWO_WORKERS, WAIT, args, begun, continued_equals_whole, kept, same,
};
use nix::sys::signal::Signal;
use rlcore::checkpoint::{CheckpointReader, steps_of};
use tests::program::{Program, all_gone};
use tests::run::newest;

/// Kills a run with SIGKILL, changes its settings with `change`, and resumes it.
fn killed(more: &[&str], change: impl FnOnce(&str) -> String) {
    let program = Program::new(BINARY);
    let run = begun(&program, "cut", more);
    let family = run.family();
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    all_gone(&family);
    let config = program.path("cut/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let changed = change(&text);
    std::fs::write(&config, &changed).unwrap();
    let said = continued_equals_whole(&program, more);
    // Every change in these tests is one of the sampler.
    let notes = said.contains("note: the checkpoint was written under a ");
    assert_eq!(notes, changed != text, "{said}");
}

fn unchanged(config: &str) -> String {
    config.to_owned()
}

// These six contain every pair of environment, reset mode, sampler, evaluation and checkpoint interval.
#[test]
fn killed_serial_cartpole() {
    killed(&[RARE_CHECKPOINTS], unchanged);
}

#[test]
fn killed_cpu_cartpole_waiting() {
    killed(&[&TWO_WORKERS[..], &[WAIT, NO_EVALUATION]].concat(), unchanged);
}

#[test]
fn killed_cpu_catch() {
    killed(&[&TWO_WORKERS[..], &[CATCH, RARE_CHECKPOINTS, NO_EVALUATION]].concat(), unchanged);
}

#[test]
fn killed_serial_catch_waiting() {
    killed(&[CATCH, WAIT], unchanged);
}

#[test]
fn killed_serial_dict_toy() {
    killed(&[&DICT_TOY[..], &[NO_EVALUATION]].concat(), unchanged);
}

#[test]
fn killed_cpu_dict_toy_waiting() {
    killed(&[&DICT_TOY[..], &TWO_WORKERS, &[WAIT, RARE_CHECKPOINTS]].concat(), unchanged);
}

// These four contain every pair of environment, reset mode and lock-step sampler.
#[test]
fn killed_gpu_cartpole_waiting() {
    killed(&[&GPU[..], &[WAIT, RARE_CHECKPOINTS]].concat(), unchanged);
}

#[test]
fn killed_gpu_dict_toy() {
    killed(&[&DICT_TOY[..], &GPU, &[NO_EVALUATION]].concat(), unchanged);
}

#[test]
fn killed_alternating_catch() {
    killed(&[&ALTERNATING[..], &[CATCH, IN_TURN, RARE_CHECKPOINTS]].concat(), unchanged);
}

#[test]
fn killed_alternating_dict_toy_waiting() {
    killed(&[&DICT_TOY[..], &ALTERNATING, &[WAIT, NO_EVALUATION]].concat(), unchanged);
}

/// The replay is written less often than the rest: a run resumes from the newest checkpoint that contains it.
#[test]
fn killed_between_replays() {
    killed(&["runner.replay_interval_steps=1000", RARE_CHECKPOINTS], unchanged);
}

/// A run can be resumed from a checkpoint without a replay if that checkpoint is given, and prints what that means.
#[test]
fn continued_without_a_replay() {
    let program = Program::new(BINARY);
    let rare = ["runner.replay_interval_steps=700", "runner.keep_checkpoints=9"];
    let run = begun(&program, "cut", &rare);
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    let cut = program.path("cut");
    // Such checkpoints exist, because those with a replay are at least 700 steps apart.
    let lacks =
        kept(&cut).into_iter().map(|name| cut.join("checkpoints").join(name)).find(|path| {
            steps_of(path).is_some() && CheckpointReader::open(path).is_ok_and(|c| !c.has_replay())
        });
    let Some(lacks) = lacks else { panic!("all of {:?} have a replay", kept(&cut)) };
    let (name, at) = (lacks.file_name().unwrap().to_str().unwrap(), steps_of(&lacks).unwrap());
    let more = format!("runner.n_steps={}", at + 600);
    let from = format!("cut/checkpoints/{name}");
    let end = program.succeeds(&["resume", "cut", "--checkpoint", &from, "--set", &more]);
    for text in ["has no replay: it starts empty", "does not continue to the bit"] {
        assert!(end.stdout.contains(text), "{}", end.stdout);
    }
    assert!(CheckpointReader::open(&newest(&cut)).unwrap().has_replay(), "the last one has it");
    // An algorithm without a replay has nothing to leave out.
    let mut ppo = vec!["train".to_owned(), "cartpole-ppo".into(), "--run-dir".into(), "ppo".into()];
    for set in [
        "runner.n_steps=8192",
        "runner.log_interval_steps=2048",
        "runner.replay_interval_steps=1000000",
        "runner.keep_checkpoints=9",
        NO_EVALUATION,
    ] {
        ppo.extend(["--set".into(), set.into()]);
    }
    program.succeeds(&ppo);
    for name in kept(&program.path("ppo")) {
        let checkpoint = program.path("ppo/checkpoints").join(name);
        assert!(CheckpointReader::open(&checkpoint).unwrap().has_replay());
    }
}

/// A checkpoint is stored per environment, so that other workers can continue it. Actions are random throughout, because the last
/// bits of a row of a matrix product may depend on the number of rows.
#[test]
fn killed_and_continued_by_other_workers() {
    let random = ["agent.epsilon.eps_final=1", NO_EVALUATION];
    let one_more = |text: &str| {
        let changed = text.replace("[sampler.worker]\nn = 2\n", "[sampler.worker]\nn = 3\n");
        assert!(changed != text, "no workers in: {text}");
        changed
    };
    killed(&[&DICT_TOY[..], &TWO_WORKERS, &random].concat(), one_more);
    let as_kind = |from: &str, to: &str| {
        let (from, to) = (format!("kind = \"{from}\""), format!("kind = \"{to}\""));
        move |text: &str| {
            let changed = text.replace(&from, &to);
            assert!(changed != text, "no sampler in: {text}");
            changed
        }
    };
    killed(&[&TWO_WORKERS[..], &random].concat(), as_kind("cpu", "serial"));
    killed(&[&GPU[..], &random].concat(), as_kind("gpu", "alternating"));
    killed(&[&ALTERNATING[..], &random, &[WAIT]].concat(), as_kind("alternating", "cpu"));
}

/// Resuming from an older checkpoint deletes the later checkpoints and their rows of the log.
#[test]
fn continued_from_an_older_checkpoint() {
    let program = Program::new(BINARY);
    let all = ["runner.keep_checkpoints=1000"];
    program.succeeds(&args("whole", 1280, &all));
    program.succeeds(&args("cut", 1536, &all));
    let old = "cut/checkpoints/step_000000000512";
    program.succeeds(&["resume", "cut", "--checkpoint", old, "--set", "runner.n_steps=1280"]);
    same(&program.path("whole"), &program.path("cut"));
    // Resuming a run whose budget is used up changes nothing.
    program.succeeds(&["resume", "cut"]);
    same(&program.path("whole"), &program.path("cut"));
}
