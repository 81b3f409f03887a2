//! What a result depends on in addition to its configuration: versions, machine, threads, source code.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The description of one start of a run. `meta.json` holds one for the first start and one per resume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Time of the start: UTC, RFC 3339.
    pub started: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Versions by component; always includes `colony`.
    pub versions: BTreeMap<String, String>,
    /// The machine that it ran on.
    pub machine: Machine,
    /// Numbers of threads by role, such as `learner`.
    pub threads: BTreeMap<String, usize>,
    /// The source tree that the process was started in.
    pub git: Option<Git>,
}

/// A machine as its operating system describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Linux release.
    pub kernel: String,
    /// Model of the first processor; empty if the system does not say.
    pub cpu: String,
    /// Logical processors of the machine.
    pub cpus: usize,
    /// Logical processors that this process may use (affinity, control group).
    pub cpus_allowed: usize,
    /// Memory of the machine, bytes.
    pub memory: u64,
    /// Memory that was available when the run started, bytes.
    pub memory_available: u64,
}

/// State of a git tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Git {
    /// Full hash of the commit.
    pub commit: String,
    /// Whether tracked files differ from the commit.
    pub dirty: bool,
}

/// Version of this program and a checksum of its executable, which distinguishes builds of the same version.
pub fn binary_version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match std::fs::read("/proc/self/exe") {
        Ok(bytes) => format!("{version} ({:016x})", twox_hash::XxHash64::oneshot(0, &bytes)),
        Err(_) => version.to_owned(),
    }
}

impl Meta {
    /// Collects what this crate can find out; the caller adds to `versions` and `threads`.
    pub fn collect() -> Self {
        let colony = ("colony".to_owned(), binary_version());
        Self {
            started: utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())),
            command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
            versions: BTreeMap::from([colony]),
            machine: Machine::this(),
            threads: BTreeMap::new(),
            git: Git::of_working_directory(),
        }
    }
}

impl Machine {
    /// Describes this machine.
    pub fn this() -> Self {
        let read = |path: &str| read_to_string(path).unwrap_or_default().trim().to_owned();
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|l| l.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let allowed = std::thread::available_parallelism().map_or(1, usize::from);
        let total = read("/proc/meminfo").lines().find_map(|l| {
            l.strip_prefix("MemTotal:")?.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
        });
        Self {
            host: read("/proc/sys/kernel/hostname"),
            kernel: read("/proc/sys/kernel/osrelease"),
            cpu: field("model name").unwrap_or_default(),
            cpus: cpuinfo.lines().filter(|l| l.starts_with("processor")).count().max(allowed),
            cpus_allowed: allowed,
            memory: total.map_or(0, |kib| kib * 1024),
            memory_available: crate::memory::available(),
        }
    }
}

impl Git {
    /// The state of the current git tree; `None` outside a git tree or without git.
    pub fn of_working_directory() -> Option<Self> {
        let git = |args: &[&str]| {
            let out = Command::new("git").args(args).output().ok()?;
            let ok = out.status.success();
            ok.then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
        Some(Self { commit, dirty: !changes.is_empty() })
    }
}

/// RFC 3339 from seconds since 1970. Days to date after H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // months since March
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59Z");
    }

    #[test]
    fn this_machine_has_a_processor_and_memory() {
        let meta = Meta::collect();
        assert!(meta.machine.cpus >= meta.machine.cpus_allowed && meta.machine.cpus_allowed > 0);
        assert!(meta.machine.memory > 1 << 20);
        assert!(!meta.command.is_empty());
        let text = serde_json::to_string(&meta).unwrap();
        assert_eq!(serde_json::from_str::<Meta>(&text).unwrap(), meta);
    }
}
