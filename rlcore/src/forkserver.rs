//! Worker processes that start in a millisecond: a small single-threaded server, forked at the top of `main` before any
//! thread or libtorch op exists, forks them on request.
//!
//! Why: a forked child of a process that has run a parallel libtorch op hangs in its first parallel op, and an executable that
//! links libtorch takes 0.2 s to start. A fork of the untouched server has neither problem, and function pointers stay valid
//! in it, so environments and agents of the user's own program need no registry.
//!
//! | who dies       | what happens                                                                                     |
//! |----------------|--------------------------------------------------------------------------------------------------|
//! | a worker       | the server reaps it and reports pid and signal or code to the master                              |
//! | the server     | the kernel kills its workers (parent-death signal); the master reads the end of the socket         |
//! | the master, by returning from `main`, by `exit` or by [`end`] | it closes the socket; the server kills and reaps its workers and ends; the master reaps the server |
//! | the master, killed | the kernel kills the server, hence the workers; process 1 reaps them                           |
//!
//! Each request carries what the server does not know: the current working directory, environment variables, CPUs and the log file.
//!
//! Unsafe here: `fork`, changing environment variables and `_exit` in a child that has one thread; `atexit` in the master.
mod serve;

use self::serve::serve;
use crate::affinity;
use crate::channel::{Channel, ChannelError};
use crate::fnptr::{Portable, draw_keys};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The main function of a worker; returns its exit code.
pub type Entry = fn(Channel) -> i32;

/// Time limit for one exchange with the server.
const LIMIT: Duration = Duration::from_secs(10);

/// How long an ending master waits for its server, which only has to kill its workers.
const FAREWELL: Duration = Duration::from_secs(2);

/// Reasons for which a worker cannot be started or supervised.
#[derive(Debug, thiserror::Error)]
pub enum ForkServerError {
    /// [`init`] was not called.
    #[error(
        "worker processes need the fork server: make `rlcore::forkserver::init()?;` the first line of `main` (or set sampler.worker.host = \"thread\")"
    )]
    NotStarted,
    /// [`init`] was called after a thread was started.
    #[error(
        "`rlcore::forkserver::init()` was called with {0} threads running: make it the first line of `main`, before anything that starts threads"
    )]
    TooLate(usize),
    /// The server died.
    #[error(
        "the fork server (pid {0}) died, and its workers with it: nothing can be started or supervised any more"
    )]
    Died(i32),
    /// The system refused.
    #[error("starting a worker: {0}")]
    System(String),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(n) => {
                let name = Signal::try_from(*n).map_or("unknown signal", Signal::as_str);
                write!(f, "was killed by signal {n} ({name})")
            }
        }
    }
}

/// The CPUs and the log file of a worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surroundings {
    /// CPUs that it may use; empty: the same as the master.
    pub cpus: Vec<usize>,
    /// File for its standard output and error; `None`: the same as the master.
    pub log: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
enum Request {
    Spawn {
        entry: Portable<Entry>,
        surroundings: Surroundings,
        directory: Option<PathBuf>,
        variables: Vec<(OsString, OsString)>,
    },
    Kill(i32),
}

#[derive(Serialize, Deserialize)]
enum Report {
    Spawned(i32),
    Failed(String),
    Died(i32, Exit),
}

#[derive(Debug)]
struct Link {
    channel: Channel,
    ended: HashMap<i32, Exit>,
    lost: bool,
}

/// The master's handle of the server.
#[derive(Debug)]
pub struct ForkServer {
    pid: i32,
    master: Pid,
    link: Mutex<Link>,
    /// A second handle of the link's socket, to close it without locking the link.
    socket: OwnedFd,
}

static SERVER: OnceLock<ForkServer> = OnceLock::new();

/// Set before this process ends its server because it exits itself.
static DISMISSED: AtomicBool = AtomicBool::new(false);

/// Whether this process is exiting and has ended its server for that reason. Exit handlers may still run; the missing server and workers
/// are no error then.
pub fn dismissed() -> bool {
    DISMISSED.load(Ordering::SeqCst)
}

/// Forks the server. Call it in the first line of `main`; a second call does nothing. The server ends with this process.
pub fn init() -> Result<(), ForkServerError> {
    if SERVER.get().is_some() {
        return Ok(());
    }
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(ForkServerError::TooLate(threads));
    }
    draw_keys();
    let system = |e: std::io::Error| ForkServerError::System(e.to_string());
    let (ours, theirs) = Channel::pair().map_err(system)?;
    let socket = ours.fd().try_clone_to_owned().map_err(system)?;
    let master = getpid();
    // With SIGXFSZ ignored, a write beyond the limit on file sizes returns an error, here and in workers, instead of ending the process.
    // SAFETY: no handler runs: the signal is ignored.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    // SAFETY: this process has one thread, so the child may do whatever we may.
    match unsafe { fork() }.map_err(|e| system(e.into()))? {
        ForkResult::Parent { child } => {
            let link = Mutex::new(Link { channel: ours, ended: HashMap::new(), lost: false });
            // No other thread can have set it: there is only one thread.
            let _ = SERVER.set(ForkServer { pid: child.as_raw(), master, link, socket });
            // SAFETY: the function exists as long as this program. If it cannot be registered, the kernel ends the server and
            // process 1 reaps it.
            unsafe { nix::libc::atexit(at_exit) };
            Ok(())
        }
        ForkResult::Child => {
            drop((ours, socket));
            exit_now(i32::from(serve(&theirs, master).is_err()))
        }
    }
}

extern "C" fn at_exit() {
    if let Some(server) = SERVER.get() {
        server.dismiss();
    }
}

/// The server started by [`init`].
pub fn server() -> Result<&'static ForkServer, ForkServerError> {
    SERVER.get().ok_or(ForkServerError::NotStarted)
}

impl ForkServer {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a worker that runs `entry` with its end of `channel`.
    pub fn spawn(
        &self,
        entry: Entry,
        channel: &Channel,
        surroundings: Surroundings,
    ) -> Result<Child, ForkServerError> {
        let mut link = self.link();
        let mut surroundings = surroundings;
        if surroundings.cpus.is_empty() {
            // The master's CPUs of now: the server still has those of its start.
            surroundings.cpus = affinity::allowed_cpus();
        }
        let request = Request::Spawn {
            entry: Portable::new(entry),
            surroundings,
            directory: std::env::current_dir().ok(),
            variables: std::env::vars_os().collect(),
        };
        let sent = link
            .channel
            .send(&request, LIMIT)
            .and_then(|()| link.channel.send_fds(&[channel.fd().as_raw_fd()]));
        sent.map_err(|e| self.lost(&mut link, &e))?;
        loop {
            match link.channel.recv(LIMIT).map_err(|e| self.lost(&mut link, &e))? {
                Report::Spawned(pid) => {
                    // An earlier worker may have had the same process id.
                    link.ended.remove(&pid);
                    return Ok(Child { pid });
                }
                Report::Failed(text) => return Err(ForkServerError::System(text)),
                Report::Died(pid, exit) => {
                    link.ended.insert(pid, exit);
                }
            }
        }
    }

    fn lost(&self, link: &mut Link, error: &ChannelError) -> ForkServerError {
        if matches!(error, ChannelError::Closed) {
            if !std::mem::replace(&mut link.lost, true) {
                self.bury(Instant::now() + FAREWELL);
            }
            return ForkServerError::Died(self.pid);
        }
        ForkServerError::System(error.to_string())
    }

    /// Reaps a server that has closed its socket, and so is dead or about to end. Returns whether it was reaped by `until`.
    fn bury(&self, until: Instant) -> bool {
        let pid = Pid::from_raw(self.pid);
        while matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive)) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Ends the server and its workers, and waits for their end. Only the master may do this: another child that was forked from the
    /// master also runs this exit handler.
    fn dismiss(&self) {
        if getpid() != self.master {
            return;
        }
        DISMISSED.store(true, Ordering::SeqCst);
        // Fails if the server is already gone.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
        if !self.bury(Instant::now() + FAREWELL) {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
            self.bury(Instant::now() + FAREWELL);
        }
    }

    /// Receives the server's pending reports; returns an error if the server is dead.
    pub fn poll(&self) -> Result<(), ForkServerError> {
        let mut link = self.link();
        while !link.lost && link.channel.ready() {
            match link.channel.recv(LIMIT) {
                Ok(Report::Died(pid, exit)) => {
                    link.ended.insert(pid, exit);
                }
                Ok(_) => {}
                Err(e) => {
                    self.lost(&mut link, &e);
                }
            }
        }
        if link.lost { Err(ForkServerError::Died(self.pid)) } else { Ok(()) }
    }
}

/// A worker process.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    pid: i32,
}

impl Child {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, or `None` while it runs; an error if the server, which would know, is dead.
    pub fn ended(&self) -> Result<Option<Exit>, ForkServerError> {
        let server = server()?;
        let alive = server.poll();
        let ended = server.link().ended.get(&self.pid).copied();
        if ended.is_some() { Ok(ended) } else { alive.map(|()| None) }
    }

    /// Kills it, if it still runs.
    pub fn kill(&self) {
        if let Ok(server) = server() {
            // If the server is dead, so is the worker.
            let _ = server.link().channel.send(&Request::Kill(self.pid), LIMIT);
        }
    }
}

/// Ends this process at once, with its fork server and workers, from any thread. Exit handlers of libraries do not run.
pub fn end(code: i32) -> ! {
    at_exit();
    exit_now(code)
}

/// Ends this process without exit handlers: in a fork, libraries may be in an inconsistent state because their threads were not copied.
fn exit_now(code: i32) -> ! {
    // SAFETY: always sound; it only skips handlers.
    unsafe { nix::libc::_exit(code) }
}
