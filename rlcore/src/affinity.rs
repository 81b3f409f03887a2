//! The CPUs that a worker may use: by default those that this process is allowed.
use crate::cgroup::{self, Version};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::path::PathBuf;

/// The CPUs that the calling thread is allowed to run on.
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return vec![0] };
    (0..CpuSet::count()).filter(|c| set.is_set(*c).unwrap_or(false)).collect()
}

/// How many of the allowed CPUs can be busy at the same time under the quotas of this process's control groups.
pub fn cpu_count() -> usize {
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    let limit = |(version, dir): (Version, PathBuf)| {
        let text = match version {
            Version::Two => read(dir.join("cpu.max"))?,
            Version::One => {
                let period = read(dir.join("cpu.cfs_period_us"))?;
                format!("{} {period}", read(dir.join("cpu.cfs_quota_us"))?.trim())
            }
        };
        quota(&text)
    };
    let tightest = cgroup::own("cpu").into_iter().filter_map(limit).min();
    tightest.unwrap_or(usize::MAX).min(allowed_cpus().len())
}

/// Number of CPUs, rounded up, that a line `quota period` allows; `None` if the quota is `max` or -1.
fn quota(text: &str) -> Option<usize> {
    let mut parts = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (parts.next()?.ok()?, parts.next()?.ok()?);
    (quota > 0.0).then(|| ((quota / period).ceil() as usize).max(1))
}

/// Restricts the calling thread, and the threads and processes that it starts, to `cpus`.
pub fn pin(cpus: &[usize]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_whole_cpus() {
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("-1 100000\n"), None);
        assert_eq!(quota("150000 100000\n"), Some(2));
        assert_eq!(quota("20000 100000\n"), Some(1));
        assert!(cpu_count() >= 1 && cpu_count() <= allowed_cpus().len());
    }
}
