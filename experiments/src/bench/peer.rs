//! A Python program of `scripts/peers` as a contender. It works from a line `run SECONDS` until it answers, and sleeps otherwise.
//! `scripts/peers/peer.py` describes the line protocol.
use super::measure::Contender;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Limit on a program's start: it imports packages from a cold disk and searches for its fastest settings.
const START: Duration = Duration::from_secs(300);

/// How much longer than requested a window may take, because PPO finishes its iteration.
const SLACK: Duration = Duration::from_secs(180);

/// The root of the checkout, which contains the programs.
fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the workspace")
}

fn script(name: &str) -> PathBuf {
    checkout().join("scripts/peers").join(format!("{name}.py"))
}

/// The interpreter that peers run in.
#[derive(Debug)]
pub(super) struct Python {
    program: PathBuf,
    /// Versions of the interpreter and the packages.
    pub(super) versions: String,
}

impl Python {
    /// The interpreter `program`, or the one that `make peers` installs.
    ///
    /// # Errors
    /// Packages that the interpreter lacks.
    pub(super) fn find(program: Option<PathBuf>) -> Result<Self> {
        let program = program.unwrap_or_else(|| checkout().join("target/peers/python"));
        let repair = "run `make peers`, or name a Python that has the packages of scripts/peers/requirements.txt with --python";
        let out = Command::new(&program).arg(script("versions")).output();
        let out = out.with_context(|| format!("{}: {repair}", program.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        ensure!(out.status.success(), "{}: {repair}", text(&out.stderr));
        Ok(Self { program, versions: text(&out.stdout) })
    }
}

/// A running program. It is ended when this value is dropped, and ends by itself when its input ends.
struct Peer {
    name: String,
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
}

impl Peer {
    fn start(name: &str, command: &mut Command) -> Result<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.with_context(|| format!("starting {command:?}"))?;
        let output = process.stdout.take().expect("it was asked for");
        let (send, lines) = channel();
        // A thread reads the output and sends the lines through a channel, because a read of a pipe has no time limit. It ends with
        // the program's output.
        std::thread::spawn(move || {
            BufReader::new(output).lines().try_for_each(|line| send.send(line))
        });
        Ok(Self { name: name.to_owned(), input: process.stdin.take(), process, lines })
    }

    fn line(&mut self, limit: Duration) -> Result<String> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line.with_context(|| format!("reading from peer {}", self.name))?),
            Err(RecvTimeoutError::Timeout) => {
                bail!("peer {} said nothing for {} s", self.name, limit.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.wait()?;
                bail!("peer {} ended ({status}); what it wrote stands above", self.name)
            }
        }
    }

    /// Lets the program work for `seconds`; returns its environment steps.
    fn run(&mut self, seconds: Duration) -> Result<u64> {
        let input = self.input.as_mut().expect("open until the peer is dropped");
        // If the program has ended, `line` reports that with its exit status.
        let _ = writeln!(input, "run {}", seconds.as_secs_f64());
        let line = self.line(seconds + SLACK)?;
        let steps = line.split(' ').next().and_then(|s| s.parse().ok());
        steps.with_context(|| format!("peer {} answered {line:?}", self.name))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input = None;
        // Both fail only if the program has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the program `name` and waits until it is ready for windows of this length.
pub(super) fn peer(python: &Python, name: &str, window: Duration) -> Result<Contender> {
    let mut command = Command::new(&python.program);
    command.args(["-W", "ignore"]).arg(script(name));
    // One thread per library, as on our side. A program that is faster with more threads sets their number itself.
    command.env("OMP_NUM_THREADS", "1").env("MKL_NUM_THREADS", "1");
    let mut peer = Peer::start(name, &mut command)?;
    let line = peer.line(START)?;
    let about = line.strip_prefix("ready ");
    let about = about.with_context(|| format!("peer {name} said {line:?} instead of ready"))?;
    let about = format!("{name}: {about}");
    let pids = vec![peer.process.id() as i32];
    Ok(Contender::new(about, pids, move || peer.run(window)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Peer {
        Peer::start("shell", Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn steps_are_what_the_peer_answers() {
        let mut peer = shell("while read run seconds; do echo 12$seconds 0.1 0.1; done");
        assert_eq!(peer.run(Duration::from_secs(3)).unwrap(), 123);
        assert_eq!(peer.run(Duration::from_secs(4)).unwrap(), 124);
    }

    #[test]
    fn a_peer_that_ends_or_babbles_is_an_error_that_names_it() {
        let ended = shell("exit 7").run(Duration::from_secs(1)).unwrap_err().to_string();
        assert!(ended.contains("shell") && ended.contains('7'), "{ended}");
        let babble = shell("read line; echo none; read line").run(Duration::from_secs(1));
        assert!(babble.unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn missing_packages_name_the_repair() {
        for program in ["/nowhere/python", "false"] {
            let error = Python::find(Some(program.into())).unwrap_err();
            assert!(format!("{error:#}").contains("make peers"), "{error:#}");
        }
    }
}
