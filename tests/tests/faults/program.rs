//! Programs for tests that need a process of their own: this executable again, with arguments that `main` passes to
//! [`crate::scenarios`] before the test harness sees them.
use crate::processes::{SOON, all_gone, children, until};
use libtest_mimic::Failed;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// First argument of such a program.
pub(crate) const FLAG: &str = "scenario";

/// Time limit for what precedes a fault: loading libtorch, the first batch.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program in a process group of its own; killed when dropped.
pub(crate) struct Program {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// How a program ended.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Ignored: the test may have stopped reading.
            let _ = send.send(line);
        }
    });
    receive
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Failed> {
        // A test run in the background may have inherited ignored signals.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,HUP,TERM").arg(std::env::current_exe()?);
        command.arg(FLAG).args(arguments).stdin(Stdio::null()).process_group(0);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("a program without pipes".into());
        };
        Ok(Self { child, out: lines(out), err: lines(err) })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The rest of the next line that starts with `word`.
    pub(crate) fn says(&mut self, word: &str) -> Result<String, Failed> {
        loop {
            let Ok(line) = self.out.recv_timeout(PATIENCE) else {
                let said: Vec<String> = self.err.try_iter().collect();
                return Err(format!("never said `{word}`: {}", said.join("\n")).into());
            };
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// Process ids of the program's fork server and workers, once there are `workers` workers.
    pub(crate) fn family(&self, workers: usize) -> Result<(i32, Vec<i32>), Failed> {
        let mut found = (0, vec![]);
        until("workers of the program", PATIENCE, || {
            let servers = children(self.pid());
            found = servers.first().map_or((0, vec![]), |s| (*s, children(*s)));
            found.1.len() >= workers
        })?;
        Ok(found)
    }

    /// Waits for its end, and for the end of every process that could write to its output, until `limit` after `event`.
    pub(crate) fn end(mut self, event: Instant, limit: Duration) -> Result<End, Failed> {
        let mut status = None;
        until("the end of the program", limit.saturating_sub(event.elapsed()), || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })?;
        let mut stderr = String::new();
        let silent_by = Instant::now() + SOON;
        loop {
            match self.err.recv_timeout(silent_by.saturating_duration_since(Instant::now())) {
                Ok(line) => stderr = stderr + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err("somebody outlives the program: its standard error is open".into());
                }
            }
        }
        let status = status.ok_or("ended without a status")?;
        Ok(End { status, stderr })
    }

    /// As [`Program::end`], and checks that it failed: exit code 1, this text, and none of `pids` left.
    pub(crate) fn fails(
        self,
        event: Instant,
        limit: Duration,
        texts: &[&str],
        pids: &[i32],
    ) -> Result<(), Failed> {
        let end = self.end(event, limit)?;
        if end.status.code() != Some(1) {
            return Err(format!("{}: {}", end.status, end.stderr).into());
        }
        for text in texts {
            if !end.stderr.contains(text) {
                return Err(format!("`{text}` is not in: {}", end.stderr).into());
            }
        }
        all_gone(pids)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
