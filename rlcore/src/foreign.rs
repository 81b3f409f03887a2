//! Programs in other languages that step a slice of columns: the Rust handle of a program, and the protocol.
//!
//! The program maps the segment that holds the block, reads actions from it, and writes observations, rewards and flags into it;
//! no sample is copied on the way. A user's slice is a [`MakeSlice`](crate::factory::MakeSlice) whose `make` starts a [`Program`]
//! and wraps it in a [`ForeignSlice`]; several programs of one worker step at the same time. `tests/tests/seam/toy.py` is a
//! complete program that needs only Python's standard library.
//!
//! # Protocol, version 1
//!
//! **Start.** The program finds the number of an open descriptor in the environment variable `COLONY_SOCKET`: a Unix stream
//! socket on which both sides write JSON objects, one per line. The first line is the hello:
//!
//! ```json
//! {"version": 1, "parent": 4711, "settings": {...}, "segment": 5, "manifest": {...}, "columns": [4, 8], "env_ranks": [4, 5, 6, 7]}
//! ```
//!
//! `segment` is the number of an open descriptor, to be mapped shared with `manifest.bytes` bytes; `columns` are those of the block
//! that the program steps, `env_ranks` the numbers of its environments. The `manifest` is described in [`crate::manifest`]: the
//! words of a door by name, and dtype, shape, lead and offset of every leaf. An example, of which only the spaces are wanted, gets
//! `"segment": null, "manifest": null`, and `columns` and `env_ranks` of one environment. The program constructs its environments
//! and answers with `{"spaces": {...}}`, the JSON of [`crate::env::EnvSpaces`].
//!
//! **Orders.** The slice talks through `doors[columns[0]]`. It posts the wake word `ask`; the program waits for it and reads `op`:
//!
//! - `op` = 1, a message: read a line from the socket, carry it out, answer with a line on the socket. A program without a segment
//!   reads the next line at once. Columns count from the program's first.
//!
//!   | line | answer |
//!   |---|---|
//!   | `{"do": "reset", "column": c, "seed": n or null, "slot": s, "row": r}`: where there is a seed, seed first; write the observation to row `r` of slot `s` | `{}` |
//!   | `{"do": "save"}` | `{"states": ["00ff...", null, ...]}`: hexadecimal bytes by column, null where it cannot be saved |
//!   | `{"do": "load", "column": c, "state": "00ff..."}` | `{}` |
//!   | `{"do": "notes"}` | `{"notes": [[c, "text"], ...]}`; each note is sent once |
//!   | `{"do": "error"}`, after a failed step | `{"error": "text", "column": c}` |
//!   | `{"do": "close"}` | `{}`, then the program exits with code 0 |
//!
//!   Any order may be answered with `{"error": "text", "column": c}`, which ends the slice.
//! - `op` = 2, a step: with `slot` and `row` = t, step every column whose `valid` flag in row t is not zero. Read its action from
//!   row t; write the observation to row t + 1, and reward, `terminated`, `truncated`, `reset` and info to row t (which are zero
//!   before). Where an episode is truncated and not terminated, write its last observation to row `final_used` of
//!   `final_observation` too, with `final_used` from the door of that column. Where
//!   `reset` is set: keep the environment's notes, and where `mode` = 0 reset it and write the new observation to row t + 1. Then
//!   store `failed` (1 where an environment failed; say why when asked) and `notes` (how many there are) and post `answer`.
//!
//! Before every call of an environment store `progress`: the number of calls so far times 2^24, plus the column.
//!
//! **Wake words** are pairs of 32-bit words `seq` and `sleepers`, on shared futexes (`FUTEX_WAIT`, `FUTEX_WAKE` without
//! `FUTEX_PRIVATE_FLAG`).
//!
//! - To post (each word has one poster): store what is handed over; store `seq + 1` with release ordering, in one 32-bit store;
//!   full fence; where `sleepers` is not zero, `FUTEX_WAKE` all waiters of `seq`. A language without fences calls `FUTEX_WAKE` every
//!   time: the system call is the fence.
//! - To wait until `seq` differs from the last value seen: read it, with acquire ordering, as often as seems worthwhile. To sleep:
//!   `sleepers += 1` (atomically; the one waiter of a door may store 1), full fence, `FUTEX_WAIT` on `seq` with the last one seen and
//!   a time-out of some 100 ms, `sleepers -= 1`, read again. After a time-out check that the parent lives.
//!
//! **Ends.** A program whose parent is gone exits; the kernel also kills it when the parent ends. It ignores SIGINT,
//! SIGTERM and SIGHUP, so that the master can end in order. It inherits the standard output and error of the worker.
//!
//! Unsafe here: three system calls of the child between fork and exec.
mod slice;
mod start;

pub use self::slice::ForeignSlice;
use crate::door::{Door, DoorOp};
use crate::env::{EnvContext, EnvError, EnvSpaces};
use crate::factory::SlicePlace;
use crate::manifest::SharedMemory;
use crate::patience::Patience;
use crate::slice::{BlockRow, ResetMode, SliceError, Ticks};
use crate::stopwatch::Stopwatch;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Version of this protocol.
pub const VERSION: u32 = 1;

/// The environment variable that holds the number of the socket's descriptor.
pub const SOCKET: &str = "COLONY_SOCKET";

/// How often a waiting slice checks that its program lives.
const LOOK: Duration = Duration::from_millis(20);

/// How long a program may take to exit after `close` before it is killed.
const FAREWELL: Duration = Duration::from_secs(2);

/// The handle of a running program. Dropping it kills the program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    name: String,
    socket: UnixStream,
    /// Bytes that were received and do not yet form a complete line.
    received: Vec<u8>,
    /// Doors of all columns of the slice; empty for an example.
    doors: &'static [Door],
    /// Last value of `answer` that was seen.
    answered: u32,
    /// Last value of the program's progress word that was passed on to the worker's.
    told: u64,
    patience: Patience,
    /// Set by [`Program::begin_close`]: the time until which its end is waited for.
    closing: Option<Instant>,
    /// Longest time without progress before an error is returned.
    limit: Duration,
    spaces: EnvSpaces,
}

impl Program {
    /// Starts a program, and waits until it has constructed its environments. `settings` are sent in the first line. `limit` is the
    /// longest time without progress; progress is an answer or a change of the progress word.
    pub fn start(
        command: Command,
        settings: Value,
        contexts: &[EnvContext],
        place: &SlicePlace,
        ticks: Ticks<'_>,
        limit: Duration,
    ) -> Result<Self, SliceError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let cannot = |e: std::io::Error| {
            SliceError::new(0, EnvError::new(format!("starting the program {name}: {e}")))
        };
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        let memory = place.memory.as_ref();
        let segment = memory.map(descriptor).transpose().map_err(cannot)?;
        let segment_fd = segment.as_ref().map(AsRawFd::as_raw_fd);
        // Progress, so that the start-up times of several programs do not add up.
        ticks.tick(0);
        let child = start::start(command, theirs, segment).map_err(cannot)?;
        let doors = memory.map_or(&[][..], |m| m.manifest.doors(m.segment));
        let doors = doors.get(place.columns.clone()).unwrap_or_default();
        let answered = doors.first().map_or(0, |door| door.answer.current());
        let spaces = EnvSpaces::new(crate::Space::Tuple(vec![]), crate::Space::Tuple(vec![]));
        let mut program = Self {
            child,
            name: name.clone(),
            socket: ours,
            received: Vec::new(),
            doors,
            answered,
            told: doors.first().map_or(0, |door| door.progress.stamp()),
            patience: Patience::default(),
            closing: None,
            limit,
            spaces,
        };
        let hello = json!({
            "version": VERSION,
            "parent": std::process::id(),
            "settings": settings,
            "segment": segment_fd,
            "manifest": memory.map(|m| m.manifest.to_json()),
            "columns": [place.columns.start, place.columns.start + contexts.len()],
            "env_ranks": contexts.iter().map(|c| c.env_rank.0).collect::<Vec<_>>(),
        });
        match program.greet(&hello, ticks) {
            Ok(spaces) => {
                program.spaces = spaces;
                Ok(program)
            }
            Err(error) => Err(SliceError::new(program.column(), error)),
        }
    }

    fn greet(&mut self, hello: &Value, ticks: Ticks<'_>) -> Result<EnvSpaces, EnvError> {
        self.send(hello)?;
        let answer = self.receive(ticks)?;
        field(&self.name, &answer, "spaces")
    }

    /// Spaces of each environment, as the program said at its start.
    pub fn spaces(&self) -> &EnvSpaces {
        &self.spaces
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The column whose environment was called last.
    pub fn column(&self) -> usize {
        self.doors.first().filter(|d| d.progress.stamp() != 0).map_or(0, |d| d.progress.column())
    }

    /// Sends a message and waits for its answer; returns an error if the program reports one, ends, or makes no progress.
    pub fn ask(&mut self, message: &Value, ticks: Ticks<'_>) -> Result<Value, EnvError> {
        self.send(message)?;
        if let Some(door) = self.doors.first() {
            door.order(DoorOp::Message);
        }
        self.receive(ticks)
    }

    /// Orders a step. `final_used` returns the value for each column, see [`crate::door`].
    pub fn begin_step(
        &mut self,
        at: BlockRow,
        mode: ResetMode,
        final_used: impl Fn(usize) -> usize,
    ) -> Result<(), EnvError> {
        let Some(door) = self.doors.first() else {
            return Err(EnvError::new(format!(
                "the program {} was started without shared memory: it cannot step",
                self.name
            )));
        };
        for (column, door) in self.doors.iter().enumerate() {
            door.set_final_used(final_used(column));
        }
        door.order_step(at, mode);
        Ok(())
    }

    /// Waits until the step is done; returns the number of notes that the program holds.
    pub fn end_step(&mut self, ticks: Ticks<'_>) -> Result<u32, EnvError> {
        let door = &self.doors[0];
        let mut idle = Stopwatch::start();
        loop {
            if let Some(now) = door.answer.wait(self.answered, &mut self.patience, LOOK) {
                self.answered = now;
                break;
            }
            self.look(&mut idle, ticks)?;
        }
        self.pass_on(ticks);
        let (failed, notes) = door.reply();
        if failed {
            self.ask(&json!({"do": "error"}), ticks)?;
            return Err(EnvError::new("the program failed in a step and gave no reason"));
        }
        Ok(notes)
    }

    /// Asks the program to end without waiting for it, so that several programs can be asked before [`Program::close`] waits for the
    /// first.
    pub fn begin_close(&mut self) {
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(Instant::now() + FAREWELL);
        if self.write(&json!({"do": "close"})).is_ok()
            && let Some(door) = self.doors.first()
        {
            door.order(DoorOp::Message);
        }
    }

    /// Asks the program to end, unless [`Program::begin_close`] has, and waits for its end, at most two seconds since it was asked. A
    /// program that still runs is killed when this handle is dropped.
    pub fn close(&mut self) {
        self.begin_close();
        if let Some(until) = self.closing {
            self.gone_by(until);
        }
    }

    fn gone_by(&mut self, until: Instant) {
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn write(&mut self, message: &Value) -> std::io::Result<()> {
        let line = format!("{message}\n");
        self.socket.set_write_timeout(Some(self.limit))?;
        self.socket.write_all(line.as_bytes())
    }

    fn send(&mut self, message: &Value) -> Result<(), EnvError> {
        self.write(message).map_err(|e| self.ended(&e))
    }

    fn receive(&mut self, ticks: Ticks<'_>) -> Result<Value, EnvError> {
        let mut idle = Stopwatch::start();
        let line = loop {
            if let Some(end) = self.received.iter().position(|b| *b == b'\n') {
                break self.received.drain(..=end).collect::<Vec<u8>>();
            }
            if !self.readable() {
                self.look(&mut idle, ticks)?;
                continue;
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(self.ended(&std::io::Error::other("it closed its socket"))),
                Ok(n) => self.received.extend(&bytes[..n]),
                Err(e) => return Err(self.ended(&e)),
            }
        };
        self.pass_on(ticks);
        let answer: Value = serde_json::from_slice(&line).map_err(|e| {
            let line = String::from_utf8_lossy(&line);
            EnvError::new(format!("the program {} answered {line:?}: {e}", self.name))
        })?;
        match answer.get("error").and_then(Value::as_str) {
            Some(text) => Err(EnvError::new(text)),
            None => Ok(answer),
        }
    }

    fn readable(&self) -> bool {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, PollTimeout::from(LOOK.as_millis() as u16)), Ok(n) if n > 0)
    }

    /// Passes the program's progress on to the worker's progress word. Returns whether it has made progress since the last call.
    fn pass_on(&mut self, ticks: Ticks<'_>) -> bool {
        let Some(door) = self.doors.first() else { return false };
        let stamp = door.progress.stamp();
        let moved = stamp != self.told;
        if moved {
            self.told = stamp;
            ticks.tick(door.progress.column());
        }
        moved
    }

    /// Passes the program's progress on; returns an error if the program has ended or makes no progress. `idle` measures the time since
    /// its last progress.
    fn look(&mut self, idle: &mut Stopwatch, ticks: Ticks<'_>) -> Result<(), EnvError> {
        if self.pass_on(ticks) {
            *idle = Stopwatch::start();
        }
        if !matches!(self.child.try_wait(), Ok(None)) {
            return Err(self.ended(&std::io::Error::other("it is gone")));
        }
        let seconds = idle.look();
        let limit = self.limit.as_secs_f64();
        if seconds > limit {
            let (name, pid) = (&self.name, self.pid());
            return Err(EnvError::new(format!(
                "the program {name} (pid {pid}) has made no progress for {seconds:.1} s (it was started with a limit of {limit} s)"
            )));
        }
        Ok(())
    }

    /// The error for a broken socket or an ended process, with its exit status.
    fn ended(&mut self, error: &std::io::Error) -> EnvError {
        let until = Instant::now() + FAREWELL;
        let how = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break format!("ended: {status}"),
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK / 20),
                _ => break format!("still runs, but its socket failed: {error}"),
            }
        };
        EnvError::new(format!("the program {} (pid {}) {how}", self.name, self.pid()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.gone_by(Instant::now() + FAREWELL);
    }
}

fn descriptor(memory: &SharedMemory) -> std::io::Result<OwnedFd> {
    memory.segment.fd().ok_or_else(|| {
        std::io::Error::other("its segment has no descriptor (it is named, or was released)")
    })
}

/// Deserialises one field of a program's answer.
fn field<T: serde::de::DeserializeOwned>(
    program: &str,
    answer: &Value,
    name: &str,
) -> Result<T, EnvError> {
    let value = answer.get(name).cloned().unwrap_or(Value::Null);
    crate::exact::from_value(value).map_err(|e| {
        EnvError::new(format!(
            "the program {program} answered {answer} without a valid {name:?}: {e}"
        ))
    })
}
