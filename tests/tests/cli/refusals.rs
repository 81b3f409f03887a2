//! Wrong arguments and settings are refused before anything is written, with what to write instead.
use crate::{BINARY, is_empty, train};
use tests::program::Program;

/// Arguments of `--set`, and texts of their refusals.
const REFUSED: [(&str, &[&str]); 20] = [
    ("algo.lerning_rate=1", &["unknown key `algo.lerning_rate`", "`algo.learning_rate`"]),
    ("sampler.kind=asynchronous", &["`sampler.kind`", "`cpu`", "`alternating`"]),
    ("algo.batch_size=many", &["`algo.batch_size` must be", "not \"many\""]),
    ("algo.batch_size", &["--set algo.batch_size", "="]),
    ("sampler.t=0", &["sampler.t = 0", "must be at least 1"]),
    ("algo.eps_steps=10", &["algo.eps_steps = 10 < algo.min_steps_learn = 300", "raise eps_steps"]),
    ("algo.replay_size=15", &["algo.replay_size = 15 < algo.batch_size = 16", "raise replay_size"]),
    (
        "algo.replay_size=16",
        &["algo.replay_size = 16 < sampler.t * sampler.b = 32", "raise replay_size"],
    ),
    ("algo.n_step_return=100000", &["algo.n_step_return = 100000", "at most 65535"]),
    ("algo.replay_size=10000000000000", &["TiB", "are free", "lower algo.replay_size"]),
    ("algo.replay_size=9000000000000000000", &["TiB", "are free", "lower algo.replay_size"]),
    ("sampler.t=9000000000000000000", &["algo.replay_size", "lower sampler.t or sampler.b"]),
    ("device=gpu", &["\"gpu\" is not one of cpu, cuda"]),
    ("device=cuda:99", &["device cuda:99 is not there", "--device cpu"]),
    ("runner.n_steps=0", &["runner.n_steps = 0", "at least 1"]),
    ("runner.stop_return=nan", &["runner.stop_return must be a number, or unset"]),
    ("time_limit=0", &["time_limit = 0", "--set time_limit=none"]),
    ("env={kind=\"catch\",rows=1}", &["`rows` is 1", "at least 2"]),
    ("eval_env.kind=catch", &["eval_env", "leave it unset"]),
    ("eval.n_episodes=1", &["eval.n_episodes = 1", "an episode for each"]),
];

#[test]
fn settings_are_refused_before_anything_is_there() {
    for (set, texts) in REFUSED {
        let program = Program::new(BINARY);
        program.run(&train("run", &[set])).error(texts);
        assert!(is_empty(&program.path("")), "{set} left something behind");
    }
}

#[test]
fn arguments_are_refused_before_anything_is_there() {
    let refused: [(&[&str], &[&str]); 9] = [
        (&["train", "cartpole"], &["there is no preset \"cartpole\"", "cartpole-dqn"]),
        (
            &["train", "cartpole-dqn", "--sampler", "cpu", "--workers", "17"],
            &["sampler.worker.n = 17", "lower sampler.worker.n to 16"],
        ),
        (&["train", "cartpole-dqn", "--seeds", "4..0"], &["--seeds 4..0", "0..4"]),
        (
            &["train", "cartpole-dqn", "--seeds", "0..99999999999"],
            &["--seeds 0..99999999999", "more than"],
        ),
        (&["train", "cartpole-dqn", "--seeds", "one"], &["--seeds one", "not a seed", "0..4"]),
        (&["train", "cartpole-dqn", "--config", "no.toml"], &["--config no.toml", "No such file"]),
        (&["resume", "runs/none"], &["there is no runs/none"]),
        (&["eval", "runs/none"], &["there is no runs/none"]),
        (&["show-config", "cartpole-dqn", "--set", "sampler.t=0"], &["sampler.t = 0"]),
    ];
    for (args, texts) in refused {
        let program = Program::new(BINARY);
        program.run(args).error(texts);
        assert!(is_empty(&program.path("")), "{args:?} left something behind");
    }
    let program = Program::new(BINARY);
    let unknown = program.run(&["train", "cartpole-dqn", "--worker", "2"]).code(2);
    assert!(unknown.stderr.contains("--workers"), "{}", unknown.stderr);
}

/// An existing run is neither mixed with another nor replaced by accident.
#[test]
fn a_run_that_is_there_is_kept() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let log = || std::fs::read(program.path("run/progress.csv")).unwrap();
    let before = log();
    let texts = ["run already holds a run", "`resume run`", "`--run-dir`", "`--overwrite`"];
    program.run(&train("run", &[])).error(&texts);
    let overwrite = |set: &str| [train("run", &[set]), vec!["--overwrite".into()]].concat();
    program.run(&overwrite("algo.replay_size=10000000000000")).error(&["are free"]);
    program.run(&["resume", "run", "--set", "runner.n_steps=0"]).error(&["runner.n_steps = 0"]);
    assert_eq!(log(), before);
    // The refused budget was not written down.
    program.succeeds(&["resume", "run"]);
    program.succeeds(&overwrite("seed=1"));
    assert_ne!(log(), before);
    // Without a directory of the user's choice there is always a free name.
    for seed_dir in ["runs/cartpole-dqn-s0", "runs/cartpole-dqn-s0-2"] {
        let mut args = train("", &[]);
        args.drain(2..4);
        let end = program.succeeds(&args);
        assert!(end.stdout.contains(&format!("run in {seed_dir}\n")), "{}", end.stdout);
    }
}
