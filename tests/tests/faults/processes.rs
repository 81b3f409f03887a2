//! The state of processes according to the kernel, and waiting for it to change.
use libtest_mimic::Failed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};
pub(crate) use tests::program::children;
use tests::program::stat;

/// Limit on the time between a fault and the error that follows from it.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Waits for `condition`; an error naming `what` after `limit`.
pub(crate) fn until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result<(), Failed> {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > limit {
            return Err(format!("not within {limit:?}: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

pub(crate) fn signal(pid: i32, signal: Signal) -> Result<(), Failed> {
    kill(Pid::from_raw(pid), signal).map_err(|e| format!("{signal} to {pid}: {e}").into())
}

/// Whether a process runs. A zombie does not: the process that adopted it may be slow to reap it.
pub(crate) fn running(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

pub(crate) fn server() -> i32 {
    rlcore::forkserver::server().map_or(0, rlcore::forkserver::ForkServer::pid)
}

/// Waits until the fork server of this process has no children left, zombies included, and this process no worker threads or watchdogs.
pub(crate) fn no_workers_left() -> Result<(), Failed> {
    until("the end of all workers", SOON, || children(server()).is_empty() && threads() == 0)
}

/// Worker threads and watchdogs of this process.
fn threads() -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names = all.flatten().filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok());
    names.filter(|n| n.starts_with("worker ") || n.starts_with("watchdog")).count()
}

pub(crate) fn all_gone(pids: &[i32]) -> Result<(), Failed> {
    until(&format!("the end of {pids:?}"), SOON, || !pids.iter().any(|pid| running(*pid)))
}

/// Names of the files in `/dev/shm`.
pub(crate) fn named_segments() -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/dev/shm") else { return vec![] };
    let mut names: Vec<_> =
        all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Numbers of open file descriptors of this process: those of segments, and all others.
pub(crate) fn descriptors() -> (usize, usize) {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return (0, 0) };
    let links = all.flatten().filter_map(|e| std::fs::read_link(e.path()).ok());
    let (segments, others): (Vec<_>, Vec<_>) =
        links.partition(|l| l.to_string_lossy().starts_with("/memfd:"));
    (segments.len(), others.len())
}

/// Bytes of shared memory that this process's segments hold.
pub(crate) fn segment_bytes() -> u64 {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let is_segment = |path: &std::path::PathBuf| {
        std::fs::read_link(path).is_ok_and(|l| l.to_string_lossy().starts_with("/memfd:"))
    };
    let paths = all.flatten().map(|e| e.path()).filter(is_segment);
    paths.filter_map(|p| std::fs::metadata(p).ok()).map(|m| 512 * m.blocks()).sum()
}
