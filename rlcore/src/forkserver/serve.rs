//! The server's side: forks workers on request, reaps them, and ends with the master.
use super::{Exit, LIMIT, Report, Request, Surroundings, exit_now};
use crate::affinity;
use crate::channel::{Channel, ChannelError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

/// Serves until the master ends or closes its socket, then kills and reaps all workers.
pub(super) fn serve(channel: &Channel, master: Pid) -> Result<(), ChannelError> {
    die_with(master);
    let mut children = Vec::new();
    let served = obey(channel, &mut children);
    for pid in &children {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    for pid in children {
        // The signal kills it in any state. The wait is not interrupted: no signal has a handler here.
        let _ = waitpid(Pid::from_raw(pid), None);
    }
    match served {
        Err(ChannelError::Closed) => Ok(()),
        other => other,
    }
}

fn obey(channel: &Channel, children: &mut Vec<i32>) -> Result<(), ChannelError> {
    ignore_interrupts();
    // The name that `ps` and `pgrep` show.
    let _ = prctl::set_name(c"colony-fork");
    let io = |e: nix::errno::Errno| ChannelError::Io(e.into());
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block().map_err(io)?;
    let signals =
        SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(io)?;
    loop {
        let mut fds = [
            PollFd::new(channel.fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(io(e)),
        }
        while matches!(signals.read_signal(), Ok(Some(_))) {}
        reap(channel, children)?;
        if channel.ready() {
            match channel.recv(LIMIT)? {
                Request::Kill(pid) => {
                    if children.contains(&pid) {
                        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                    }
                }
                Request::Spawn { entry, surroundings, directory, variables } => {
                    let fd = channel.recv_fds(LIMIT)?.pop().ok_or(ChannelError::Closed)?;
                    let server = getpid();
                    // SAFETY: the server has one thread.
                    match unsafe { fork() } {
                        Ok(ForkResult::Parent { child }) => {
                            children.push(child.as_raw());
                            channel.send(&Report::Spawned(child.as_raw()), LIMIT)?;
                        }
                        Ok(ForkResult::Child) => {
                            die_with(server);
                            let _ = mask.thread_unblock();
                            let _ = prctl::set_name(c"colony-worker");
                            close_server(channel, &signals);
                            let text = settle(&surroundings, directory, &variables).err();
                            let worker = Channel::from_fd(fd);
                            if let Some(text) = text {
                                let _ = writeln!(std::io::stderr(), "worker: {text}");
                                exit_now(2);
                            }
                            let code = (entry.get())(worker);
                            flush();
                            exit_now(code);
                        }
                        Err(e) => channel.send(&Report::Failed(format!("fork: {e}")), LIMIT)?,
                    }
                }
            }
        }
    }
}

/// Flushes output that an environment has printed, which `_exit` would discard.
fn flush() {
    // A closed pipe is no error at this point.
    let _ = std::io::stdout().flush();
    // SAFETY: flushes all of C's streams; the process has no thread that could hold one for ever.
    unsafe { nix::libc::fflush(std::ptr::null_mut()) };
}

/// Makes this process die with `parent`; ends it now if `parent` is already dead.
fn die_with(parent: Pid) {
    if prctl::set_pdeathsig(Signal::SIGKILL).is_err() || getppid() != parent {
        exit_now(1);
    }
}

fn ignore_interrupts() {
    for s in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: no handler runs: the signal is ignored.
        let _ = unsafe { signal(s, SigHandler::SigIgn) };
    }
}

fn reap(channel: &Channel, children: &mut Vec<i32>) -> Result<(), ChannelError> {
    loop {
        let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid.as_raw(), Exit::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid.as_raw(), Exit::Signal(signal as i32)),
            _ => return Ok(()),
        };
        children.retain(|c| *c != pid);
        channel.send(&Report::Died(pid, exit), LIMIT)?;
    }
}

/// Closes the server's descriptors in a worker: if a worker held the socket, the master would not see the server's death.
fn close_server(channel: &Channel, signals: &SignalFd) {
    for fd in [channel.fd().as_raw_fd(), signals.as_fd().as_raw_fd()] {
        // SAFETY: the child never uses these again: it runs `entry` and exits without unwinding into `serve`.
        unsafe { nix::libc::close(fd) };
    }
}

fn settle(
    s: &Surroundings,
    directory: Option<PathBuf>,
    variables: &[(OsString, OsString)],
) -> std::io::Result<()> {
    if let Some(directory) = directory {
        std::env::set_current_dir(directory)?;
    }
    let names: Vec<OsString> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names.iter().filter(|n| !variables.iter().any(|(v, _)| v == *n)) {
        // SAFETY: the child has one thread.
        unsafe { std::env::remove_var(name) };
    }
    // Sets only the variables that differ: each change copies the whole environment.
    let differs = |v: &&(OsString, OsString)| std::env::var_os(&v.0).as_ref() != Some(&v.1);
    for (name, value) in variables.iter().filter(differs) {
        // SAFETY: the child has one thread.
        unsafe { std::env::set_var(name, value) };
    }
    if !s.cpus.is_empty() {
        affinity::pin(&s.cpus)?;
    }
    if let Some(log) = &s.log {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        nix::unistd::dup2_stdout(&file)?;
        nix::unistd::dup2_stderr(&file)?;
    }
    Ok(())
}
