//! The command line: refused arguments and settings, readable results, and failures in the middle of a run.
#![allow(missing_docs, clippy::unwrap_used)]
#[path = "cli/columns.rs"]
mod columns;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/names.rs"]
mod names;
#[path = "cli/plots.rs"]
mod plots;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/results.rs"]
mod results;
#[path = "cli/saved.rs"]
mod saved;
#[path = "cli/seeds.rs"]
mod seeds;
#[path = "cli/settings.rs"]
mod settings;
#[path = "cli/slips.rs"]
mod slips;

use std::path::{Path, PathBuf};

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Settings of a run that takes a moment.
const SHORT: [&str; 10] = [
    "sampler.t=8",
    "sampler.b=4",
    "algo.batch_size=16",
    "algo.min_steps_learn=300",
    "agent.model.hidden=[16]",
    "eval.n_envs=2",
    "eval.n_episodes=2",
    "runner.log_interval_steps=128",
    "runner.n_steps=512",
    "runner.stop_return=",
];

fn train(dir: &str, more: &[&str]) -> Vec<String> {
    tests::run::train(dir, SHORT.iter().chain(more).copied())
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect()
}

fn is_empty(dir: &Path) -> bool {
    entries(dir).is_empty()
}

/// Width, height and number of colours of a PNG file.
fn png(path: &Path) -> (u32, u32, usize) {
    let image = tiny_skia::Pixmap::decode_png(&std::fs::read(path).unwrap()).unwrap();
    let pixels = image.pixels().iter().map(|p| (p.red(), p.green(), p.blue()));
    let colours: std::collections::HashSet<_> = pixels.collect();
    (image.width(), image.height(), colours.len())
}
