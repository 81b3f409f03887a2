//! What `train` is given, how it calls the run, and which commands it offers afterwards.
use crate::{BINARY, SHORT};
use tests::program::Program;

fn sets(more: &[&'static str]) -> Vec<&'static str> {
    SHORT.iter().chain(more).flat_map(|set| ["--set", set]).collect()
}

/// The command behind `what` among those to try next.
fn next<'a>(said: &'a str, what: &str) -> &'a str {
    let line = said.lines().find(|l| l.trim_start().starts_with(what));
    line.unwrap_or_else(|| panic!("no {what} in: {said}")).trim_start()[what.len()..].trim()
}

#[test]
fn a_configuration_is_enough() {
    let program = Program::new(BINARY);
    let shown = program.succeeds(&[&["show-config", "cartpole-dqn"], &sets(&[])[..]].concat());
    std::fs::write(program.path("my.toml"), shown.stdout).unwrap();
    let said = program.succeeds(&["train", "--config", "my.toml", "--set", "seed=3"]).stdout;
    assert!(said.contains("run in runs/cartpole-dqn-s3\n"), "{said}");
    // A run's own configuration trains the run again.
    let config = "runs/cartpole-dqn-s3/config.toml";
    program.succeeds(&["train", "--config", config, "--run-dir", "again"]);
    let weights = |run: &str| {
        let checkpoint = tests::run::newest(&program.path(run));
        std::fs::read(checkpoint.join("model.safetensors")).unwrap()
    };
    assert!(weights("again") == weights("runs/cartpole-dqn-s3"));
    std::fs::write(program.path("part.toml"), "[algo]\nlearning_rate = 0.1\n").unwrap();
    let texts = ["part.toml is given without a preset"];
    program.run(&["train", "--config", "part.toml"]).error(&texts);
    program.run(&["train"]).error(&["give a preset (cartpole-dqn, ", "or --config FILE"]);
}

/// Small changes leave a preset's name, another algorithm or environment does not.
#[test]
fn a_run_is_named_by_what_it_trains() {
    let program = Program::new(BINARY);
    let name = |args: &[&str]| {
        let said = program.succeeds(&[&["train"], args].concat()).stdout;
        let line = said.lines().find_map(|l| l.split_once("run in ")).unwrap().1;
        line.to_owned()
    };
    let dqn = sets(&["algo.learning_rate=0.01"]);
    assert_eq!(name(&[&["cartpole-dqn"], &dqn[..]].concat()), "runs/cartpole-dqn-s0");
    let catch = sets(&["env={kind=\"catch\"}"]);
    assert_eq!(name(&[&["cartpole-dqn"], &catch[..]].concat()), "runs/catch-dqn-s0");
    let short = ["--set", "runner.n_steps=1024", "--set", "runner.stop_return="];
    let a2c = [&["cartpole-ppo", "--set", "algo.kind=a2c"], &short[..]].concat();
    assert_eq!(name(&a2c), "runs/cartpole-a2c-s0");
    // A whole configuration of another algorithm over a preset.
    let shown = program.succeeds(&[&["show-config", "cartpole-dqn"], &sets(&[])[..]].concat());
    std::fs::write(program.path("dqn.toml"), shown.stdout).unwrap();
    assert_eq!(
        name(&["cartpole-ppo", "--config", "dqn.toml", "--seed", "7"]),
        "runs/cartpole-dqn-s7"
    );
}

/// What is offered trains the same thing.
#[test]
fn commands_to_try_next_repeat_what_was_given() {
    let program = Program::new(BINARY);
    std::fs::write(program.path("my file.toml"), "[algo]\nlearning_rate = 0.01\n").unwrap();
    let mut args = vec!["train", "cartpole-dqn", "--config", "my file.toml"];
    args.extend(sets(&["agent.model.hidden=[8, 8]"]));
    let said = program.succeeds(&args).stdout;
    let given = "cartpole-dqn --config 'my file.toml' --set sampler.t=8";
    for what in ["other seeds", "change it", "all settings"] {
        let command = next(&said, what);
        assert!(command.contains(given), "{command}");
        assert!(command.contains("--set 'agent.model.hidden=[8, 8]'"), "{command}");
    }
    // As a shell takes it.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", next(&said, "all settings")]);
    let shown = program.spawn(shell).end().code(0).stdout;
    let kept = std::fs::read_to_string(program.path("runs/cartpole-dqn-s0/config.toml")).unwrap();
    let table = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(table(&shown), table(&kept));
}

#[test]
fn workers_need_a_sampler_that_has_some() {
    let program = Program::new(BINARY);
    let texts = ["--workers 4: the serial sampler has no workers", "--sampler cpu"];
    program.run(&["train", "cartpole-ppo", "--workers", "4"]).error(&texts);
    program.run(&["show-config", "cartpole-ppo", "--workers", "4"]).error(&texts);
    program.succeeds(&["show-config", "cartpole-ppo", "--workers", "2", "--sampler", "cpu"]);
    assert!(crate::is_empty(&program.path("")));
}
