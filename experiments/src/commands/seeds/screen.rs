//! What the user sees of runs side by side: a bar for each on a terminal, plain lines elsewhere.
use super::work::Work;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal;
use std::path::Path;

/// A bar counts in this many parts.
const PARTS: f64 = 1000.0;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Screen {
    /// None where standard error is no terminal.
    bars: Option<MultiProgress>,
    by_seed: BTreeMap<u64, ProgressBar>,
    said: HashSet<String>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, by_seed: BTreeMap::new(), said: HashSet::new() }
    }

    /// A line above the bars.
    fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| crate::say!("{text}")),
            None => crate::say!("{text}"),
        }
    }

    pub(super) fn begun(&mut self, seed: u64, dir: &Path) {
        let Some(bars) = &self.bars else {
            self.say(&format!("seed {seed}: in {}", dir.display()));
            return;
        };
        let style = "{prefix} {wide_bar:.cyan/dim} {percent:>3}%  {msg}";
        let style = ProgressStyle::with_template(style)
            .map_or_else(|_| ProgressStyle::default_bar(), |s| s.progress_chars("━╸─"));
        let bar = bars.add(ProgressBar::new(PARTS as u64).with_style(style));
        bar.set_prefix(format!("seed {seed}"));
        bar.set_message("starting");
        self.by_seed.insert(seed, bar);
    }

    pub(super) fn status(&mut self, seed: u64, done: f64, text: String) {
        if let Some(bar) = self.by_seed.get(&seed) {
            bar.set_position((done * PARTS) as u64);
            bar.set_message(text);
        }
    }

    /// A line of a run. Beside bars only notes are said, each once: the rows are in the run's log.
    pub(super) fn line(&mut self, seed: u64, text: &str) {
        let is_note = text.starts_with("note: ");
        if self.bars.is_none() || (is_note && self.said.insert(text.to_owned())) {
            self.say(&format!("seed {seed}: {text}"));
        }
    }

    pub(super) fn stopping(&mut self, running: usize) {
        self.say(&format!(
            "stopping: {running} {} this iteration and write a checkpoint; a second signal ends them at once",
            if running == 1 { "run finishes" } else { "runs finish" }
        ));
    }

    /// The run's process has ended; `failure`: why it did not end in order.
    pub(super) fn ended(&mut self, work: &Work, failure: Option<&str>) {
        if let Some(bar) = self.by_seed.remove(&work.seed) {
            bar.finish_and_clear();
        }
        match failure {
            Some(why) => self.say(&format!("seed {} failed: {why}", work.seed)),
            None => self.say(&format!("seed {}: {}", work.seed, super::table::state(work))),
        }
    }
}
