//! Runs of the real program that are interrupted and continued: a resumed run is the uninterrupted run, to the bit.
//!
//! Compared are the last checkpoints (weights, target, Adam's moments, replay, environments, generators, counters, the window
//! of episodes) and `progress.csv`, wall time aside. Anything that the future depends on and that is missing from a checkpoint
//! makes them differ.
#![allow(missing_docs, clippy::unwrap_used)]
use agents::model::QMlp;
use agents::{DqnAgentConfig, EpsilonGreedy};
use algos::{Dqn, DqnConfig, LearnContext};
use nix::sys::signal::Signal;
use rlcore::GlobalSteps;
use rlcore::block::Part;
use rlcore::checkpoint::{CheckpointReader, latest, latest_complete, steps_of};
use rlcore::envs::{DictToy, TimeLimit};
use rlcore::run_dir::{Existing, RunDir};
use rlcore::slice::ResetMode;
use runners::{MinibatchRl, RunnerConfig, WEIGHTS_FILE};
use samplers::{HostKind, SamplerKind, Samples, Setup};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tests::faulty::{EPISODE, Faulty};
use tests::policies::SlicePolicy;
use tests::program::{End, Program, Running, all_gone, pending};
use tests::setups;

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// More than any of these runs reaches before it is interrupted.
const ENDLESS: u64 = 1_000_000_000;

/// The replay wraps and every schedule ends before a run is interrupted.
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

fn args(dir: &str, n_steps: u64, more: &[&str]) -> Vec<String> {
    let mut args: Vec<String> = ["train", "cartpole-dqn", "--run-dir", dir].map(Into::into).into();
    let budget = format!("runner.n_steps={n_steps}");
    for set in SETTINGS.iter().chain(&[budget.as_str()]).chain(more) {
        args.extend(["--set".to_owned(), (*set).to_owned()]);
    }
    args
}

/// Times, and what is computed from times.
fn is_time(column: &str) -> bool {
    let times =
        ["CumTime (s)", "StepsPerSecond", "UpdatesPerSecond", "CumEvalTime", "CumTrainTime"];
    times.iter().any(|t| column == format!("Diagnostics/{t}"))
}

/// The log without times, a line of fields each; the header first. No cell of ours needs quotes.
fn progress(run: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(run.join("progress.csv")).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let kept: Vec<usize> = (0..header.len()).filter(|i| !is_time(&header[*i])).collect();
    assert!(kept.len() < header.len(), "no times in {header:?}");
    let pick = |line: Vec<String>| kept.iter().map(|i| line[*i].clone()).collect();
    std::iter::once(header).chain(lines).map(pick).collect()
}

/// Environment steps of the last row, if there is a log that can be read.
fn logged_steps(run: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(run.join("progress.csv")).ok()?;
    let column = text.lines().next()?.split(',').position(|c| c == "Diagnostics/CumSteps")?;
    let whole = &text[..=text.rfind('\n')?];
    whole.lines().last()?.split(',').nth(column)?.parse().ok()
}

fn newest(run: &Path) -> PathBuf {
    latest(&run.join("checkpoints")).unwrap().expect("a checkpoint")
}

fn file(checkpoint: &Path, name: &str) -> Vec<u8> {
    std::fs::read(checkpoint.join(name)).unwrap()
}

/// Counters, generators, environments; without seconds, and without who sampled.
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

/// Names of the checkpoints, in order.
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

/// An endless run that has come so far that resuming it means something.
fn begun(program: &Program, dir: &str, more: &[&str]) -> Running {
    let mut run = program.start(&args(dir, ENDLESS, more));
    let path = program.path(dir);
    run.until("a late checkpoint", || saved_steps(&path).is_some_and(|s| s > INTERRUPTED_AT));
    run
}

/// Continues `cut` beyond everything that it had logged, and compares it with a run in one piece.
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

/// Kill -9 in the midst of it.
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
    // What changes here is the sampler.
    let notes = said.contains("note: the checkpoint was written under a ");
    assert_eq!(notes, changed != text, "{said}");
}

fn unchanged(config: &str) -> String {
    config.to_owned()
}

const CATCH: &str = "env.kind=catch";
const DICT_TOY: [&str; 2] = ["env.kind=dict-toy", "time_limit=9"];
const WAIT: &str = "sampler.reset=wait";
const TWO_WORKERS: [&str; 2] = ["sampler.kind=cpu", "sampler.worker.n=2"];
const GPU: [&str; 2] = ["sampler.kind=gpu", "sampler.worker.n=2"];
const ALTERNATING: [&str; 2] = ["sampler.kind=alternating", "sampler.worker.n=2"];
const IN_TURN: &str = "sampler.overlap=false";
const NO_EVALUATION: &str = "runner.evaluate=false";
/// Not a multiple of the log's.
const RARE_CHECKPOINTS: &str = "runner.checkpoint_interval_steps=600";

// Every pair of environment, reset, sampler, evaluation and checkpoint interval is in one of these six.
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

// And of environment, reset and lock-step sampler in these four.
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

/// The replay is written more rarely than the rest: the run goes on from a checkpoint that has it.
#[test]
fn killed_between_replays() {
    killed(&["runner.replay_interval_steps=1000", RARE_CHECKPOINTS], unchanged);
}

/// From a checkpoint without its replay a run goes on where it is told to, and says what that means.
#[test]
fn continued_without_a_replay() {
    let program = Program::new(BINARY);
    let rare = ["runner.replay_interval_steps=700", "runner.keep_checkpoints=9"];
    let run = begun(&program, "cut", &rare);
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    let cut = program.path("cut");
    // One at which the replay was not due: those that were are at least 700 steps apart.
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

/// A checkpoint is by environment: others may take the columns over. Actions are random throughout, because the last bits of
/// a row of a matrix product may depend on the number of rows.
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

/// Continuing from an older checkpoint than the newest: the later ones and their rows go.
#[test]
fn continued_from_an_older_checkpoint() {
    let program = Program::new(BINARY);
    let all = ["runner.keep_checkpoints=1000"];
    program.succeeds(&args("whole", 1280, &all));
    program.succeeds(&args("cut", 1536, &all));
    let old = "cut/checkpoints/step_000000000512";
    program.succeeds(&["resume", "cut", "--checkpoint", old, "--set", "runner.n_steps=1280"]);
    same(&program.path("whole"), &program.path("cut"));
    // A budget that is used up changes nothing.
    program.succeeds(&["resume", "cut"]);
    same(&program.path("whole"), &program.path("cut"));
}

#[test]
fn evaluation_changes_nothing() {
    let program = Program::new(BINARY);
    let serial = ["env.kind=cartpole"];
    for (i, more) in [&serial[..], &TWO_WORKERS, &GPU, &ALTERNATING].into_iter().enumerate() {
        let dir = |name: &str| format!("{name}-{i}");
        program.succeeds(&args(&dir("with"), 1024, more));
        program.succeeds(&args(&dir("without"), 1024, &[more, &[NO_EVALUATION]].concat()));
        same_learner(&program.path(&dir("with")), &program.path(&dir("without")));
    }
}

/// One worker, or the master with any number of them, acts on batches of the same size as a serial sampler, so everything is
/// equal.
#[test]
fn whoever_acts_on_the_same_rows_equals_serial() {
    let program = Program::new(BINARY);
    for more in [&["env.kind=cartpole"][..], &DICT_TOY] {
        let dir = |name: &str| format!("{name}-{}", more.len());
        program.succeeds(&args(&dir("serial"), 1024, more));
        let one = ["sampler.kind=cpu", "sampler.worker.n=1"];
        for (name, sampler) in [("cpu", &one), ("gpu", &GPU)] {
            // Evaluation is in workers, whose rows are those of the serial sampler where there is one of them.
            let sampler = [more, sampler, &["sampler.worker.n=1"]].concat();
            program.succeeds(&args(&dir(name), 1024, &sampler));
            same(&program.path(&dir("serial")), &program.path(&dir(name)));
        }
        let two = [more, &GPU].concat();
        program.succeeds(&args(&dir("two"), 1024, &two));
        same_learner(&program.path(&dir("serial")), &program.path(&dir("two")));
    }
}

/// The first signal: the iteration is finished, a checkpoint written, the next command said; it continues as if never stopped.
fn stopped(signal: Signal, code: i32, send: impl Fn(&Running), workers: usize, more: &[&str]) {
    let program = Program::new(BINARY);
    let mut run = begun(&program, "cut", more);
    let cut = program.path("cut");
    // Until it is stopped between two rows, where the most has to be remembered.
    loop {
        let family = run.family();
        assert_eq!(family.len(), 1 + workers, "{family:?}");
        send(&run);
        let end: End = run.end().code(code);
        all_gone(&family);
        let said = format!("stopped by signal {} after ", signal as i32);
        assert!(end.stdout.contains(&said), "{}", end.stdout);
        let said = end.stdout.lines().find(|l| l.starts_with("continue with: "));
        assert!(said.is_some_and(|l| l.ends_with(" resume cut")), "{}", end.stdout);
        assert_eq!(end.stderr, "");
        let at = saved_steps(&cut);
        if at > logged_steps(&cut) {
            break;
        }
        run = program.start(&["resume", "cut"]);
        run.until("another checkpoint", || saved_steps(&cut) > at);
    }
    // The best is one that was evaluated, not the one that a signal happened to make.
    let best = state(&newest(&cut))["record"]["best"][1].clone();
    assert_eq!(best.is_string(), !more.contains(&NO_EVALUATION), "{best}");
    assert_ne!(best, *newest(&cut).file_name().unwrap().to_str().unwrap());
    continued_equals_whole(&program, more);
}

#[test]
fn stopped_by_ctrl_c() {
    let more = [&TWO_WORKERS[..], &[NO_EVALUATION]].concat();
    stopped(Signal::SIGINT, 130, |run| run.signal_group(Signal::SIGINT), 2, &more);
}

/// An environment whose returns are all the same, so that the latest evaluation is always the best.
#[test]
fn stopped_by_termination() {
    let equal = ["env={kind=\"null\",episode=20}"];
    stopped(Signal::SIGTERM, 143, |run| run.signal(Signal::SIGTERM), 0, &equal);
}

/// A second signal does not wait for the iteration, which would take half an hour.
#[test]
fn stopped_at_once() {
    for (kind, second, code) in [
        ("serial", Signal::SIGINT, 130),
        ("cpu", Signal::SIGINT, 130),
        ("cpu", Signal::SIGTERM, 143),
    ] {
        let program = Program::new(BINARY);
        let kind = format!("sampler.kind={kind}");
        let slow = [
            "env.kind=slow",
            "env.busy_us=500000",
            "sampler.t=1000",
            "sampler.max_decorrelation_steps=0",
            "algo.replay_size=8000",
            "sampler.worker.n=2",
            NO_EVALUATION,
            &kind,
        ];
        let mut run = program.start(&args("cut", ENDLESS, &slow));
        let log = program.path("cut/log.txt");
        run.until("the first iteration", || {
            std::fs::read_to_string(&log).is_ok_and(|t| t.contains("run in cut"))
        });
        let family = run.family();
        run.signal_group(Signal::SIGINT);
        // Two of a kind that are both pending are one.
        let pid = run.pid();
        run.until("the first signal is taken", || !pending(pid, Signal::SIGINT));
        run.signal_group(second);
        let end = run.end().code(code);
        assert!(!end.stdout.contains("continue with"), "{}", end.stdout);
        all_gone(&family);
    }
}

/// Environments without `save_state`: the run goes on with new episodes, and says so.
#[test]
fn environments_that_cannot_save_start_anew() {
    let agent = DqnAgentConfig {
        model: QMlp { hidden: vec![8] },
        exploration: EpsilonGreedy { start_steps: 100, end_steps: 300, ..Default::default() },
    };
    let mut setup = setups::serial(&Faulty::sound(), &agent, 4, ResetMode::AtOnce);
    setup.eval = None;
    setup.options = rlcore::block::BlockOptions::default();
    let config = DqnConfig {
        batch_size: 8,
        min_steps_learn: 100,
        eps_steps: 300,
        replay_size: 700,
        ..Default::default()
    };
    let spaces = Setup::example_spaces(&setup.env).unwrap();
    let parts = |n_steps: u64| {
        let context = LearnContext::new(&spaces, setup.spec(), GlobalSteps(n_steps), 1);
        let replay = config.uniform_replay(&context).unwrap();
        let algo = Dqn::new(config.clone(), &agent.model, replay, &context).unwrap();
        let sampler = samplers::build(setup.clone()).unwrap();
        let runner = RunnerConfig {
            n_steps,
            log_interval_steps: 140,
            evaluate: false,
            ..RunnerConfig::default()
        };
        (runner, sampler, Box::new(algo))
    };
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("run");
    let dir = RunDir::create(&root, Existing::Refuse).unwrap();
    dir.write_config("").unwrap();
    let (config, sampler, algo) = parts(280);
    MinibatchRl::new(config, sampler, algo, dir).unwrap().run().unwrap();
    let ((config, sampler, algo), dir) = (parts(560), RunDir::resume(&root).unwrap());
    let resumed = MinibatchRl::resume(config, sampler, algo, dir, &newest(&root));
    let mut resumed = resumed.unwrap();
    assert_eq!(resumed.run().unwrap().env_steps, 560);
    let log = std::fs::read_to_string(root.join("log.txt")).unwrap();
    assert!(log.contains("note: these environments cannot save their state: new episodes start"));
    assert_eq!(progress(&root).len(), 1 + 4);

    // What the note says: in the midst of their episodes, then at the start of others, shown as such.
    let mut first = samplers::build(setup.clone()).unwrap();
    first.obtain_samples(GlobalSteps(0)).unwrap();
    let state = first.save().unwrap();
    let mut second = samplers::build(setup.clone()).unwrap();
    second.obtain_samples(GlobalSteps(0)).unwrap();
    second.load(state).unwrap();
    let samples = second.obtain_samples(GlobalSteps(28)).unwrap();
    for column in 0..setup.config.b {
        let left = samples.columns().observation.cell(0, column).f32(0)[2];
        assert_eq!(left, EPISODE as f32, "column {column}");
        assert_eq!(samples.columns().prev_reward.row(0).get::<f32>(0)[column], 0.0);
    }
}

/// What an agent may see and DQN does not look at: previous action and reward, recurrent state. From every sampler to every
/// other one and to itself with another number of workers.
#[test]
fn a_sampler_continues_for_any_agent() {
    let dict_toy = TimeLimit { env: DictToy::default(), max_steps: 9 };
    for reset in [ResetMode::AtOnce, ResetMode::Wait] {
        let serial = setups::serial(&dict_toy, &SlicePolicy::default(), 5, reset);
        let threads = |workers: usize| {
            let kinds = [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating];
            let with = kinds.map(|kind| setups::parallel(&serial, kind, workers, HostKind::Thread));
            [serial.clone()].into_iter().chain(with).collect::<Vec<_>>()
        };
        let (from, to) = (threads(3), threads(2));
        for (before, after) in from.iter().flat_map(|a| to.iter().map(move |b| (a, b))) {
            let mut whole = samplers::build(before.clone()).unwrap();
            let mut cut = samplers::build(after.clone()).unwrap();
            // Three batches end in the midst of some episodes and at the end of others.
            for i in 0..3 {
                whole.obtain_samples(GlobalSteps(i)).unwrap();
            }
            // One that has done something else in the meantime.
            cut.obtain_samples(GlobalSteps(77)).unwrap();
            cut.load(whole.save().unwrap()).unwrap();
            for i in 3..9 {
                let (want, got) = (
                    whole.obtain_samples(GlobalSteps(i)).unwrap(),
                    cut.obtain_samples(GlobalSteps(i)).unwrap(),
                );
                let case = (i, reset, before.config.kind, after.config.kind);
                assert_eq!(bytes(&want), bytes(&got), "{case:?}");
                assert_eq!(want.trajectories(), got.trajectories(), "{case:?}");
            }
        }
    }
}

/// The block but for the parts whose unused rows are left over from earlier batches.
fn bytes(samples: &Samples) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let parts = samples.columns().parts().into_iter();
    for (_, tree) in parts.filter(|(p, _)| !matches!(p, Part::Trajectory | Part::FinalObservation))
    {
        for (leaf, spec) in tree.specs().iter().enumerate() {
            let rows = (0..tree.rows()).flat_map(|row| tree.row_bytes(leaf, row).to_vec());
            out.push((spec.name.clone(), rows.collect()));
        }
    }
    out
}
