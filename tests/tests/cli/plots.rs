//! Figures of runs: what is drawn together, what apart, and what is left out.
use crate::{BINARY, png, train};
use tests::program::Program;

#[test]
fn curves_of_two_configurations_are_one_figure() {
    let program = Program::new(BINARY);
    let runs = |dir, sets: &[&str]| {
        program.succeeds(&[train(dir, sets), vec!["--seeds".into(), "0..1".into()]].concat());
    };
    runs("slow", &["algo.learning_rate=1e-4"]);
    runs("fast", &["algo.learning_rate=0.01"]);
    let plot = ["plot", "slow", "fast/s0", "fast/s1", "--out", "figures/a.svg"];
    let said = program.succeeds(&plot).stdout;
    let want = "algo.learning_rate=1e-4: seed 0, 1\nalgo.learning_rate=0.01: seed 0, 1\n\
                figures/a.svg\nfigures/a.png\n";
    assert_eq!(said, want);
    let svg = std::fs::read_to_string(program.path("figures/a.svg")).unwrap();
    assert!(svg.starts_with("<svg width=\"880\" height=\"540\"") && svg.ends_with("</svg>\n"));
    let texts = [
        "cartpole: Return",
        "algo.learning_rate=1e-4 (2 seeds)",
        "algo.learning_rate=0.01 (2 seeds)",
        "environment steps",
        "Return, mean of evaluation episodes",
        "Band: from one to the other.",
    ];
    for text in texts {
        assert!(svg.contains(text), "{text} is not in: {svg}");
    }
    let (width, height, colours) = png(&program.path("figures/a.png"));
    assert!((width, height) == (1760, 1080) && colours > 50, "{width} x {height}, {colours}");
    // One name for both files, whatever its ending; another axis.
    let more = ["--x", "time", "--y", "loss", "--smooth", "2", "--out", "b"];
    program.succeeds(&[&["plot", "slow"], &more[..]].concat());
    png(&program.path("b.png"));
    let svg = std::fs::read_to_string(program.path("b.svg")).unwrap();
    for text in ["slow (2 seeds)", "time (s)", "loss, smoothed over 2 rows"] {
        assert!(svg.contains(text), "{text} is not in: {svg}");
    }
    let refused: [(&[&str], &[&str]); 7] = [
        (&["nowhere"], &["there is no run nowhere", "`train`"]),
        (&["figures"], &["figures is not a run directory"]),
        (&["slow", "--y", "score"], &["no column \"score\"", "Return", "loss", "CumSteps"]),
        (&["slow", "--out", "c.pdf"], &["c.pdf", ".svg or .png"]),
        (&["slow", "--smooth", "0"], &["--smooth 0", "at least 1"]),
        (&["empty"], &["empty has no row", "log_interval_steps"]),
        (&["fast", "--y", "score"], &["none of these 2 runs can be drawn: fast/s0 has no column"]),
    ];
    std::fs::create_dir(program.path("empty")).unwrap();
    std::fs::copy(program.path("slow/s0/config.toml"), program.path("empty/config.toml")).unwrap();
    for (args, texts) in refused {
        program.run(&[&["plot"], args].concat()).error(texts);
    }
    // A run that has only begun is no reason to draw none.
    let end = program.succeeds(&["plot", "slow", "empty"]);
    assert_eq!(end.stderr, "note: left out: empty (has no row in its progress.csv yet)\n");
    assert!(end.stdout.starts_with("slow: seed 0, 1\n"), "{}", end.stdout);
}

/// A directory of runs of several environments, of an algorithm without epsilon, and one that has only begun.
#[test]
fn environments_have_panels_of_their_own() {
    let program = Program::new(BINARY);
    program.succeeds(&train("runs/dqn-s0", &[]));
    program.succeeds(&train("runs/dqn-catch-s0", &["env={kind=\"catch\"}"]));
    let short = ["runner.n_steps=2048", "runner.log_interval_steps=1024", "runner.stop_return="];
    let mut ppo = vec!["train", "cartpole-ppo", "--run-dir", "runs/ppo-s0"];
    ppo.extend(short.iter().flat_map(|set| ["--set", set]));
    program.succeeds(&ppo);
    std::fs::create_dir(program.path("runs/empty")).unwrap();
    std::fs::copy(program.path("runs/dqn-s0/config.toml"), program.path("runs/empty/config.toml"))
        .unwrap();
    let end = program.succeeds(&["plot", "runs"]);
    let want = "catch: dqn-catch: seed 0\ncartpole: dqn: seed 0\ncartpole: ppo: seed 0\n\
                plot.svg\nplot.png\n";
    assert_eq!(end.stdout, want);
    assert!(end.stderr.starts_with("note: left out: runs/empty (has no row"), "{}", end.stderr);
    let svg = std::fs::read_to_string(program.path("plot.svg")).unwrap();
    assert!(svg.starts_with("<svg width=\"1320\" height=\"440\""));
    for text in ["catch: Return", "cartpole: Return", "dqn (1 seed)", "ppo (1 seed)"] {
        assert!(svg.contains(text), "{text} is not in: {svg}");
    }
    let (width, height, colours) = png(&program.path("plot.png"));
    assert!((width, height) == (2640, 880) && colours > 50, "{width} x {height}, {colours}");
    // What training logs, however it is spelled.
    for (y, title, left_out) in [
        ("TrainReturn", "cartpole: training return", 0),
        ("train-return", "cartpole: training return", 0),
        ("learning_rate", "cartpole: learning rate", 0),
        ("epsilon", "cartpole: epsilon", 1),
    ] {
        let end = program.succeeds(&["plot", "runs", "--y", y]);
        let svg = std::fs::read_to_string(program.path("plot.svg")).unwrap();
        assert!(svg.contains(title), "{y}: {title} is not in: {svg}");
        let ppo = format!("note: left out: runs/ppo-s0 (has no column {y:?})");
        assert_eq!(end.stderr.matches(&ppo).count(), left_out, "{}", end.stderr);
    }
}
