//! Starting programs so that each is killed when this process ends, and not when the thread that requested it ends.
//!
//! The kernel sends the parent-death signal when the *thread* that forked ends, and a sampler may be built in one thread and used
//! in another. So one thread, which lives as long as this process, forks all programs.
use super::SOCKET;
use crate::affinity;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

/// The job queue of the starting thread, and the id of the process in which that thread runs: a fork of this process has no such
/// thread.
static STARTER: Mutex<Option<(u32, Sender<Job>)>> = Mutex::new(None);

/// Runs `job` in the starting thread; starts that thread if it does not exist yet.
fn in_starting_thread(job: Job) -> io::Result<()> {
    let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    let own = std::process::id();
    let jobs = match starter.take() {
        Some((process, jobs)) if process == own => jobs,
        _ => {
            let (jobs, queue) = channel::<Job>();
            let thread = std::thread::Builder::new().name("programs".into());
            thread.spawn(move || queue.into_iter().for_each(|job| job()))?;
            jobs
        }
    };
    let sent =
        jobs.send(job).map_err(|_| io::Error::other("the thread that starts programs is gone"));
    sent.map(|()| *starter = Some((own, jobs)))
}

/// Starts `command` on the CPUs of the calling thread. The program inherits the two descriptors under their current numbers.
pub(super) fn start(
    command: Command,
    socket: UnixStream,
    segment: Option<OwnedFd>,
) -> io::Result<Child> {
    let (reply, started) = channel();
    let cpus = affinity::allowed_cpus();
    in_starting_thread(Box::new(move || {
        // The program inherits the CPUs of the thread that forks it.
        let pinned = if affinity::allowed_cpus() == cpus { Ok(()) } else { affinity::pin(&cpus) };
        let child = pinned.and_then(|()| spawn(command, &socket, segment.as_ref()));
        // The requesting thread waits for the reply.
        let _ = reply.send(child);
    }))?;
    started.recv().unwrap_or_else(|e| Err(io::Error::other(e)))
}

fn spawn(
    mut command: Command,
    socket: &UnixStream,
    segment: Option<&OwnedFd>,
) -> io::Result<Child> {
    let kept: Vec<RawFd> =
        [Some(socket.as_raw_fd()), segment.map(AsRawFd::as_raw_fd)].into_iter().flatten().collect();
    command.env(SOCKET, socket.as_raw_fd().to_string()).stdin(Stdio::null());
    let parent = nix::unistd::getpid();
    let settle = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the signal was set.
        if nix::unistd::getppid() != parent {
            return Err(nix::errno::Errno::ESRCH.into());
        }
        for s in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: no handler runs: the signal is ignored.
            unsafe { signal(s, SigHandler::SigIgn) }?;
        }
        for fd in &kept {
            // SAFETY: the descriptors are open in the parent, hence in this copy of it.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec these are system calls on numbers made before: nothing allocates or takes a lock.
    unsafe { command.pre_exec(settle) };
    command.spawn()
}
