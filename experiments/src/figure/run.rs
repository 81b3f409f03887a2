//! One run as a figure sees it: its settings and the columns of its `progress.csv`.
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Statistics that `progress.csv` keeps of a value, each in a column of its own.
const STATISTICS: [&str; 5] = ["Average", "Std", "Median", "Min", "Max"];
const DIAGNOSTICS: &str = "Diagnostics/";

/// A run that was read.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its directory.
    pub path: PathBuf,
    /// `config.toml`, flattened: `algo.learning_rate` to `1e-3`. Without the seed.
    pub settings: BTreeMap<String, String>,
    /// Its seed.
    pub seed: String,
    columns: Vec<(String, Vec<f64>)>,
}

/// The runs that these directories are or directly hold (as `train --seeds 0..4 --run-dir DIR` leaves them), each once.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Run>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        if is_run(path) {
            found.push(path.clone());
            continue;
        }
        let mut within = runs_in(path);
        ensure!(
            path.exists(),
            "there is no run {}: give a directory that `train` printed",
            path.display()
        );
        ensure!(
            !within.is_empty(),
            "{} is not a run directory (it has no config.toml), and none of its directories is one: give directories that `train` \
             printed",
            path.display()
        );
        found.append(&mut within);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|p| seen.insert(p.canonicalize().unwrap_or_else(|_| p.clone())));
    found.iter().map(|p| Run::read(p)).collect()
}

/// Whether this is the directory of a run.
pub fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}

/// The runs directly in a directory: by name, and seeds by their number. Empty where there is no such directory.
pub fn runs_in(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| is_run(p)).collect();
    runs.sort_by_cached_key(|run| {
        let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number = name[stem.len()..].parse::<u64>().ok();
        (stem, number, name)
    });
    runs
}

impl Run {
    fn read(path: &Path) -> Result<Self> {
        let config = path.join("config.toml");
        let text = std::fs::read_to_string(&config)
            .with_context(|| format!("cannot read {}", config.display()))?;
        let table: toml::Table =
            text.parse().with_context(|| format!("{} is not TOML", config.display()))?;
        let mut settings = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut settings);
        let seed = settings.remove("seed").unwrap_or_default();
        let columns = read_columns(&path.join("progress.csv"))?;
        Ok(Self { path: path.to_owned(), settings, seed, columns })
    }

    /// Whether it has logged anything yet.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|(_, values)| values.is_empty())
    }

    /// The column called `name`, or its average: `Return` is `ReturnAverage`, `CumSteps` is `Diagnostics/CumSteps`. Where nothing fits
    /// exactly, only letters and digits count, small and capital alike: `learning_rate` is `learningRate`. The second value is the
    /// column's full name.
    pub fn column(&self, name: &str) -> Option<(&[f64], &str)> {
        let tries = [name.to_owned(), format!("{name}Average"), format!("{DIAGNOSTICS}{name}")];
        let exact = |full: &str| self.columns.iter().find(|(n, _)| n == full);
        let alike = |full: &str| self.columns.iter().find(|(n, _)| bare(n) == bare(full));
        let found = tries.iter().find_map(|t| exact(t)).or(tries.iter().find_map(|t| alike(t)));
        found.map(|(full, values)| (values.as_slice(), full.as_str()))
    }

    /// What can be asked for, shortest form: `Return` for its five statistics.
    pub fn names(&self) -> Vec<&str> {
        let has = |full: String| self.columns.iter().any(|(n, _)| *n == full);
        let mut names: Vec<&str> = Vec::new();
        for (full, _) in &self.columns {
            let stem = STATISTICS.iter().find_map(|s| full.strip_suffix(s));
            let stem = stem.filter(|s| has(format!("{s}Average")));
            let name = stem.unwrap_or(full.strip_prefix(DIAGNOSTICS).unwrap_or(full));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether the returns of its rows come from evaluations, and not from training episodes.
    pub fn is_evaluated(&self) -> bool {
        self.columns.iter().any(|(n, _)| n == "Diagnostics/TrajsInEval")
    }

    /// What to call its configuration where settings do not: the directory without `-s<seed>`, or the one above `s<seed>`.
    pub fn name(&self) -> String {
        let text = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
        let full = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let own = text(&full).unwrap_or_default();
        let short = format!("s{}", self.seed);
        if own == short {
            return full.parent().and_then(text).unwrap_or(own);
        }
        // A name that was taken got a number behind the seed: cartpole-dqn-s0-2.
        match own.rsplit_once(&format!("-{short}")) {
            Some((name, "")) => name.to_owned(),
            Some((name, n)) if n.strip_prefix('-').is_some_and(|n| n.parse::<u64>().is_ok()) => {
                name.to_owned()
            }
            _ => own,
        }
    }
}

/// Letters and digits alone, small.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// Numbers by column; an empty cell is NaN. A line without its end is one that is being written.
fn read_columns(path: &Path) -> Result<Vec<(String, Vec<f64>)>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(whole.as_bytes());
    let unreadable = || format!("{} is not a progress.csv", path.display());
    let names = reader.headers().with_context(unreadable)?.clone();
    let mut columns: Vec<(String, Vec<f64>)> =
        names.iter().map(|n| (n.to_owned(), Vec::new())).collect();
    for row in reader.records() {
        let row = row.with_context(unreadable)?;
        for (i, (_, values)) in columns.iter_mut().enumerate() {
            values.push(row.get(i).and_then(|cell| cell.parse().ok()).unwrap_or(f64::NAN));
        }
    }
    Ok(columns)
}

fn flatten(key: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, into);
            }
        }
        // As if it were not there, which is how older versions wrote it.
        value if value.as_str() == Some(rlcore::config::UNSET) => {}
        value => {
            into.insert(key.to_owned(), shown(value));
        }
    }
}

/// As one writes it behind `--set key=`: `1e-3` for 0.001, text without quotes.
fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(x) if *x != 0.0 && !(0.01..1e5).contains(&x.abs()) => format!("{x:e}"),
        toml::Value::Float(x) => x.to_string(),
        toml::Value::Array(all) => {
            format!("[{}]", all.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run directory with this content.
    fn run(dir: &Path, config: &str, progress: &str) -> Result<Run> {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("config.toml"), config).unwrap();
        std::fs::write(dir.join("progress.csv"), progress).unwrap();
        Run::read(dir)
    }

    const ROWS: &str =
        "Diagnostics/CumSteps,ReturnAverage,ReturnStd,note\n0,nan,,x\n10,2.5,1,\n20,7";

    #[test]
    fn columns_are_found_by_their_stems() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(&dir.path().join("a-s3"), "seed = 3", ROWS).unwrap();
        for name in ["Return", "return", "ReturnAverage"] {
            let (values, full) = run.column(name).unwrap();
            assert_eq!(full, "ReturnAverage");
            assert!(values[0].is_nan() && values[1] == 2.5 && values.len() == 2, "{values:?}");
        }
        assert_eq!(run.column("CumSteps").unwrap().0, [0.0, 10.0]);
        assert_eq!(run.column("cum_steps").unwrap().1, "Diagnostics/CumSteps");
        assert!(run.column("Score").is_none());
        assert_eq!(run.names(), ["CumSteps", "Return", "note"]);
    }

    #[test]
    fn names_leave_the_seed_out() {
        let dir = tempfile::tempdir().unwrap();
        let name = |at: &str| run(&dir.path().join(at), "seed = 3", ROWS).unwrap().name();
        assert_eq!(name("dqn-s3"), "dqn");
        assert_eq!(name("dqn-s3-2"), "dqn");
        assert_eq!(name("wide/s3"), "wide");
        assert_eq!(name("dqn-s33"), "dqn-s33");
    }

    #[test]
    fn settings_are_flat_and_short() {
        let dir = tempfile::tempdir().unwrap();
        let text = "seed = 1\ndevice = \"cpu\"\n[algo]\nlearning_rate = 0.0005\ntau = 0.5\n[agent.model]\nhidden = [64, 64]\n";
        let run = run(&dir.path().join("r"), text, ROWS).unwrap();
        let want = [
            ("agent.model.hidden", "[64, 64]"),
            ("algo.learning_rate", "5e-4"),
            ("algo.tau", "0.5"),
            ("device", "cpu"),
        ];
        let got: Vec<(&str, &str)> =
            run.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!((got.as_slice(), run.seed.as_str()), (want.as_slice(), "1"));
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        let dir = tempfile::tempdir().unwrap();
        assert!(run(&dir.path().join("e"), "seed = 1", "").unwrap().is_empty());
        assert!(run(&dir.path().join("h"), "seed = 1", "a,b\n").unwrap().is_empty());
        assert!(!run(&dir.path().join("r"), "seed = 1", ROWS).unwrap().is_empty());
        let none = read_all(&[dir.path().join("none")]).unwrap_err().to_string();
        assert!(none.contains("there is no run"), "{none}");
    }

    #[test]
    fn a_directory_of_runs_is_its_runs() {
        let dir = tempfile::tempdir().unwrap();
        for seed in [1, 0] {
            let path = dir.path().join(format!("s{seed}"));
            run(&path, &format!("seed = {seed}"), ROWS).unwrap();
        }
        let twice = [dir.path().to_owned(), dir.path().join("s0")];
        let seeds: Vec<String> = read_all(&twice).unwrap().into_iter().map(|r| r.seed).collect();
        assert_eq!(seeds, ["0", "1"]);
    }
}
