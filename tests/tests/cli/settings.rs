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
    // A run keeps the same document, without the comments.
    program.succeeds(&train("run", &[]));
    let kept = std::fs::read_to_string(program.path("run/config.toml")).unwrap();
    let mut args = train("", &[]);
    args.splice(0..4, ["show-config".into(), "cartpole-dqn".into()]);
    let shown = program.succeeds(&args).stdout;
    let table = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(table(&shown), table(&kept));
    // Flags of `train` that are short for settings.
    let flags = ["--seed", "4", "--sampler", "cpu", "--workers", "2", "--env", "acrobot"];
    let shown = program.succeeds(&[&["show-config", "cartpole-ppo"], &flags[..]].concat()).stdout;
    for line in ["\nseed = 4\n", "\nkind = \"cpu\"\n", "\nn = 2\n", "\nkind = \"acrobot\"\n"] {
        assert!(shown.contains(line), "{line} is not in: {shown}");
    }
}

/// A file states what is unset too: over a preset that sets it, the run is the same.
#[test]
fn what_is_unset_is_shown_and_given_back() {
    let program = Program::new(BINARY);
    let shown = |args: &[&str]| program.succeeds(&[&["show-config"], args].concat()).stdout;
    let unset = shown(&[
        "pendulum-ppo",
        "--set",
        "runner.stop_return=none",
        "--set",
        "algo.target_kl=none",
    ]);
    for line in [
        "stop_return = \"none\"\n",
        "target_kl = \"none\"\n",
        "min_std = \"none\"\n",
        "lstm = \"none\"\n",
        "eval_env = \"none\"\n",
    ] {
        assert!(unset.contains(&format!("\n{line}")), "{line} is not in: {unset}");
    }
    std::fs::write(program.path("unset.toml"), &unset).unwrap();
    assert_eq!(shown(&["memory-ppo-lstm", "--config", "unset.toml"]), unset);
    assert_eq!(shown(&["cartpole-dqn", "--config", "unset.toml"]), unset);
}

/// Every setting stands under a comment.
#[test]
fn every_setting_that_is_shown_is_described() {
    let program = Program::new(BINARY);
    for preset in ["cartpole-dqn", "pendulum-ppo", "catch-a2c"] {
        let text = program.succeeds(&["show-config", preset]).stdout;
        let lines: Vec<&str> = text.lines().collect();
        for pair in
            lines.windows(2).filter(|pair| pair[1].contains(" = ") || pair[1].starts_with('['))
        {
            let described = pair[0].starts_with('#') || pair[1].starts_with('#');
            assert!(described, "{preset}: {} is not described:\n{text}", pair[1]);
        }
    }
}

/// Broken by a setting, a kind or a doc comment that is changed: `experiments settings > docs/settings.md` writes the page anew.
#[test]
fn the_page_of_settings_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
    let page = std::fs::read_to_string(path).unwrap();
    let now = Program::new(BINARY).succeeds(&["settings"]).stdout;
    assert!(
        now == page,
        "docs/settings.md is out of date: `cargo run --release -p experiments -- settings > docs/settings.md`"
    );
}

#[test]
fn an_empty_value_removes_the_key() {
    let program = Program::new(BINARY);
    let shown =
        |more: &[&str]| program.succeeds(&[&["show-config", "cartpole-dqn"], more].concat()).stdout;
    assert!(shown(&[]).contains("stop_return = 475.0"));
    assert!(shown(&["--set", "runner.stop_return="]).contains("stop_return = \"none\""));
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
