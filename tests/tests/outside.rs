//! A crate of a user's own, outside of this workspace: every command works for its environment, renderer, model, algorithm and
//! preset, from a `main` of a few lines.
#![allow(missing_docs, clippy::unwrap_used)]
use nix::sys::signal::Signal;
use rlcore::checkpoint::{latest, steps_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tests::program::{Program, all_gone};

const CRATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/outside");

/// The lines of a `main` that has parts of its own.
const MOST_LINES: usize = 40;

/// Builds the crate into the directory that this test lies in, with the versions of the workspace's lock file, so that what
/// both need is built once. The path of its program.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    let profile = test.parent().unwrap().parent().unwrap();
    let target = profile.parent().unwrap();
    std::fs::copy(Path::new(CRATE).join("../../Cargo.lock"), Path::new(CRATE).join("Cargo.lock"))
        .unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "--target-dir"]).arg(target).current_dir(CRATE);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    // Ours are compiled for speed in a crate outside; here that would take longer than the test.
    for ours in ["agents", "algos", "experiments", "rlcore", "runners", "samplers"] {
        cargo.arg("--config").arg(format!("profile.dev.package.{ours}.opt-level=0"));
    }
    // What cargo sets for this test is not for another cargo.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    assert!(cargo.status().unwrap().success(), "the crate outside does not compile");
    profile.join("outside")
}

/// The same, once for all tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Weights of the newest checkpoint.
fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(latest(&run.join("checkpoints")).unwrap().unwrap().join("model.safetensors"))
        .unwrap()
}

fn train<'a>(dir: &'a str, n_steps: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", "reach-one-step", "--sampler", "cpu", "--workers", "2"];
    args.extend(["--run-dir", dir, "--set", n_steps, "--set", "runner.stop_return="]);
    args.extend(["--set", "runner.log_interval_steps=512", "--set", "sampler.b=4"]);
    args.extend(["--set", "eval.n_envs=2", "--set", "eval.n_episodes=4"]);
    args
}

#[test]
fn a_crate_of_its_own_has_every_command() {
    let main = std::fs::read_to_string(Path::new(CRATE).join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= MOST_LINES, "main.rs has {} lines", main.lines().count());
    let program = Program::new(built().to_str().unwrap());

    let listed = program.succeeds(&["list"]).stdout;
    for name in ["reach-one-step", "cartpole-dqn", "towards", "one-step", "gaussian-pg"] {
        assert!(listed.contains(name), "{listed}");
    }
    let shown = program.succeeds(&["show-config", "reach-one-step"]).stdout;
    assert!(shown.contains("kind = \"reach\"") && shown.contains("stride = 0.2\n"), "{shown}");
    let _ = program.succeeds(&["doctor"]);

    // Killed, and continued to the bit.
    let mut run = program.start(&train("cut", "runner.n_steps=1000000000"));
    let cut = program.path("cut");
    run.until("a checkpoint", || latest(&cut.join("checkpoints")).unwrap().is_some());
    let family = run.family();
    assert_eq!(family.len(), 3, "a fork server and two workers");
    run.signal(Signal::SIGKILL);
    run.end().killed_by(Signal::SIGKILL);
    all_gone(&family);
    let reached = steps_of(&latest(&cut.join("checkpoints")).unwrap().unwrap()).unwrap();
    let n_steps = format!("runner.n_steps={}", reached + 1024);
    program.succeeds(&["resume", "cut", "--set", &n_steps]);
    program.succeeds(&train("whole", &n_steps));
    assert_eq!(weights(&cut), weights(&program.path("whole")));

    let measured = program.succeeds(&["eval", "cut", "--episodes", "5"]).stdout;
    assert!(measured.contains("over 5 fresh episodes"), "{measured}");
    program.succeeds(&["plot", "cut", "whole"]);
    assert!(program.path("plot.svg").is_file());
    let watched = program.succeeds(&["watch", "cut", "--episodes", "1"]).stdout;
    assert!(watched.contains("episode 1: ") && watched.contains(".gif"), "{watched}");
}

/// Mistakes are told with the names of this program.
#[test]
fn what_does_not_fit_is_refused_with_what_does() {
    let program = Program::new(built().to_str().unwrap());
    let train = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        program.run(&["train", "reach-one-step"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    train(&["env.strid=1"]).error(&["unknown key `env.strid`; did you mean `env.stride`?"]);
    train(&["env.kind=reech"]).error(&["`env.kind` must be one of", "did you mean `reach`?"]);
    train(&["algo.kind=ppo"]).error(&["cannot train agent.kind = \"towards\"", "one-step"]);
    train(&["algo.passes=0"]).error(&["algo.passes = 0"]);
    assert!(!program.path("runs").exists());
}
