//! How much memory there is: the smaller of what the machine has free and what our control group still allows.
use crate::cgroup::{self, Version};
use std::fs::read_to_string;
use std::path::PathBuf;

/// Bytes that can be had now.
pub fn available() -> u64 {
    machine().min(cgroup().unwrap_or(u64::MAX))
}

fn machine() -> u64 {
    let info = read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |k| k * 1024)
}

/// Limit minus use, the tightest of our group and its parents.
fn cgroup() -> Option<u64> {
    let number = |file: PathBuf| read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let free = |(version, dir): (Version, PathBuf)| {
        let (limit, used) = match version {
            Version::Two => ("memory.max", "memory.current"),
            Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        };
        Some(number(dir.join(limit))?.saturating_sub(number(dir.join(used))?))
    };
    cgroup::own("memory").into_iter().filter_map(free).min()
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
}
