//! The command line as its users meet it: mistakes that say what to write instead and leave nothing behind, and what goes wrong
//! in the midst of a run.
#![allow(missing_docs, clippy::unwrap_used)]
use clap::CommandFactory;
use experiments::commands::Cli;
use nix::sys::signal::Signal;
use rlcore::checkpoint::latest;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::program::{Program, stat, until};

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// A run of a moment.
const SHORT: [&str; 10] = [
    "sampler.t=8",
    "sampler.b=4",
    "algo.batch_size=16",
    "algo.min_steps_learn=300",
    "agent.model.hidden=[16]",
    "eval.n_envs=2",
    "eval.n_episodes=2",
    "runner.log_interval_steps=128",
    "runner.n_steps=512",
    "runner.stop_return=",
];

fn train(dir: &str, more: &[&str]) -> Vec<String> {
    let mut args: Vec<String> = ["train", "cartpole-dqn", "--run-dir", dir].map(Into::into).into();
    for set in SHORT.iter().chain(more) {
        args.extend(["--set".to_owned(), (*set).to_owned()]);
    }
    args
}

fn is_empty(dir: &Path) -> bool {
    entries(dir).is_empty()
}

fn newest(run: &Path) -> PathBuf {
    latest(&run.join("checkpoints")).unwrap().expect("a checkpoint")
}

/// Each `--set`, and what its refusal says.
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
    ("runner.stop_return=nan", &["runner.stop_return", "--set runner.stop_return="]),
    ("time_limit=0", &["time_limit = 0", "--set time_limit="]),
    ("env={kind=\"catch\",rows=1}", &["`rows` is 1", "at least 2"]),
    ("eval_env.kind=catch", &["eval_env", "--set eval_env="]),
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
        (&["train", "cartpole-dqn", "--seeds", "one"], &["--seeds one", "not a number"]),
        (&["train", "cartpole-dqn", "--config", "no.toml"], &["--config no.toml", "No such file"]),
        (&["resume", "runs/none"], &["runs/none is not a run directory"]),
        (&["eval", "runs/none"], &["runs/none is not a run directory"]),
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

/// A run is neither mixed with another nor replaced by a mistake.
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
    // In order: the last word counts.
    let twice = ["--set", "runner.stop_return=", "--set", "runner.stop_return=3"];
    assert!(shown(&twice).contains("stop_return = 3.0"));
}

/// Every command says what each of its options is for.
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
        for sub in command.get_subcommands() {
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

/// The error names the update, its batch, and the checkpoint from before, which is sound.
#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let program = Program::new(BINARY);
    // After one step of this size, a deep network's values square to infinity.
    let huge = [
        "algo.learning_rate=1e3",
        "algo.delta_clip=1e38",
        "agent.model.hidden=[64,64,64,64,64,64]",
        "runner.n_steps=100000",
    ];
    let checkpoint = "run/checkpoints/step_000000000256";
    let last = format!("the last checkpoint is {checkpoint}");
    let texts = ["of update ", "batch of 16 drawn after ", "lower algo.learning_rate", &last];
    let end = program.run(&train("run", &huge)).code(1);
    assert_eq!(end.stderr.matches(" of update ").count(), 1, "said twice: {}", end.stderr);
    end.error(&texts);
    let log = std::fs::read_to_string(program.path("run/log.txt")).unwrap();
    assert!(log.contains("error: the ") && log.contains(&last), "{log}");
    let eval = program.succeeds(&["eval", "run", "--episodes", "2"]).stdout;
    assert!(eval.contains(checkpoint) && !eval.contains("NaN"), "{eval}");
    let none = [&huge[..], &["runner.log_interval_steps=1000"]].concat();
    program.run(&train("other", &none)).error(&["no checkpoint was written before"]);
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect()
}

/// What a failing disk leaves: one checkpoint from before, which can be used, and nothing of the next.
fn old_checkpoint_is_intact(program: &Program) {
    let found = entries(&program.path("run/checkpoints"));
    assert_eq!(found, [newest(&program.path("run"))]);
    let eval = program.succeeds(&["eval", "run", "--episodes", "2"]).stdout;
    let name = found[0].file_name().unwrap().to_string_lossy();
    assert!(eval.contains(&*name), "{eval}");
}

/// Checkpoints grow with the replay until one does not fit.
const GROWING: [&str; 5] = [
    "runner.evaluate=false",
    "algo.replay_ratio=0.1",
    "runner.n_steps=1000000",
    "runner.log_interval_steps=5000",
    "runner.keep_checkpoints=1",
];

fn shell(program: &Program, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program.binary()).args(train("run", &GROWING));
    command
}

/// A limit on the size of files, which needs no privilege: in blocks of 512 bytes, above the sample block's size. The signal that comes
/// with it is ignored.
#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_old_one() {
    let program = Program::new(BINARY);
    let limited = shell(&program, r#"ulimit -f 800; exec "$0" "$@""#);
    program.spawn(limited).end().error(&["cannot write ", "arrays.safetensors", "File too large"]);
    old_checkpoint_is_intact(&program);
    // Without the limit it goes on from there.
    program.succeeds(&["resume", "run", "--set", "runner.n_steps=30000"]);
}

/// A disk of 600 KiB in a name space of its own, which the kernel may refuse to a user; what is left on it is copied out.
#[test]
fn a_full_disk_leaves_the_old_checkpoint() {
    let program = Program::new(BINARY);
    let mount = "mkdir disk && mount -t tmpfs -o size=600k none disk";
    let separate = |script: &str| {
        let (mut command, inner) = (Command::new("unshare"), shell(&program, script));
        command.arg("-Urm").arg(inner.get_program()).args(inner.get_args());
        command
    };
    let permitted = Command::new("unshare")
        .args(["-Urm", "sh", "-c", mount])
        .current_dir(tempfile::tempdir().unwrap().path())
        .output();
    if !permitted.is_ok_and(|out| out.status.success()) {
        println!("note: this user may not mount: only limits on the size of files were tried");
        return;
    }
    let script = format!(r#"{mount} && cd disk && "$0" "$@"; code=$?; cp -a run ..; exit $code"#);
    let end = program.spawn(separate(&script)).end();
    end.error(&["the disk is full; free some space", "`--run-dir`"]);
    old_checkpoint_is_intact(&program);
}

/// What went wrong, where the directory is now, and nothing written where it was.
#[test]
fn a_run_directory_that_is_moved_or_deleted_ends_the_run() {
    let endless = ["runner.n_steps=1000000000", "runner.evaluate=false"];
    for (how, gone) in [("mv", "run was moved to "), ("rm", "run was deleted while the run")] {
        let program = Program::new(BINARY);
        let mut run = program.start(&train("run", &endless));
        let (dir, moved) = (program.path("run"), program.path("moved"));
        run.until("a checkpoint", || latest(&dir.join("checkpoints")).unwrap().is_some());
        if how == "mv" {
            std::fs::rename(&dir, &moved).unwrap();
        } else {
            run.signal(Signal::SIGSTOP);
            until("it stands still", || stat(run.pid()).is_some_and(|(state, _)| state == 'T'));
            std::fs::remove_dir_all(&dir).unwrap();
            run.signal(Signal::SIGCONT);
        }
        let end = run.end();
        assert!(!dir.exists(), "{how}: written anew");
        if how == "mv" {
            let moved = moved.canonicalize().unwrap();
            end.error(&[gone, &moved.display().to_string(), "`resume "]);
            let more = ["resume", "moved", "--set", "runner.n_steps=512"];
            program.succeeds(&more);
        } else {
            end.error(&[gone, "start it again"]);
        }
    }
}

/// Nobody can read it, and that is no reason to panic.
#[test]
fn output_that_cannot_be_written_changes_no_exit_code() {
    let program = Program::new(BINARY);
    let run = |args: &str| {
        let mut command = Command::new("sh");
        let script = format!(r#""$0" {args} >/dev/full 2>/dev/full"#);
        command.args(["-c", &script]).arg(program.binary());
        program.spawn(command).end()
    };
    let _ = run("list").code(0);
    let _ = run("train no-such-preset").code(1);
    let _ = run(&train("run", &[]).join(" ")).code(0);
    let _ = run("plot run run").code(0);
    let _ = run("eval run --episodes 2").code(0);
}

/// Neither what is continued, nor deleted, nor in the way.
#[test]
fn other_things_among_the_checkpoints_are_left_alone() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let checkpoints = program.path("run/checkpoints");
    let before = newest(&program.path("run"));
    std::fs::write(checkpoints.join("step_000000009999"), "a file").unwrap();
    let large = checkpoints.join("step_18446744073709551615");
    std::fs::create_dir(&large).unwrap();
    let resumed = program.succeeds(&["resume", "run", "--set", "runner.n_steps=1024"]).stdout;
    let name = before.file_name().unwrap().to_str().unwrap();
    assert!(resumed.contains(&format!("resumed from run/checkpoints/{name} at 512")), "{resumed}");
    assert!(checkpoints.join("step_000000009999").is_file() && large.is_dir());
    // A checkpoint under another's name.
    std::fs::remove_dir(&large).unwrap();
    std::fs::rename(newest(&program.path("run")), &large).unwrap();
    let texts = ["step_18446744073709551615 is damaged", "give the directory that name back"];
    let from = ["resume", "run", "--checkpoint", "run/checkpoints/step_18446744073709551615"];
    program.run(&from).error(&texts);
    program.succeeds(&["resume", "run"]);
}
