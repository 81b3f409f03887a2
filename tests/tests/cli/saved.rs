//! Commands that begin with a run on disk: which checkpoint they take, and what they say where there is nothing to do or to find.
use crate::{BINARY, entries, train};
use std::path::Path;
use tests::program::Program;
use tests::run::newest;

/// A run whose best checkpoint is not its newest, with a note of the best one's name.
fn with_best(program: &Program, dir: &str) -> String {
    // The last steps spoil what was learned: only the settings of a resumed run can be so different.
    program.succeeds(&train(dir, &["runner.keep_checkpoints=10"]));
    let more = ["--set", "runner.n_steps=1024", "--set", "algo.learning_rate=100"];
    program.succeeds(&[&["resume", dir], &more[..]].concat());
    let text = std::fs::read_to_string(newest(&program.path(dir)).join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    state["record"]["best"][1].as_str().unwrap().to_owned()
}

/// The name of the checkpoint in the first line, and what is in brackets behind it.
fn chosen(said: &str) -> (String, String) {
    let (path, rest) = said.split_once(" (").unwrap();
    let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
    (name, rest.split_once(')').unwrap().0.to_owned())
}

#[test]
fn eval_and_watch_take_the_same_checkpoint() {
    let program = Program::new(BINARY);
    let best = with_best(&program, "run");
    let newest = newest(&program.path("run"));
    let newest = newest.file_name().unwrap().to_string_lossy();
    assert_ne!(best, newest, "the last is the best: another seed is needed");
    let few = ["--episodes", "2"];
    let took = |command: &str, which: &[&str]| {
        let args = [&[command, "run"], &few[..], which].concat();
        chosen(&program.succeeds(&args).stdout)
    };
    let third = "step_000000000384".to_owned();
    for command in ["eval", "watch"] {
        let what = format!("best; newest: {newest}");
        assert_eq!(took(command, &[]), (best.clone(), what.clone()));
        assert_eq!(took(command, &["--checkpoint", "best"]), (best.clone(), what));
        let what = format!("newest; best: {best}");
        assert_eq!(took(command, &["--checkpoint", "newest"]), (newest.to_string(), what));
        assert_eq!(took(command, &["--checkpoint", "384"]).0, third);
        let path = format!("run/checkpoints/{third}");
        assert_eq!(took(command, &["--checkpoint", &path]).0, third);
        let texts = ["run has no checkpoint after 385 steps", "there are: ", "384, "];
        program.run(&[command, "run", "--checkpoint", "385"]).error(&texts);
    }
    // Without an evaluation there is no best one.
    program.succeeds(&train("blind", &["runner.evaluate=false"]));
    for command in ["eval", "watch"] {
        let said = program.succeeds(&[command, "blind"]).stdout;
        assert!(chosen(&said).1.starts_with("newest; there is no evaluation"), "{said}");
        program.run(&[command, "blind", "--checkpoint", "best"]).error(&["--checkpoint newest"]);
    }
}

#[test]
fn runs_of_several_seeds_are_measured_together() {
    let program = Program::new(BINARY);
    program.succeeds(&[train("runs", &[]), vec!["--seeds".into(), "0..2".into()]].concat());
    let all = program.succeeds(&["eval", "runs", "--episodes", "3"]).stdout;
    let some =
        program.succeeds(&["eval", "runs/s0", "runs/s1", "runs/s2", "--episodes", "3"]).stdout;
    assert!(all.contains(" (Student's t over 3 runs)\n"), "{all}");
    let until_next = |said: &str| said.split("try next").next().unwrap().to_owned();
    assert_eq!(until_next(&all), until_next(&some));
    let means: Vec<f64> = all
        .lines()
        .filter_map(|l| l.strip_prefix("  return  mean ")?.split_whitespace().next()?.parse().ok())
        .collect();
    let mean = means.iter().sum::<f64>() / 3.0;
    assert!(means.len() == 3 && all.contains(&format!("mean return {mean:.1}, ")), "{all}");
    let texts = ["--checkpoint x", "one run", "there are 3 runs"];
    program.run(&["eval", "runs", "--checkpoint", "x"]).error(&texts);
}

#[test]
fn what_is_no_run_says_which_runs_are_there() {
    let program = Program::new(BINARY);
    for command in ["eval", "watch", "resume"] {
        let texts = ["there is no runs/nonesuch", "such as runs/cartpole-dqn-s0"];
        program.run(&[command, "runs/nonesuch"]).error(&texts);
    }
    program.succeeds(&[train("runs", &[]), vec!["--seeds".into(), "9..10".into()]].concat());
    std::fs::create_dir(program.path("runs/other")).unwrap();
    for command in ["eval", "watch", "resume"] {
        let texts = ["there is no runs/nonesuch; there are the runs runs/s9, runs/s10"];
        program.run(&[command, "runs/nonesuch"]).error(&texts);
        program.run(&[command, "nonesuch"]).error(&["there are the runs runs/s9, runs/s10"]);
        let texts =
            ["runs/other is not a run directory: it has no config.toml; there are the runs"];
        program.run(&[command, "runs/other"]).error(&texts);
    }
    for command in ["watch", "resume"] {
        program.run(&[command, "runs"]).error(&["runs is not a run but holds runs", "runs/s9"]);
    }
}

#[test]
fn a_finished_run_has_nothing_to_do() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let files = |dir: &str| {
        let mut all: Vec<_> = entries(&program.path(dir))
            .into_iter()
            .map(|p| (p.clone(), std::fs::metadata(&p).unwrap().modified().unwrap()))
            .collect();
        all.sort();
        all
    };
    let before = files("run");
    let said = program.succeeds(&["resume", "run"]).stdout;
    assert!(
        said.starts_with(
            "nothing to do: run has used up its budget (runner.n_steps) after 512 steps"
        ),
        "{said}"
    );
    assert!(said.contains("resume run --set runner.n_steps=1024"), "{said}");
    assert_eq!(files("run"), before);
    program.succeeds(&["resume", "run", "--set", "runner.n_steps=1024"]);
    let solved = ["resume", "run", "--set", "runner.n_steps=9999", "--set", "runner.stop_return=1"];
    // The threshold is met at once by the next evaluation, which is confirmed.
    let said = program.succeeds(&solved).stdout;
    assert!(said.contains("solved: mean return "), "{said}");
    let said = program.succeeds(&["resume", "run"]).stdout;
    assert!(said.starts_with("nothing to do: run is solved, with a mean return of "), "{said}");
    assert!(said.contains("resume run --set runner.stop_return="), "{said}");
    // Settings that cannot be are refused all the same.
    program.run(&["resume", "run", "--set", "sampler.t=0"]).error(&["sampler.t = 0"]);
}

/// Words about evaluations that do not show what was hoped for.
#[test]
fn what_an_evaluation_lacks_is_said() {
    let program = Program::new(BINARY);
    // The first row has an evaluation of 2 episodes that any return passes, and a test that no return does.
    let lucky = ["runner.stop_return=1", "runner.confirm_episodes=2", "runner.n_steps=128"];
    let said = program.succeeds(&train("lucky", &lucky)).stdout;
    assert!(said.contains("confirmed: mean return "), "{said}");
    let wild = ["runner.stop_return=9.5", "runner.confirm_episodes=3", "eval.max_steps=1000"];
    let said = program.succeeds(&train("wild", &wild)).stdout;
    if let Some(line) = said.lines().find(|l| l.starts_with("not confirmed")) {
        let texts = [
            "training goes on: mean return ",
            "less two standard errors that is ",
            "below runner.stop_return = 9.5",
        ];
        assert!(texts.iter().all(|t| line.contains(t)), "{line}");
    }
    let endless = ["env.kind=dict-toy", "eval.max_steps=64"];
    let said = program.succeeds(&train("endless", &endless)).stdout;
    let note = "evaluation episodes did not end within the limit of steps (eval.max_steps)";
    assert_eq!(said.matches(note).count(), 1, "{said}");
    assert!(said.contains("limit the episodes (time_limit)"), "{said}");
    let said = program.succeeds(&["eval", "endless", "--episodes", "3"]).stdout;
    assert!(said.contains("no episode ended within eval.max_steps = 64"), "{said}");
}
