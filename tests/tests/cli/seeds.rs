//! `train --seeds`: side by side or one after another, stopped, killed, given again.
use crate::{BINARY, train};
use nix::sys::signal::Signal;
use rlcore::checkpoint::latest;
use std::path::Path;
use tests::program::{Program, Running, all_gone, children};
use tests::run::newest;

/// Long enough to be interrupted once there is a checkpoint, which comes after a small part of it.
const LONG: [&str; 3] =
    ["runner.n_steps=12000", "runner.log_interval_steps=500", "algo.replay_size=4096"];

fn seeds(dir: &str, sets: &[&str], more: &[&str]) -> Vec<String> {
    let mut args = train(dir, sets);
    args.extend(more.iter().map(|s| (*s).to_owned()));
    args
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(newest(run).join("model.safetensors")).unwrap()
}

fn has_checkpoint(run: &Path) -> bool {
    latest(&run.join("checkpoints")).is_ok_and(|c| c.is_some())
}

#[test]
fn side_by_side_equals_one_by_one() {
    let program = Program::new(BINARY);
    let jobs = seeds("jobs", &[], &["--seeds", "2..4", "--jobs", "2"]);
    let end = program.succeeds(&jobs);
    let one_by_one = program.succeeds(&seeds("turns", &[], &["--seeds", "2..4"]));
    for seed in 2..=4 {
        let run = |dir: &str| program.path(&format!("{dir}/s{seed}"));
        assert!(weights(&run("jobs")) == weights(&run("turns")), "seed {seed}");
        assert!(end.stdout.contains(&format!("seed {seed}: in jobs/s{seed}\n")), "{}", end.stdout);
    }
    assert_ne!(weights(&program.path("jobs/s2")), weights(&program.path("jobs/s3")));
    for said in [&end.stdout, &one_by_one.stdout] {
        for text in [
            "    seed      return       steps",
            "  budget used up\n",
            "mean return ",
            " (Student's t over 3 seeds)\n",
        ] {
            assert!(said.contains(text), "{text} is not in: {said}");
        }
    }
    // Given again, it has nothing to do.
    let before = std::fs::read(program.path("jobs/s2/log.txt")).unwrap();
    let again = program.succeeds(&jobs).stdout;
    assert_eq!(again.matches("finished already, in jobs/s").count(), 3, "{again}");
    assert!(again.contains("Student's t over 3 seeds"), "{again}");
    assert!(std::fs::read(program.path("jobs/s2/log.txt")).unwrap() == before);
    // What has other settings is neither continued nor replaced.
    let other = seeds("jobs", &["algo.learning_rate=0.5"], &["--seeds", "4..5", "--jobs", "2"]);
    program.run(&other).error(&["jobs/s4 is taken by a run with other settings", "--overwrite"]);
    assert!(!program.path("jobs/s5").exists());
}

/// Ctrl-C reaches everyone at a terminal, and only the first process where a script sends it.
#[test]
fn stopped_seeds_go_on_when_the_command_is_given_again() {
    for (jobs, to_group) in [("2", true), ("2", false), ("1", false)] {
        let program = Program::new(BINARY);
        let args = seeds("runs", &LONG, &["--seeds", "0..2", "--jobs", jobs]);
        let mut run = program.start(&args);
        let first = if jobs == "2" { 2 } else { 1 };
        run.until("checkpoints", || {
            (0..first).all(|seed| has_checkpoint(&program.path(&format!("runs/s{seed}"))))
        });
        if to_group {
            run.signal_group(Signal::SIGINT);
        } else {
            run.signal(Signal::SIGINT);
        }
        let end = run.end().code(130);
        let again = end.stdout.lines().find_map(|l| l.strip_prefix("go on with: ")).unwrap();
        assert!(again.contains(" --seeds 0..2 ") && again.ends_with(" --run-dir runs"), "{again}");
        assert!(end.stdout.contains("  stopped\n"), "{}", end.stdout);
        assert!(end.stdout.contains("  not begun\n"), "{}", end.stdout);
        assert!(!program.path("runs/s2").exists());
        // The command that was printed, through a shell.
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", again]);
        let end = program.spawn(shell).end().code(0);
        assert_eq!(end.stdout.matches("resumed from runs/s").count(), first, "{}", end.stdout);
        assert_eq!(end.stdout.matches("  budget used up\n").count(), 3, "{}", end.stdout);
        if to_group {
            program.succeeds(&seeds("whole", &LONG, &["--seed", "0"]));
            assert!(weights(&program.path("whole")) == weights(&program.path("runs/s0")));
        }
    }
}

/// The process that writes a run.
fn writer(run: &Path) -> Option<i32> {
    std::fs::read_to_string(run.join(".lock")).ok()?.parse().ok()
}

#[test]
fn a_killed_seed_is_named_and_the_others_end() {
    let program = Program::new(BINARY);
    let args = seeds("runs", &LONG, &["--seeds", "0..2", "--jobs", "3"]);
    let mut run = program.start(&args);
    let victim = program.path("runs/s1");
    run.until("a checkpoint", || has_checkpoint(&victim));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(writer(&victim).unwrap()), Signal::SIGKILL)
        .unwrap();
    let end = run.end();
    assert_eq!(end.stdout.matches("  budget used up\n").count(), 2, "{}", end.stdout);
    let texts = [
        "1 of 3 seeds failed: seed 1: its process was killed by signal 9 (SIGKILL)",
        "go on with: ",
        "--seeds 0..2 --jobs 3",
    ];
    end.error(&texts);
    let end = program.succeeds(&args);
    assert!(end.stdout.contains("seed 1: resumed from runs/s1"), "{}", end.stdout);
    assert_eq!(end.stdout.matches("  budget used up\n").count(), 3, "{}", end.stdout);
}

/// Everything that stems from a process.
fn descendants(pid: i32) -> Vec<i32> {
    let own = children(pid);
    own.iter().copied().chain(own.iter().flat_map(|p| descendants(*p))).collect()
}

#[test]
fn nothing_is_left_of_a_killed_command() {
    let program = Program::new(BINARY);
    let endless = ["runner.n_steps=1000000000", "sampler.kind=cpu", "sampler.worker.n=2"];
    let mut run: Running =
        program.start(&seeds("runs", &endless, &["--seeds", "0..1", "--jobs", "2"]));
    run.until("checkpoints", || {
        (0..2).all(|seed| has_checkpoint(&program.path(&format!("runs/s{seed}"))))
    });
    let pids = descendants(run.pid());
    // Two runs with a fork server and two workers each, and the fork server of the first process.
    assert!(pids.len() >= 9, "{pids:?}");
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    all_gone(&pids);
}

/// Settings that a run refuses are refused once, with nothing left behind.
#[test]
fn what_no_seed_can_do_is_said_once() {
    let program = Program::new(BINARY);
    let args = seeds("runs", &["eval_env.kind=catch"], &["--seeds", "0..4", "--jobs", "2"]);
    let end = program.run(&args);
    assert_eq!(end.stderr.matches("eval_env").count(), 1, "{}", end.stderr);
    end.error(&["eval_env", "leave it unset"]);
    assert!(!program.path("runs").exists());
    // Each would fit alone.
    let large = format!("algo.replay_size={}", rlcore::memory::available() / 40);
    let many = seeds("runs", &[&large], &["--seeds", "0..4", "--jobs", "5"]);
    program.run(&many).error(&["5 runs at a time share the memory", "--jobs", "algo.replay_size"]);
    let lone = program.run(&["train", "cartpole-dqn", "--jobs", "2"]).code(2);
    assert!(lone.stderr.contains("--seeds"), "{}", lone.stderr);
}
