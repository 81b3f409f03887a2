//! The control groups that limit this process: its own group and all parent groups, of version 1 or 2.
use std::path::{Path, PathBuf};

/// Version of a control group hierarchy, which determines its interface files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// One hierarchy per controller.
    One,
    /// One hierarchy for all controllers.
    Two,
}

/// Directories of this process's groups that have this controller, innermost first.
pub(crate) fn own(controller: &str) -> Vec<(Version, PathBuf)> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    own.lines().flat_map(|line| groups(line, controller)).collect()
}

/// Parses a line `number:controllers:path` of `/proc/self/cgroup`.
fn groups(line: &str, controller: &str) -> Vec<(Version, PathBuf)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return vec![] };
    let (version, root) = match controllers {
        "" => (Version::Two, "/sys/fs/cgroup".to_owned()),
        c if c.split(',').any(|c| c == controller) => {
            (Version::One, format!("/sys/fs/cgroup/{controller}"))
        }
        _ => return vec![],
    };
    let under = |dir: &Path| (version, Path::new(&root).join(dir.strip_prefix("/").unwrap_or(dir)));
    Path::new(path).ancestors().map(under).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_limited_by_those_above_it() {
        let dirs = |line: &str| -> Vec<String> {
            groups(line, "cpu").into_iter().map(|(_, d)| d.display().to_string()).collect()
        };
        let two = ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup/"];
        assert_eq!(dirs("0::/a/b"), two);
        assert_eq!(dirs("4:cpu,cpuacct:/a"), ["/sys/fs/cgroup/cpu/a", "/sys/fs/cgroup/cpu/"]);
        assert!(dirs("5:memory:/a").is_empty());
        assert_eq!(groups("0::/", "cpu")[0].0, Version::Two);
    }
}
