//! The memory that is available, and the check that a run's needs fit into it.
//!
//! Available is the smallest of what the machine has free, what the control groups of this process still allow, and what `ulimit -v` still
//! allows. A run adds up its needs before it allocates, so that it is refused with a reason instead of being killed by the kernel.
use crate::cgroup::{self, Version};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Number of bytes that are available now.
pub fn available() -> u64 {
    machine()
        .min(tightest(&cgroup::own("memory")).unwrap_or(u64::MAX))
        .min(address_space().unwrap_or(u64::MAX))
}

/// Memory that one part of a run takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Name of the part, such as `the replay`.
    pub what: String,
    /// Peak number of bytes; `u64::MAX` on overflow.
    pub bytes: u64,
    /// The settings that make it smaller, such as `algo.replay_size`; empty if there are none.
    pub lower: String,
}

impl Need {
    /// `lower`: the settings that make it smaller.
    pub fn new(what: impl Into<String>, bytes: u64, lower: impl Into<String>) -> Self {
        Self { what: what.into(), bytes, lower: lower.into() }
    }
}

/// A run that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this configuration needs {}, but {} are free; {}", readable(*needed), readable(*available), said(largest))]
pub struct TooLarge {
    /// Number of bytes needed in total.
    pub needed: u64,
    /// Number of bytes available.
    pub available: u64,
    /// The largest parts, largest first.
    pub largest: Vec<Need>,
}

fn said(largest: &[Need]) -> String {
    let one = |n: &Need| {
        let lower =
            if n.lower.is_empty() { String::new() } else { format!(" (lower {})", n.lower) };
        format!("{} for {}{lower}", readable(n.bytes), n.what)
    };
    largest.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Checks that the sum of `needs` does not exceed `available`.
///
/// # Errors
/// The needs do not fit; the error names the largest ones.
pub fn check(needs: Vec<Need>, available: u64) -> Result<(), TooLarge> {
    let needed = needs.iter().fold(0, |sum: u64, n| sum.saturating_add(n.bytes));
    if needed <= available {
        return Ok(());
    }
    let mut largest = needs;
    largest.sort_by_key(|n| std::cmp::Reverse(n.bytes));
    // Lowering parts below a tenth of the sum would not help.
    largest.retain(|n| n.bytes > needed / 10);
    largest.truncate(3);
    Err(TooLarge { needed, available, largest })
}

fn machine() -> u64 {
    let info = read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |k| k * 1024)
}

/// What a limit of the address space (`ulimit -v`) leaves. Libraries use more address space than memory.
fn address_space() -> Option<u64> {
    let (limit, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_AS).ok()?;
    let pages = read_to_string("/proc/self/statm").ok()?;
    let used = pages.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(limit.saturating_sub(used * page()))
}

fn page() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().map_or(4096, |size| size as u64)
}

/// What the tightest of these control groups leaves: this process's own and its parents.
fn tightest(groups: &[(Version, PathBuf)]) -> Option<u64> {
    groups.iter().filter_map(|(version, dir)| left_in(*version, dir)).min()
}

/// Limit minus use of the control group in `dir`; `None` if it has no limit. Cached files count as used but are dropped when memory is
/// needed, so they are subtracted: a checkpoint that was just written takes no memory from the next run.
fn left_in(version: Version, dir: &Path) -> Option<u64> {
    let (limit, used, total) = match version {
        Version::Two => ("memory.max", "memory.current", ""),
        Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    };
    let text = |file: &str| read_to_string(dir.join(file)).ok();
    let number = |file| text(file)?.trim().parse::<u64>().ok();
    let cached = cached(&text("memory.stat").unwrap_or_default(), total);
    Some(number(limit)?.saturating_sub(number(used)?.saturating_sub(cached)))
}

/// Bytes of cached files in a group's `memory.stat`; in version 1 the names begin with `total_` to include child groups.
fn cached(stat: &str, total: &str) -> u64 {
    let of = |name: &str| {
        let value = |line: &str| line.strip_prefix(total)?.strip_prefix(name)?.trim().parse().ok();
        stat.lines().find_map(value).unwrap_or(0u64)
    };
    of("inactive_file ").saturating_add(of("active_file "))
}

/// `1.5 GiB` and the like.
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(readable(17), "17 B");
        assert_eq!(readable(3 << 29), "1.5 GiB");
        assert!(available() > 1 << 20);
    }

    #[test]
    fn cached_files_are_not_in_use() {
        let one = "inactive_file 1\nactive_file 2\ntotal_inactive_file 30\ntotal_active_file 40\n";
        assert_eq!(cached(one, "total_"), 70);
        assert_eq!(cached("anon 9\ninactive_file 1\nactive_file 2\n", ""), 3);
        assert_eq!(cached("", ""), 0);
    }

    /// Broken by a limit that is not read, by cached files that count, by the own group alone where a parent is tighter.
    #[test]
    fn the_tightest_group_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let group = |name: &str, files: &[(&str, &str)]| {
            let dir = scratch.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            for (file, text) in files {
                std::fs::write(dir.join(file), text).unwrap();
            }
            dir
        };
        let stat = ("memory.stat", "anon 9\ninactive_file 100000\nactive_file 50000\n");
        let used = ("memory.current", "600000\n");
        let own = group("own", &[("memory.max", "max\n"), used, stat]);
        let parent = group("parent", &[("memory.max", "1000000\n"), used, stat]);
        let full = group("full", &[("memory.max", "400000\n"), used]);
        let old = group(
            "old",
            &[
                ("memory.limit_in_bytes", "1000000\n"),
                ("memory.usage_in_bytes", "900000\n"),
                ("memory.stat", "inactive_file 7\ntotal_inactive_file 300000\n"),
            ],
        );
        let two = |dirs: &[&PathBuf]| {
            let groups: Vec<_> = dirs.iter().map(|d| (Version::Two, (*d).clone())).collect();
            tightest(&groups)
        };
        assert_eq!(two(&[&own]), None, "no limit");
        assert_eq!(two(&[&own, &parent]), Some(550_000));
        assert_eq!(two(&[&parent, &full]), Some(0), "a lowered limit");
        assert_eq!(tightest(&[(Version::One, old)]), Some(400_000));
        assert_eq!(tightest(&[(Version::One, scratch.path().join("absent"))]), None);
    }

    #[test]
    fn a_refusal_names_the_largest_parts_and_their_settings() {
        let needs = || {
            vec![
                Need::new("crumbs", 5, "nothing"),
                Need::new("the block", 3 << 30, "sampler.t or sampler.b"),
                Need::new("the replay", 9 << 30, "algo.replay_size"),
            ]
        };
        check(needs(), 13 << 30).unwrap();
        let text = check(needs(), 1 << 30).unwrap_err().to_string();
        let want = "this configuration needs 12.0 GiB, but 1.0 GiB are free; \
                    9.0 GiB for the replay (lower algo.replay_size), \
                    3.0 GiB for the block (lower sampler.t or sampler.b)";
        assert_eq!(text, want);
        let endless = vec![Need::new("a", u64::MAX, "x"), Need::new("b", u64::MAX, "y")];
        assert_eq!(check(endless, 1 << 40).unwrap_err().needed, u64::MAX);
    }
}
