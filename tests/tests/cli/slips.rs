//! Slips of a newcomer: each is answered by a line that says what to write instead.
use crate::{BINARY, train};
use experiments::Program as Offered;
use tests::program::Program;

/// The arguments, and the whole message; `{presets}` and `{environments}` stand for their names.
const SLIPS: &[(&[&str], &str)] = &[
    (
        &["train", "cartpole-pppo"],
        "there is no preset \"cartpole-pppo\"; did you mean \"cartpole-ppo\"?; there are: {presets}",
    ),
    (
        &["train", "cartpole-dqn", "--set", "algo.learing_rate=1e-3"],
        "--set algo.learing_rate=1e-3: unknown key `algo.learing_rate`; did you mean `algo.learning_rate`?",
    ),
    (
        &["train", "cartpole-dqn", "--set", "learning_rate=1e-3"],
        "--set learning_rate=1e-3: unknown key `learning_rate`; did you mean `algo.learning_rate`?",
    ),
    (
        &["train", "cartpole-dqn", "--set", "algo.learning_rate=fast"],
        "--set algo.learning_rate=fast: `algo.learning_rate` must be a number (f64), not \"fast\"",
    ),
    (
        &["train", "cartpole-dqn", "--set", "sampler.b=3.5"],
        "--set sampler.b=3.5: `sampler.b` must be a whole number, 0 or more (usize), not 3.5",
    ),
    (
        &["train", "cartpole-dqn", "--set", "agent.model.hidden=256"],
        "--set agent.model.hidden=256: `agent.model.hidden` must be a list, not 256; write --set agent.model.hidden=\"[256]\"",
    ),
    (
        &["train", "cartpole-dqn", "--set", "agent.model.hidden=256,256"],
        "--set agent.model.hidden=256,256: `agent.model.hidden` must be a list, not \"256,256\"; write --set agent.model.hidden=\"[256, 256]\"",
    ),
    (
        &["train", "cartpole-dqn", "--set", "env=pendulum"],
        "--set env=pendulum: `env` must be a table of settings, not \"pendulum\"; write --set env.kind=pendulum",
    ),
    (
        &["train", "cartpole-dqn", "--set", "env.kind=cart-pole"],
        "--set env.kind=cart-pole: `env.kind` must be one of {environments}, not \"cart-pole\"; did you mean `cartpole`?",
    ),
    (
        &["train", "cartpole-dqn", "--set", "sampler.b=none"],
        "--set sampler.b=none: `sampler.b` must be a whole number, 0 or more (usize), not \"none\"",
    ),
    (
        &["train", "cartpole-dqn", "--device", "0"],
        "device \"0\" is not one of cpu, cuda, cuda:<number>: write `--device cuda:0`",
    ),
    (
        &["train", "cartpole-dqn", "--sampler", "async"],
        "--sampler async: it must be one of `serial`, `cpu`, `gpu`, `alternating`, not \"async\"",
    ),
    (
        &["train", "cartpole-dqn", "--sampler", "serail"],
        "--sampler serail: it must be one of `serial`, `cpu`, `gpu`, `alternating`, not \"serail\"; did you mean `serial`?",
    ),
    (
        &["train", "cartpole-dqn", "--env", "pendulum"],
        "agent.kind = \"dqn\" does not fit env.kind = \"pendulum\": a Q-model needs one discrete action, the action space is a box [1] f32 within -2..2; set agent.kind=gaussian-pg and algo.kind=ppo (or a2c, reinforce), or start from the preset pendulum-ppo",
    ),
    (
        &["train", "cartpole-ppo", "--env", "pendulum"],
        "agent.kind = \"categorical-pg\" does not fit env.kind = \"pendulum\": a categorical agent needs one discrete action, the action space is a box [1] f32 within -2..2: use the gaussian agent; set agent.kind=gaussian-pg, or start from the preset pendulum-ppo",
    ),
    (
        &["train", "cartpole-dqn", "--env", "cart-pole"],
        "--env cart-pole: it must be one of {environments}, not \"cart-pole\"; did you mean `cartpole`?",
    ),
    (
        &["train", "cartpole-ppo", "--set", "algo.kind=dqn"],
        "algo.kind = \"dqn\" cannot train agent.kind = \"categorical-pg\": set agent.kind to dqn, or algo.kind to ppo or a2c or reinforce",
    ),
    (
        &["train", "cartpole-dqn", "--config", "section.toml"],
        "section.toml, line 2: unknown key `optimizer`; the keys there are agent, algo, device, env, eval, eval_env, runner, sampler, seed, time_limit",
    ),
    (
        &["train", "cartpole-dqn", "--config", "empty.toml"],
        "empty.toml, line 2: this is not TOML: `stop_return` has no value: `stop_return = \"none\"` unsets an optional setting",
    ),
    (
        &["train", "cartpole-dqn", "--config", "bare.toml"],
        "bare.toml, line 2: this is not TOML: text is written in quotes: `kind = \"catch\"`",
    ),
    (
        &["train", "cartpole-dqn", "--config", "list.toml"],
        "list.toml, line 2: `agent.model.hidden` must be a list, not 256; write `hidden = [256]`",
    ),
];

/// Those that the parser of arguments refuses: exit code 2, and the first line of its answer.
const ARGUMENTS: &[(&[&str], &str)] = &[
    (
        &["train", "cartpole-dqn", "--set", "algo.learning_rate", "1e-3"],
        "--set algo.learning_rate 1e-3: write --set algo.learning_rate=1e-3",
    ),
    (&["train", "cartpole-dqn", "--seed", "-1"], "--seed -1: it takes a whole number, 0 or more"),
    (&["train", "cartpole-dqn", "--seed=-1"], "--seed -1: it takes a whole number, 0 or more"),
    (
        &["train", "cartpole-dqn", "--workers", "-2"],
        "--workers -2: it takes a whole number, 0 or more",
    ),
    (
        &["train", "cartpole-dqn", "--workers", "two"],
        "--workers two: it takes a whole number, 0 or more",
    ),
    (
        &["train", "cartpole-dqn", "--n-steps", "1000"],
        "there is no option --n-steps: write --set runner.n_steps=1000",
    ),
];

#[test]
fn slips_say_what_to_write_instead() {
    let program = Program::new(BINARY);
    for (name, text) in [
        ("section.toml", "[optimizer]\nlr = 1\n"),
        ("empty.toml", "[runner]\nstop_return =\n"),
        ("bare.toml", "[env]\nkind = catch\n"),
        ("list.toml", "[agent.model]\nhidden = 256\n"),
    ] {
        std::fs::write(program.path(name), text).unwrap();
    }
    let offered = Offered::new();
    let presets: Vec<&str> = offered.presets().iter().map(|p| p.name).collect();
    let environments: Vec<String> =
        offered.environments().map(|(name, _)| format!("`{name}`")).collect();
    let mut wrong = Vec::new();
    let mut compare = |args: &[&str], code: i32, want: &str| {
        let end = program.run(args).code(code);
        let said = end.stderr.lines().next().unwrap_or_default().to_owned();
        let want = want.replace("{presets}", &presets.join(", "));
        let want = format!("error: {}", want.replace("{environments}", &environments.join(", ")));
        let lines = end.stderr.lines().count();
        if said != want || code == 1 && lines != 1 {
            wrong.push(format!("{}\n  says {said}\n  not  {want}", args.join(" ")));
        }
    };
    for (args, want) in SLIPS {
        compare(args, 1, want);
    }
    for (args, want) in ARGUMENTS {
        compare(args, 2, want);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!program.path("runs").exists(), "a slip left a run behind");
}

/// A replay of other environments: the cause once, and the setting that was changed.
#[test]
fn a_resume_with_other_settings_names_them() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let end =
        program.run(&["resume", "run", "--set", "sampler.b=8", "--set", "runner.n_steps=1024"]);
    let (said, replay) = (end.stderr.clone(), "environments (format");
    end.error(&[replay, "the run itself has sampler.b = 4"]);
    assert_eq!(said.matches("the saved replay holds").count(), 1, "{said}");
    assert!(!said.contains("Meta {"), "{said}");
    let end = program.run(&[
        "resume",
        "run",
        "--set",
        "env.kind=pendulum",
        "--set",
        "runner.n_steps=1024",
    ]);
    let said = end.stderr.clone();
    end.error(&["does not fit env.kind = \"pendulum\"", "a box [1] f32 within -2..2"]);
    assert!(!said.contains("BoxSpace"), "{said}");
}
