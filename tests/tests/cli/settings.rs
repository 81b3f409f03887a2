//! `show-config`, `list`, `doctor` and help. The configuration that is shown can be read back.
use crate::{BINARY, is_empty, train};
use clap::CommandFactory;
use experiments::commands::Cli;
use tests::program::Program;

#[test]
fn what_is_shown_can_be_given_back() {
    let program = Program::new(BINARY);
    let changes: [&[&str]; 3] = [
        &[],
        &[
            "algo.learning_rate=0.25",
            "env.kind=dict-toy",
            "time_limit=9",
            "agent.model.hidden=[3,5]",
        ],
        &["eval_env.kind=cartpole", "eval_env.max_steps=20", "runner.stop_seconds=2.5", "seed=7"],
    ];
    for sets in changes {
        let mut args = vec!["show-config", "cartpole-dqn"];
        args.extend(sets.iter().flat_map(|s| ["--set", s]));
        let shown = program.succeeds(&args).stdout;
        std::fs::write(program.path("shown.toml"), &shown).unwrap();
        let again = ["show-config", "cartpole-dqn", "--config", "shown.toml"];
        assert_eq!(program.succeeds(&again).stdout, shown);
        for set in sets {
            let value = set.rsplit('=').next().unwrap();
            assert!(
                shown.contains(value.split(',').next().unwrap().trim_start_matches('[')),
                "{set} is not in: {shown}"
            );
        }
    }
    // A run keeps the same document.
    program.succeeds(&train("run", &[]));
    let kept = std::fs::read_to_string(program.path("run/config.toml")).unwrap();
    let mut args = train("", &[]);
    args.splice(0..4, ["show-config".into(), "cartpole-dqn".into()]);
    assert_eq!(program.succeeds(&args).stdout, kept);
}

#[test]
fn an_empty_value_removes_the_key() {
    let program = Program::new(BINARY);
    let shown =
        |more: &[&str]| program.succeeds(&[&["show-config", "cartpole-dqn"], more].concat()).stdout;
    assert!(shown(&[]).contains("stop_return = 475.0"));
    assert!(!shown(&["--set", "runner.stop_return="]).contains("stop_return"));
    // In order: the last value counts.
    let twice = ["--set", "runner.stop_return=", "--set", "runner.stop_return=3"];
    assert!(shown(&twice).contains("stop_return = 3.0"));
}

/// The help of every command describes each of its options.
#[test]
fn help_mentions_every_option() {
    let program = Program::new(BINARY);
    let mut seen = 0;
    let mut commands: Vec<(Vec<String>, clap::Command)> = vec![(vec![], Cli::command())];
    while let Some((path, command)) = commands.pop() {
        let help = program.succeeds(&[path.clone(), vec!["--help".into()]].concat()).stdout;
        let whole = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for arg in
            command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version"))
        {
            let about = arg.get_help().unwrap_or_else(|| panic!("{path:?}: {arg} has no help"));
            assert!(whole.contains(&about.to_string()), "{path:?}: {about} is not in: {help}");
            let option = arg.get_long().map(|long| format!("--{long}"));
            assert!(option.is_none_or(|o| help.contains(&o)), "{path:?}: {arg} is not in: {help}");
            seen += 1;
        }
        for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
            let about = sub.get_about().unwrap_or_else(|| panic!("{} has no help", sub.get_name()));
            assert!(whole.contains(&about.to_string()), "{path:?}: {about} is not in: {help}");
            commands.push(([path.clone(), vec![sub.get_name().into()]].concat(), sub.clone()));
        }
    }
    assert!(seen > 20, "{seen} options");
    let nothing = program.run::<&str>(&[]).code(2);
    assert!(nothing.stderr.contains("Usage:"), "{}", nothing.stderr);
}

#[test]
fn lists_and_checks() {
    let program = Program::new(BINARY);
    let list = program.succeeds(&["list"]).stdout;
    for name in ["cartpole-dqn", "serial", "cpu", "catch", "dict-toy"] {
        assert!(list.contains(&format!("  {name} ")), "{name} is not in: {list}");
    }
    let doctor = program.succeeds(&["doctor"]).stdout;
    for check in ["libtorch", "OpenMP", "memory", "workers", "CUDA"] {
        assert!(doctor.contains(&format!("ok   {check}")), "{check} is not in: {doctor}");
    }
    assert!(is_empty(&program.path("")), "they write nothing");
}
