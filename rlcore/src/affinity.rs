//! Which processors a worker may use. By default those that the process is allowed, no more and no less.
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs this process is allowed.
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return vec![0] };
    (0..CpuSet::count()).filter(|c| set.is_set(*c).unwrap_or(false)).collect()
}

/// Restricts the calling thread (and what it starts) to `cpus`.
pub fn pin(cpus: &[usize]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Spins before sleeping, for `waiters` processes that may spin at once: none where they outnumber the CPUs, since a
/// spinner then takes the core of the one it waits for.
pub fn spins(waiters: usize) -> u32 {
    if waiters <= allowed_cpus().len() { 4000 } else { 0 }
}
