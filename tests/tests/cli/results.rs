//! What runs leave: evaluations that repeat, figures, pictures of episodes.
use crate::{BINARY, newest, train};
use std::path::Path;
use tests::program::Program;

#[test]
fn seeds_make_a_run_each() {
    let program = Program::new(BINARY);
    program.succeeds(&[train("runs", &[]), vec!["--seeds".into(), "3..4".into()]].concat());
    let weights =
        |seed: u64| newest(&program.path(&format!("runs/s{seed}"))).join("model.safetensors");
    let read = |seed| std::fs::read(weights(seed)).unwrap();
    assert_ne!(read(3), read(4));
    program.succeeds(&[train("four", &[]), vec!["--seed".into(), "4".into()]].concat());
    assert_eq!(
        read(4),
        std::fs::read(newest(&program.path("four")).join("model.safetensors")).unwrap()
    );
}

#[test]
fn evaluations_repeat() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let eval = |more: &[&str]| {
        program.succeeds(&[&["eval", "run", "--episodes", "7"], more].concat()).stdout
    };
    let first = eval(&[]);
    assert!(first.contains("checkpoints/step_000000000512 over 7 fresh episodes\n"), "{first}");
    assert!(first.contains("  return  mean "), "{first}");
    assert_eq!(eval(&[]), first);
    assert_ne!(eval(&["--number", "1"]), first);
    let older = eval(&["--checkpoint", "run/checkpoints/step_000000000384"]);
    assert!(older.contains("step_000000000384 over 7"), "{older}");
    program.run(&["eval", "run", "--episodes", "0"]).error(&["--episodes 0"]);
}

/// Width and height of a PNG that can be read, and how many colours it has.
fn png(path: &Path) -> (u32, u32, usize) {
    let image = tiny_skia::Pixmap::decode_png(&std::fs::read(path).unwrap()).unwrap();
    let pixels = image.pixels().iter().map(|p| (p.red(), p.green(), p.blue()));
    let colours: std::collections::HashSet<_> = pixels.collect();
    (image.width(), image.height(), colours.len())
}

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
    let refused: [(&[&str], &[&str]); 6] = [
        (&["nowhere"], &["there is no run nowhere", "`train`"]),
        (&["figures"], &["figures is not a run directory"]),
        (&["slow", "--y", "score"], &["no column \"score\"", "Return", "loss", "CumSteps"]),
        (&["slow", "--out", "c.pdf"], &["c.pdf", ".svg or .png"]),
        (&["slow", "--smooth", "0"], &["--smooth 0", "at least 1"]),
        (&["slow", "empty"], &["empty has no row", "log_interval_steps"]),
    ];
    std::fs::create_dir(program.path("empty")).unwrap();
    std::fs::copy(program.path("slow/s0/config.toml"), program.path("empty/config.toml")).unwrap();
    for (args, texts) in refused {
        program.run(&[&["plot"], args].concat()).error(texts);
    }
}

#[test]
fn episodes_become_pictures() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &["env={kind=\"catch\"}", "eval.n_envs=1"]));
    let said = program.succeeds(&["watch", "run", "--episodes", "4"]).stdout;
    let checkpoint = said.lines().next().unwrap();
    let name = checkpoint.rsplit('/').next().unwrap();
    assert!(checkpoint.starts_with("run/checkpoints/step_"), "{said}");
    // The same episodes as are measured.
    let eval = ["eval", "run", "--episodes", "4", "--checkpoint", checkpoint];
    let measured = program.succeeds(&eval).stdout;
    let returns: Vec<f64> =
        said.lines().filter_map(|l| l.split_once(": 9 steps, return ")?.1.parse().ok()).collect();
    let mean = returns.iter().sum::<f64>() / 4.0;
    assert!(measured.contains(&format!("return  mean {mean:.2} ")), "{said}\n{measured}");
    let picture = |extension: &str| program.path(&format!("run/watch/{name}.{extension}"));
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut movie = options.read_info(std::fs::File::open(picture("gif")).unwrap()).unwrap();
    assert_eq!((movie.width(), movie.height()), (220, 326));
    let mut delays = vec![];
    while let Some(frame) = movie.read_next_frame().unwrap() {
        delays.push(frame.delay);
    }
    // A frame for each step and the reset; the last of an episode stays.
    assert_eq!(delays, [&[25; 9][..], &[120]].concat().repeat(4));
    let (width, height, colours) = png(&picture("png"));
    assert!((width, height) == (1552, 1640) && colours > 20, "{width} x {height}, {colours}");
    program.run(&["watch", "run", "--episodes", "0"]).error(&["--episodes 0", "1 to 20"]);
    program.run(&["watch", "nowhere"]).error(&["nowhere is not a run directory"]);
    program.succeeds(&train("memory", &["env={kind=\"memory\"}"]));
    let texts = ["memory has no renderer", "cartpole, catch, pendulum"];
    program.run(&["watch", "memory"]).error(&texts);
}
