//! A run directory survives refused resumes and power cuts.
#![allow(missing_docs, clippy::unwrap_used)]
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rlcore::checkpoint::step_name;
use std::fs;
use std::path::Path;
use tests::disk::{Disk, Rest};
use tests::leave_out::left_out;
use tests::program::Program;
use tests::run::{newest, progress};
use tests::trace::traced;
use tests::tree::{plant, tree, unchanged};

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Settings of a short run, with rows after 0, 128, 256, ... steps and checkpoints after 128, 256, ... steps.
const SHORT: [&str; 13] = [
    "sampler.t=8",
    "sampler.b=4",
    "sampler.max_decorrelation_steps=10",
    "algo.batch_size=16",
    "algo.min_steps_learn=200",
    "algo.eps_steps=300",
    "algo.replay_size=600",
    "agent.model.hidden=[16]",
    "eval.n_envs=2",
    "eval.n_episodes=2",
    "runner.log_interval_steps=128",
    "runner.keep_checkpoints=3",
    "runner.stop_return=",
];

fn train(dir: &str, more: &[&str]) -> Vec<String> {
    tests::run::train(dir, SHORT.iter().chain(more).copied())
}

/// Changes the bytes of a file.
fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// A name, the damage to the directory, the arguments after `resume run`, and texts of the refusal.
type Refusal = (&'static str, fn(&Path), &'static [&'static str], &'static [&'static str]);

fn nothing(_: &Path) {}

fn a_quote_in_the_first_row(run: &Path) {
    change(&run.join("progress.csv"), |bytes| {
        let row = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        bytes.insert(row, b'"');
    });
}

const OLDER: &str = "run/checkpoints/step_000000000384";

#[rustfmt::skip]
const REFUSALS: &[Refusal] = &[
    ("another network", nothing, &["--set", "agent.model.hidden=[8]"], &["`online`", "f32 [114]"]),
    ("another network in workers", nothing, &["--set", "agent.model.hidden=[8]", "--set", "sampler.kind=cpu"], &["`online`"]),
    ("other environments", nothing, &["--set", "sampler.b=6"], &["replay"]),
    ("another environment", nothing, &["--set", "env.kind=catch"], &["`online`"]),
    ("another replay", nothing, &["--set", "algo.replay_size=800"], &["replay"]),
    ("another algorithm", nothing, &["--set", "agent.kind=categorical-pg", "--set", "algo.kind=ppo"], &["run/checkpoints/"]),
    ("a setting out of range", nothing, &["--set", "runner.n_steps=0"], &["runner.n_steps = 0"]),
    ("an unknown setting", nothing, &["--set", "runner.steps=1"], &["unknown key `runner.steps`"]),
    ("another run's checkpoint", nothing, &["--checkpoint", "foreign/checkpoints/step_000000000512"], &["is not a checkpoint of this run", "run/checkpoints"]),
    ("no such checkpoint", nothing, &["--checkpoint", "run/checkpoints/step_000000000001"], &["step_000000000001 is not a checkpoint", "use run/checkpoints/"]),
    ("a log with a stray quote", a_quote_in_the_first_row, &[], &["progress.csv: line 2 is damaged"]),
    ("the same from an older checkpoint", a_quote_in_the_first_row, &["--checkpoint", OLDER], &["progress.csv: line 2 is damaged"]),
    ("a log with a short line", |run| change(&run.join("progress.csv"), |b| {
        let end = b.iter().rposition(|b| *b == b',').unwrap();
        let end = b[..end].iter().rposition(|b| *b == b'\n').unwrap();
        let cell = b[..end].iter().rposition(|b| *b == b',').unwrap();
        b.drain(cell..end);
    }), &[], &["progress.csv: line ", "cells for"]),
    ("a log that is a directory", |run| {
        fs::remove_file(run.join("progress.csv")).unwrap();
        fs::create_dir(run.join("progress.csv")).unwrap();
    }, &[], &["cannot read run/progress.csv"]),
    ("events that are a directory", |run| fs::create_dir(run.join("events.out.tfevents.9")).unwrap(), &["--checkpoint", OLDER], &["cannot read run/events.out.tfevents.9"]),
    ("a checkpoint with another byte", |run| change(&newest(run).join("arrays.safetensors"), |b| *b.last_mut().unwrap() ^= 1),
        &[], &["is damaged: arrays.safetensors", "use run/checkpoints/"]),
    ("a checkpoint without its state", |run| fs::remove_file(run.join("checkpoints/step_000000000384/state.json")).unwrap(),
        &["--checkpoint", OLDER], &["step_000000000384 is damaged: state.json: it is missing"]),
    ("a checkpoint from the future", |run| change(&run.join("checkpoints/step_000000000384/manifest.json"), |b| {
        *b = String::from_utf8(b.clone()).unwrap().replace("\"format\": ", "\"format\": 9").into_bytes();
    }), &["--checkpoint", OLDER], &["has checkpoint format 9", "update the program"]),
    ("a checkpoint under another's name", |run| fs::rename(newest(run), run.join("checkpoints").join(step_name(999))).unwrap(),
        &["--checkpoint", "run/checkpoints/step_000000000999"], &["give the directory that name back"]),
    ("no checkpoint", |run| {
        fs::remove_dir_all(run.join("checkpoints")).unwrap();
        fs::create_dir(run.join("checkpoints")).unwrap();
    }, &[], &["run has no checkpoint yet", "--overwrite"]),
    ("no configuration", |run| fs::remove_file(run.join("config.toml")).unwrap(), &[], &["no config.toml"]),
    ("a damaged configuration", |run| change(&run.join("config.toml"), |b| b.extend(b"= 3\n")), &[], &["config.toml"]),
    ("damaged metadata", |run| change(&run.join("meta.json"), |b| b.truncate(b.len() / 2)), &[], &["meta.json is not readable"]),
];

/// A refused resume changes no byte of the directory, not even what an interrupted write left there.
#[test]
fn a_refused_resume_changes_nothing() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &["runner.n_steps=640"]));
    program.succeeds(&train("foreign", &["runner.n_steps=512", "seed=1"]));
    let run = program.path("run");
    let left = run.join("checkpoints/.step_000000000700.tmp-1-0");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("state.json"), "{").unwrap();
    fs::remove_file(run.join(".lock")).unwrap();
    let sound = tree(&run);
    for (case, damage, args, texts) in REFUSALS {
        fs::remove_dir_all(&run).unwrap();
        plant(&run, &sound);
        damage(&run);
        let before = tree(&run);
        // With a larger budget, since a run that has used up its own has nothing to do.
        let more = ["resume", "run", "--set", "runner.n_steps=1280"];
        let end = program.run(&[&more, *args].concat());
        assert_eq!(end.exit_code(), Some(1), "{case}: {}{}", end.stdout, end.stderr);
        for text in *texts {
            assert!(end.stderr.contains(text), "{case}: `{text}` is not in: {}", end.stderr);
        }
        assert!(
            end.stderr.starts_with("error: ") && !end.stderr.contains("panicked"),
            "{}",
            end.stderr
        );
        unchanged(&run, &before, case);
    }
    // The undamaged run resumes, with the settings that were given.
    fs::remove_dir_all(&run).unwrap();
    plant(&run, &sound);
    program.succeeds(&["resume", "run", "--checkpoint", OLDER, "--set", "runner.n_steps=768"]);
    let now = tree(&run);
    let config = String::from_utf8(now[Path::new("config.toml")].clone().unwrap()).unwrap();
    assert!(config.contains("n_steps = 768"));
    assert!(!left.exists());
}

/// The result of a run: its log except for times, and the arrays of its newest checkpoint.
fn result(run: &Path) -> (Vec<Vec<String>>, Vec<u8>) {
    (progress(run), fs::read(newest(run).join("arrays.safetensors")).unwrap())
}

/// Moments of a power cut, spread evenly over a run, per [`Rest`]; all moments with `COLONY_FULL=1`.
const MOMENTS: usize = 7;
/// Additional random moments per [`Rest`].
const DRAWN: usize = 3;

/// Seed of the random moments: `COLONY_SEED`, or a new one in each run of the test.
fn seed() -> u64 {
    let given =
        std::env::var("COLONY_SEED").ok().map(|s| s.parse().expect("COLONY_SEED is a number"));
    given.unwrap_or_else(|| rand::rng().random())
}

/// After a power cut at any moment, the run resumes from its newest checkpoint and has the same result as without the cut. If there is
/// no checkpoint yet, `resume` says so, and the run can be started again.
fn survives(program: &Program, disk: &Disk, args: &[&str], begin: &[String], whole: &Path) {
    let (run, want) = (program.path("run"), result(whole));
    let (mut resumed, mut begun) = (0, 0);
    let ops = disk.ops.len();
    let full = std::env::var("COLONY_FULL").as_deref() == Ok("1");
    let moments = if full { ops } else { MOMENTS };
    let seed = seed();
    println!("the moments that were drawn: COLONY_SEED={seed}");
    let mut draws = StdRng::seed_from_u64(seed);
    for (r, rest) in
        [Rest::Nothing, Rest::Everything, Rest::InOrder, Rest::Any].into_iter().enumerate()
    {
        // Spread over the run, at different moments for each kind of remains.
        let fixed =
            (0..moments).map(|i| 1 + (i * 4 + r) * ops / (moments * 4)).map(|m| (m, m as u64));
        let drawn: Vec<_> =
            (0..DRAWN).map(|_| (draws.random_range(1..=ops), draws.random())).collect();
        for (moment, remains) in fixed.chain(drawn) {
            let image = disk.after_power_cut(moment, rest, remains);
            let case = format!(
                "{rest:?} after {moment} of {ops} operations (draw {remains}, COLONY_SEED={seed})"
            );
            let _ = fs::remove_dir_all(&run);
            plant(&program.path(""), &image);
            let end = program.run(args);
            match end.exit_code() {
                Some(0) => resumed += 1,
                code => {
                    assert_eq!(code, Some(1), "{case}: {}", end.stderr);
                    let says = ["has no checkpoint yet", "is not a run directory", "there is no "];
                    assert!(says.iter().any(|s| end.stderr.contains(s)), "{case}: {}", end.stderr);
                    assert!(!disk.promises("step_", moment), "{case}: {}", end.stderr);
                    program.succeeds(begin);
                    begun += 1;
                }
            }
            let got = result(&run);
            let row = got.0.iter().zip(&want.0).position(|(got, want)| got != want);
            assert_eq!((row, got.0.len()), (None, want.0.len()), "{case}: another row of the log");
            assert!(got.1 == want.1, "{case}: other arrays");
        }
    }
    println!("{resumed} resumed, {begun} begun again");
    assert!(resumed > 3 * moments / 2, "{resumed} of {} resumed", 4 * moments);
}

fn recorded(program: &Program, args: &[String]) -> Option<Disk> {
    match traced(program.binary(), args, &program.path(""), Disk::new(&tree(&program.path("")))) {
        Ok((code, disk)) => {
            assert_eq!(code, 0);
            // The model must agree with the real directory.
            let said = disk.after_power_cut(disk.ops.len(), Rest::Everything, 0);
            let there = tree(&program.path("run"));
            for (name, bytes) in there {
                assert_eq!(
                    said.get(&Path::new("run").join(&name)),
                    Some(&bytes),
                    "{}",
                    name.display()
                );
            }
            Some(disk)
        }
        Err(e) => {
            let reason = format!("this machine does not allow a program to be traced ({e})");
            left_out(&reason, "COLONY_REQUIRE_TRACE");
            None
        }
    }
}

#[test]
fn a_power_cut_at_any_moment_of_a_run() {
    let program = Program::new(BINARY);
    let args = train("run", &["runner.n_steps=768", "runner.keep_checkpoints=2"]);
    let Some(disk) = recorded(&program, &args) else { return };
    let whole = program.path("whole");
    fs::rename(program.path("run"), &whole).unwrap();
    let begin = [args, vec!["--overwrite".into()]].concat();
    survives(&program, &disk, &["resume", "run"], &begin, &whole);
}

/// Resuming from an older checkpoint deletes and truncates files. After a power cut in the middle of that, the run can be resumed again.
#[test]
fn a_power_cut_while_a_run_is_resumed() {
    let program = Program::new(BINARY);
    let all = ["runner.n_steps=768", "runner.keep_checkpoints=9"];
    program.succeeds(&train("run", &all));
    let args = ["resume", "run", "--checkpoint", "run/checkpoints/step_000000000256"];
    let more = [&args[..], &["--set", "runner.n_steps=896"]].concat();
    let traced: Vec<String> = more.iter().map(|s| (*s).to_owned()).collect();
    let Some(disk) = recorded(&program, &traced) else { return };
    let whole = program.path("whole");
    fs::rename(program.path("run"), &whole).unwrap();
    // The settings may not have been written yet.
    let again = ["resume", "run", "--set", "runner.n_steps=896"];
    survives(&program, &disk, &again, &[], &whole);
}
