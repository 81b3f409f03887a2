//! Which runs are seeds of one configuration, and what to call each configuration.
use super::run::Run;
use std::collections::BTreeMap;

/// A legend with longer lines, or more settings in a line, says what to look up and not what it is.
const MOST_SETTINGS: usize = 3;
const LONGEST: usize = 72;

/// The seeds of one configuration.
#[derive(Clone, Debug)]
pub struct Group {
    /// What sets it apart from the others: settings (`algo.learning_rate=1e-3`), or the runs' name where those are too many.
    pub label: String,
    /// Its runs, one a seed.
    pub runs: Vec<Run>,
}

/// Runs by configuration, in the order of their first runs. Of two runs with one seed the later counts: the same settings and
/// seed give the same curve, and a curve that counts twice makes a band too narrow. Those left out are the second value.
pub fn groups(runs: Vec<Run>) -> (Vec<Group>, Vec<Run>) {
    let mut groups: Vec<Vec<Run>> = Vec::new();
    let mut left_out = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|g| g[0].settings == run.settings) {
            Some(group) => match group.iter_mut().find(|r| r.seed == run.seed) {
                Some(same) => left_out.push(std::mem::replace(same, run)),
                None => group.push(run),
            },
            None => groups.push(vec![run]),
        }
    }
    let labels = labels(&groups);
    let named = groups.into_iter().zip(labels).map(|(runs, label)| Group { label, runs });
    (named.collect(), left_out)
}

fn labels(groups: &[Vec<Run>]) -> Vec<String> {
    let names: Vec<String> = groups.iter().map(|g| g[0].name()).collect();
    let settings: Vec<&BTreeMap<String, String>> = groups.iter().map(|g| &g[0].settings).collect();
    if groups.len() < 2 {
        return names;
    }
    let keys = differing(&settings);
    let lines: Vec<String> = settings.iter().map(|s| line(s, &keys)).collect();
    let readable = keys.len() <= MOST_SETTINGS && lines.iter().all(|l| l.len() <= LONGEST);
    if readable {
        return lines;
    }
    let label = |i: usize| {
        let alike: Vec<_> = (0..names.len()).filter(|j| names[*j] == names[i]).collect();
        if alike.len() == 1 {
            return names[i].clone();
        }
        // The first few settings that tell it from the others of its name, as far as they do.
        let others: Vec<_> = alike.iter().map(|j| settings[*j]).collect();
        let mut keys = differing(&others);
        let more = if keys.len() > MOST_SETTINGS { ", ..." } else { "" };
        keys.truncate(MOST_SETTINGS);
        let told = line(settings[i], &keys);
        let is_told = alike.iter().all(|j| *j == i || line(settings[*j], &keys) != told);
        if is_told && told.len() <= LONGEST {
            format!("{} ({told}{more})", names[i])
        } else {
            let own = groups[i][0].path.file_name().unwrap_or_default().to_string_lossy();
            format!("{} (in {own})", names[i])
        }
    };
    (0..groups.len()).map(label).collect()
}

/// These settings as they are written behind `--set`.
fn line(settings: &BTreeMap<String, String>, keys: &[&str]) -> String {
    let one = |k: &&str| {
        format!("{k}={}", settings.get(*k).map_or(rlcore::config::UNSET, |v| v.as_str()))
    };
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Keys whose values are not the same everywhere.
fn differing<'a>(settings: &[&'a BTreeMap<String, String>]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = settings.iter().flat_map(|s| s.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|k| settings.iter().any(|s| s.get(*k) != settings[0].get(*k)));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn runs(dir: &Path, all: &[(&str, &str)]) -> Vec<Run> {
        let write = |(name, config): &(&str, &str)| {
            let path = dir.join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("config.toml"), config).unwrap();
            std::fs::write(path.join("progress.csv"), "x\n1\n").unwrap();
            path
        };
        super::super::run::read_all(&all.iter().map(write).collect::<Vec<_>>()).unwrap()
    }

    fn labels_of(all: &[(&str, &str)]) -> Vec<(String, usize)> {
        let dir = tempfile::tempdir().unwrap();
        let (groups, _) = groups(runs(dir.path(), all));
        groups.into_iter().map(|g| (g.label, g.runs.len())).collect()
    }

    #[test]
    fn a_seed_is_no_difference() {
        let all = [
            ("a-s0", "seed = 0\nalgo.lr = 0.001"),
            ("b-s0", "seed = 0\nalgo.lr = 0.5"),
            ("a-s1", "seed = 1\nalgo.lr = 0.001"),
        ];
        assert_eq!(labels_of(&all), [("algo.lr=1e-3".into(), 2), ("algo.lr=0.5".into(), 1)]);
    }

    #[test]
    fn one_configuration_has_its_name() {
        assert_eq!(labels_of(&[("a-s0", "seed = 0"), ("a-s1", "seed = 1")]), [("a".into(), 2)]);
    }

    #[test]
    fn a_setting_that_is_missing_is_said_to_be() {
        let all = [("a-s0", "seed = 0\nd = 1"), ("b-s0", "seed = 0\nd = 1\ntime_limit = 5")];
        let want = [("time_limit=none".into(), 1), ("time_limit=5".into(), 1)];
        assert_eq!(labels_of(&all), want);
    }

    #[test]
    fn many_differences_are_named_by_the_runs() {
        let all = [
            ("dqn-s0", "seed = 0\na = 1\nb = 1\nc = 1\nd = 1"),
            ("ppo-s0", "seed = 0\na = 2\nb = 2\nc = 2\nd = 2"),
        ];
        assert_eq!(labels_of(&all), [("dqn".into(), 1), ("ppo".into(), 1)]);
    }

    /// Two of one name among others: each keeps its name.
    #[test]
    fn names_that_are_alike_say_what_differs() {
        let all = [
            ("ppo-s0", "seed = 0\na = 1\nb = 1\nc = 1\nd = 1"),
            ("ppo-s0-2", "seed = 0\na = 2\nb = 1\nc = 1\nd = 1"),
            ("dqn-s0", "seed = 0\na = 5\nb = 5\nc = 5\nd = 5"),
        ];
        let want = [("ppo (a=1)".into(), 1), ("ppo (a=2)".into(), 1), ("dqn".into(), 1)];
        assert_eq!(labels_of(&all), want);
        let all = [
            ("ppo-s0", "seed = 0\na = 1\nb = 1\nc = 1\nd = 1"),
            ("ppo-s0-2", "seed = 0\na = 1\nb = 2\nc = 2\nd = 2"),
            ("ppo-s0-3", "seed = 0\na = 1\nb = 2\nc = 2\nd = 3"),
            ("ppo-s0-4", "seed = 0\na = 1\nb = 2\nc = 2\nd = 2\ne = 1\nf = 2"),
        ];
        let want = [
            ("ppo (b=1, c=1, d=1, ...)".into(), 1),
            ("ppo (in ppo-s0-2)".into(), 1),
            ("ppo (b=2, c=2, d=3, ...)".into(), 1),
            ("ppo (in ppo-s0-4)".into(), 1),
        ];
        assert_eq!(labels_of(&all), want);
    }

    #[test]
    fn a_seed_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let all = [("a-s0", "seed = 0"), ("a-s0-2", "seed = 0"), ("a-s1", "seed = 1")];
        let (groups, left_out) = groups(runs(dir.path(), &all));
        assert_eq!((groups.len(), groups[0].runs.len(), left_out.len()), (1, 2, 1));
        assert!(left_out[0].path.ends_with("a-s0") && groups[0].runs[0].path.ends_with("a-s0-2"));
    }
}
