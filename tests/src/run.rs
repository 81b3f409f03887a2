//! Runs of the command line, as commands and on the disk.
use rlcore::checkpoint::latest;
use std::path::{Path, PathBuf};

/// Arguments that train `cartpole-dqn` in the run directory `dir` with these settings.
pub fn train<'a>(dir: &str, sets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let command = ["train", "cartpole-dqn", "--run-dir", dir];
    let sets = sets.into_iter().flat_map(|set| ["--set", set]);
    command.into_iter().chain(sets).map(str::to_owned).collect()
}

/// The newest checkpoint of a run.
///
/// # Panics
/// Where there is none.
pub fn newest(run: &Path) -> PathBuf {
    latest(&run.join("checkpoints")).expect("checkpoints").expect("a checkpoint")
}

/// Columns of `progress.csv` that hold times, or what is computed from times.
const TIMES: [&str; 5] = [
    "Diagnostics/CumTime (s)",
    "Diagnostics/StepsPerSecond",
    "Diagnostics/UpdatesPerSecond",
    "Diagnostics/CumEvalTime",
    "Diagnostics/CumTrainTime",
];

/// Rows of a run's `progress.csv` without times, the header first. No cell of ours needs quotes.
pub fn progress(run: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(run.join("progress.csv")).expect("a log");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let header = lines.first().expect("a header");
    let kept: Vec<usize> = (0..header.len()).filter(|i| !TIMES.contains(&header[*i])).collect();
    assert!(kept.len() < header.len(), "no times in {header:?}");
    lines.iter().map(|line| kept.iter().map(|i| line[*i].to_owned()).collect()).collect()
}
