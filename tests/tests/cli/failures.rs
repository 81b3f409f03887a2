//! Failures in the middle of a run: losses that are not finite, full disks, moved directories, closed outputs.
use crate::{BINARY, entries, train};
use nix::sys::signal::Signal;
use rlcore::checkpoint::latest;
use std::process::Command;
use tests::leave_out::left_out;
use tests::program::{Program, stat, until};
use tests::run::newest;

/// The error names the update, its batch, and the newest checkpoint, whose weights are finite.
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
    let eval =
        program.succeeds(&["eval", "run", "--episodes", "2", "--checkpoint", "newest"]).stdout;
    assert!(eval.contains(checkpoint) && !eval.contains("NaN"), "{eval}");
    let none = [&huge[..], &["runner.log_interval_steps=1000"]].concat();
    program.run(&train("other", &none)).error(&["no checkpoint was written before"]);
}

/// Checks that a failing disk left the previous checkpoint, which can be used, and nothing of the next.
fn old_checkpoint_is_intact(program: &Program) {
    let found = entries(&program.path("run/checkpoints"));
    assert_eq!(found, [newest(&program.path("run"))]);
    let eval =
        program.succeeds(&["eval", "run", "--episodes", "2", "--checkpoint", "newest"]).stdout;
    let name = found[0].file_name().unwrap().to_string_lossy();
    assert!(eval.contains(&*name), "{eval}");
}

/// Settings of a run whose checkpoints grow with the replay until one exceeds the limit.
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

/// `ulimit -f` limits the size of files, in blocks of 512 bytes; it needs no privilege. The limit is above the size of the sample
/// block. The program ignores the signal SIGXFSZ, so that the write fails with an error.
#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_old_one() {
    let program = Program::new(BINARY);
    let limited = shell(&program, r#"ulimit -f 800; exec "$0" "$@""#);
    program.spawn(limited).end().error(&["cannot write ", "arrays.safetensors", "File too large"]);
    old_checkpoint_is_intact(&program);
    // Without the limit it goes on from there.
    program.succeeds(&["resume", "run", "--set", "runner.n_steps=30000"]);
}

/// A disk of 600 KiB in a mount namespace, which the kernel may refuse to an unprivileged user. What is left on the disk is copied out.
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
        left_out("this user may not mount a file system", "COLONY_REQUIRE_MOUNT");
        return;
    }
    let script = format!(r#"{mount} && cd disk && "$0" "$@"; code=$?; cp -a run ..; exit $code"#);
    let end = program.spawn(separate(&script)).end();
    end.error(&["the disk is full; free some space", "`--run-dir`"]);
    old_checkpoint_is_intact(&program);
}

/// The error says what happened and where the directory is now, and nothing is written to the old place.
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

/// Standard output and standard error are both full: the program neither panics nor ends with another exit code.
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

/// Other files and directories in `checkpoints/` are neither resumed from, nor deleted, nor an obstacle.
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
    std::fs::rename(newest(&program.path("run")), checkpoints.join("step_000000009998")).unwrap();
    let texts = ["step_000000009998 is damaged", "give the directory that name back"];
    let from = ["resume", "run", "--checkpoint", "run/checkpoints/step_000000009998"];
    program.run(&from).error(&texts);
    program.succeeds(&["resume", "run"]);
}
