//! Runs side by side, each in a child process: this program again, with the hidden command `job`.
//!
//! A child is handed its [`Work`] on standard input and answers on standard output: lines of its run, and between them, marked,
//! how far it is. Its standard error is kept for the case that it fails. The kernel kills it when its parent ends, and its workers
//! with it. A signal that asks the parent to stop is passed on; a terminal's Ctrl-C reaches a child twice, which is the same as once.
use super::screen::Screen;
use super::work::Work;
use crate::program::Program;
use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use runners::{Stop, signals};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Before a line that says how far the run is.
const STATUS: char = '\u{1}';
/// Between two looks at what the children do.
const LOOK: Duration = Duration::from_millis(50);
/// What a child that has ended may have said and is not read yet comes within this time.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    work: Work,
    /// Process id of the parent.
    parent: i32,
}

/// Arguments of `job`.
#[derive(Debug, Args)]
pub(in crate::commands) struct JobArgs {
    /// The run's directory, for people who look at the list of processes.
    _run: PathBuf,
}

impl JobArgs {
    /// The child's side.
    pub(in crate::commands) fn run(program: &Program) -> Result<i32> {
        let mut order = Vec::new();
        std::io::stdin().read_to_end(&mut order)?;
        let order: Order = rlcore::exact::from_bytes(&order)
            .context("`job` is how `train --jobs` starts its runs: use `train`")?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        ensure!(getppid().as_raw() == order.parent, "the process that started this run is gone");
        signals::listen_patiently()?;
        let mut runner = order.work.runner(program)?;
        runner.console().show_elsewhere(|done, text| {
            // A parent that reads no more is about to end this process.
            let _ = writeln!(std::io::stdout(), "{STATUS}{done} {text}");
        });
        Ok(match runner.run()?.stop {
            Stop::Signal(signal) => signals::exit_code(signal),
            _ => 0,
        })
    }
}

/// What came from a child.
enum Said {
    Status(f64, String),
    Line(String),
    Error(String),
    /// One of its two streams has ended.
    Closed,
}

struct Job {
    work: usize,
    child: Child,
    /// Its last words on standard error.
    error: String,
    open: u8,
    ended: Option<(ExitStatus, Instant)>,
}

/// A failure of the parent leaves no child behind.
impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes all runs, at most `jobs` at a time, until they have ended or a signal comes. The value: runs that failed, by their place in
/// `works`, and why.
pub(super) fn side_by_side(
    works: &[&Work],
    jobs: usize,
    screen: &mut Screen,
) -> Result<Vec<(usize, String)>> {
    let (tell, hear) = channel();
    let mut waiting: VecDeque<usize> = (0..works.len()).collect();
    let (mut running, mut failed): (Vec<Job>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    let mut passed_on = false;
    loop {
        let signal = signals::caught();
        if let Some(signal) = signal
            && !passed_on
        {
            passed_on = true;
            screen.stopping(running.len());
            for job in &running {
                // One that has just ended needs no signal.
                let _ = kill(Pid::from_raw(job.child.id() as i32), Signal::try_from(signal)?);
            }
        }
        while signal.is_none() && running.len() < jobs {
            let Some(next) = waiting.pop_front() else { break };
            screen.begun(works[next].seed, &works[next].dir);
            running.push(start(next, works[next], &tell)?);
        }
        if running.is_empty() {
            return Ok(failed);
        }
        listen(&hear, &mut running, works, screen);
        let is_over =
            |job: &Job| job.ended.is_some_and(|(_, at)| job.open == 0 || at.elapsed() > LAST_WORDS);
        for job in running.iter_mut().filter(|j| j.ended.is_none()) {
            job.ended = job.child.try_wait()?.map(|status| (status, Instant::now()));
        }
        while let Some(i) = running.iter().position(is_over) {
            let job = running.swap_remove(i);
            let Some((status, _)) = job.ended else { continue };
            let why = failure(status, &job.error, signal);
            screen.ended(works[job.work], why.as_deref());
            failed.extend(why.map(|why| (job.work, why)));
        }
    }
}

fn start(index: usize, work: &Work, tell: &Sender<(usize, Said)>) -> Result<Job> {
    let name = std::env::args_os().next().unwrap_or_else(|| "experiments".into());
    // The program as it is now, even where its file was replaced since.
    let mut child = Command::new("/proc/self/exe")
        .arg0(name)
        .arg("job")
        .arg(&work.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start a process for a run")?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let job = Job { work: index, child, error: String::new(), open: 2, ended: None };
    let order = Order { work: work.clone(), parent: std::process::id() as i32 };
    // A child that ends before it has read is seen to have ended.
    let order = rlcore::exact::to_bytes(&order).context("an order is JSON")?;
    let _ = stdin.context("standard input is a pipe")?.write_all(&order);
    forward(index, out.context("standard output is a pipe")?, tell.clone(), said);
    forward(index, err.context("standard error is a pipe")?, tell.clone(), Said::Error);
    Ok(job)
}

fn said(line: String) -> Said {
    let status = line.strip_prefix(STATUS).and_then(|l| l.split_once(' '));
    match status.and_then(|(done, text)| Some((done.parse().ok()?, text.to_owned()))) {
        Some((done, text)) => Said::Status(done, text),
        None => Said::Line(line),
    }
}

/// Passes a stream on line by line, in a thread of its own.
fn forward(
    index: usize,
    stream: impl Read + Send + 'static,
    tell: Sender<(usize, Said)>,
    said: fn(String) -> Said,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if tell.send((index, said(line))).is_err() {
                return;
            }
        }
        let _ = tell.send((index, Said::Closed));
    });
}

/// Takes in what the children have said, for a moment.
fn listen(
    hear: &Receiver<(usize, Said)>,
    running: &mut [Job],
    works: &[&Work],
    screen: &mut Screen,
) {
    let began = Instant::now();
    while let Ok((index, said)) = hear.recv_timeout(LOOK.saturating_sub(began.elapsed())) {
        let seed = works[index].seed;
        let Some(job) = running.iter_mut().find(|j| j.work == index) else { continue };
        match said {
            Said::Status(done, text) => screen.status(seed, done, text),
            Said::Line(text) => screen.line(seed, &text),
            // The error comes last; before it there may be a panic's report.
            Said::Error(text) if text.starts_with("error: ") || job.error.is_empty() => {
                job.error = text;
            }
            Said::Error(_) => {}
            Said::Closed => job.open -= 1,
        }
    }
}

/// Why a child failed; none where its run has ended in order, or was stopped because of `signal`.
fn failure(status: ExitStatus, error: &str, signal: Option<i32>) -> Option<String> {
    let stopped = status.signal().or(status.code().map(|code| code - 128));
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        // Also one that had not begun to listen.
        _ if signal.is_some() && stopped == signal => None,
        (_, Some(by)) => {
            let name = Signal::try_from(by).map_or("unknown", Signal::as_str);
            Some(format!("its process was killed by signal {by} ({name})"))
        }
        (Some(code), None) if error.is_empty() => {
            Some(format!("its process ended with exit code {code}"))
        }
        _ => Some(error.trim_start_matches("error: ").to_owned()),
    }
}
