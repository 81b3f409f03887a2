//! Results of runs: repeatable evaluations, pictures of episodes.
use crate::{BINARY, png, train};
use tests::program::Program;

#[test]
fn evaluations_repeat() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let eval = |more: &[&str]| {
        let newest = ["eval", "run", "--episodes", "7", "--checkpoint", "newest"];
        program.succeeds(&[&newest[..], more].concat()).stdout
    };
    let first = eval(&[]);
    assert!(first.contains("checkpoints/step_000000000512 ("), "{first}");
    assert!(first.contains(") over 7 fresh episodes\n"), "{first}");
    assert!(first.contains("  return  mean "), "{first}");
    assert_eq!(eval(&[]), first);
    assert_ne!(eval(&["--episode-seed", "1"]), first);
    program.run(&["eval", "run", "--episodes", "0"]).error(&["--episodes 0"]);
}

#[test]
fn episodes_become_pictures() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &["env={kind=\"catch\"}", "eval.n_envs=1"]));
    let said = program.succeeds(&["watch", "run", "--episodes", "4"]).stdout;
    let checkpoint = said.split_once(" (").unwrap().0;
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
    // One frame per step and one for the reset; the last frame of an episode is shown longer.
    assert_eq!(delays, [&[25; 9][..], &[120]].concat().repeat(4));
    let (width, height, colours) = png(&picture("png"));
    assert!((width, height) == (1552, 1640) && colours > 20, "{width} x {height}, {colours}");
    program.run(&["watch", "run", "--episodes", "0"]).error(&["--episodes 0", "1 to 20"]);
    program.run(&["watch", "nowhere"]).error(&["there is no nowhere"]);
    program.succeeds(&train("memory", &["env={kind=\"memory\"}"]));
    let texts = ["memory has no renderer", "these environments have one: cartpole, "];
    program.run(&["watch", "memory"]).error(&texts);
}
