//! How much memory there is: the smaller of what the machine has free and what our control group still allows.
use std::fs::read_to_string;

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

/// Limit minus use of cgroup v2, of v1 where that is mounted; the tightest of our group and its parents.
fn cgroup() -> Option<u64> {
    let own = read_to_string("/proc/self/cgroup").ok()?;
    let mut tightest = None;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, limit, usage) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        let mut dir = Some(std::path::Path::new(path));
        while let Some(d) = dir {
            let at = |file: &str| {
                let full = format!("{root}{}/{file}", d.display());
                read_to_string(full).ok()?.trim().parse::<u64>().ok()
            };
            if let (Some(limit), Some(used)) = (at(limit), at(usage)) {
                let free = limit.saturating_sub(used);
                tightest = Some(tightest.map_or(free, |t: u64| t.min(free)));
            }
            dir = d.parent();
        }
    }
    tightest
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
