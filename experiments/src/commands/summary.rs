//! What a command says at its end: how it went, where everything lies, what to do next. Fits 80 columns where paths are short.
use super::saved_run::watchable;
use crate::program::Program;
use console::style;
use runners::{Outcome, Stop, WEIGHTS_FILE};
use std::path::{Path, PathBuf};

/// What for, and the command as it can be copied.
pub(super) type Next = (&'static str, String);

/// How training ended, after an empty line.
pub(super) fn headline(outcome: &Outcome) {
    let spent = format!(
        "{} steps, {} updates, {:.1} s",
        outcome.env_steps, outcome.updates, outcome.seconds
    );
    let bold = |text: &'static str| style(text).bold();
    crate::say!("");
    match outcome.stop {
        Stop::Return(r) => {
            crate::say!("{} mean return {r:.1} after {spent}", bold("solved:").green());
        }
        Stop::Steps => {
            crate::say!("{} {spent}", bold("the budget (runner.n_steps) is used up:"));
        }
        Stop::Seconds => {
            crate::say!("{} {spent}", bold("the time (runner.stop_seconds) is over:"));
        }
        Stop::Signal(signal) => {
            let stopped = style(format!("stopped by signal {signal}")).bold();
            crate::say!("{stopped} after {spent}");
        }
    }
}

/// Where the parts of a run lie.
pub(super) fn places(run: &Path, outcome: &Outcome) {
    let within = |path: &Path| format!("{}/", path.strip_prefix(run).unwrap_or(path).display());
    line("the run", &format!("{}/", run.display()));
    line("", "progress.csv  log.txt  config.toml  events.out.tfevents.*");
    let newest = within(&outcome.checkpoint);
    match &outcome.best {
        Some((path, r)) if *path == outcome.checkpoint => {
            line("checkpoint", &format!("{newest} newest and best, return {r:.1}"));
        }
        best => {
            line("newest", &newest);
            if let Some((path, r)) = best {
                line("best", &format!("{} return {r:.1}", within(path)));
            }
        }
    }
    line("the weights", &format!("{WEIGHTS_FILE} in a checkpoint"));
}

/// Commands to go on with.
pub(super) fn next(commands: &[Next]) {
    crate::say!("{}", style("try next").bold());
    for (what, command) in commands {
        line(what, command);
    }
}

/// A command of this program, called as it was called.
pub(super) fn ours(arguments: &str) -> String {
    format!("{} {arguments}", std::env::args().next().unwrap_or_else(|| "experiments".into()))
}

/// An argument as a shell takes it.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

/// The commands that show what became of `runs`, all of them in the directory `above` or it itself.
pub(super) fn looks(program: &Program, runs: &[PathBuf], above: &Path) -> Vec<Next> {
    let all: Vec<String> = runs.iter().map(|r| quoted(&r.display().to_string())).collect();
    let mut looks = vec![("draw it", ours(&format!("plot {}", all.join(" "))))];
    if watchable(program, &runs[0]) {
        looks.push(("watch it", ours(&format!("watch {}", all[0]))));
    }
    let above = quoted(&above.display().to_string());
    looks.push(("TensorBoard", format!("tensorboard --logdir {above}")));
    looks
}

fn line(name: &str, text: &str) {
    crate::say!("  {name:<13}{text}");
}
