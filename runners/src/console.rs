//! What the user sees: one line a log row under rlpyt's column names, a progress bar on a terminal, and everything but the
//! bar in `log.txt` too.
use indicatif::{ProgressBar, ProgressStyle};
use rlcore::run_dir::FileError;
use rlcore::table::Cell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Columns of the terminal's table: name in progress.csv, digits after the point.
const SHOWN: [(&str, usize); 8] = [
    ("Diagnostics/CumSteps", 0),
    ("Diagnostics/CumUpdates", 0),
    ("ReturnAverage", 1),
    ("ReturnMin", 1),
    ("LengthAverage", 1),
    ("lossAverage", 4),
    ("Diagnostics/StepsPerSecond", 0),
    ("Diagnostics/CumTime (s)", 1),
];

/// Terminal and `log.txt`.
#[derive(Debug)]
pub struct Console {
    log: Option<File>,
    bar: Option<ProgressBar>,
    redrawn: Instant,
    headed: bool,
}

impl Console {
    /// Appends to the file `log`; with a bar of `n_steps` where standard error is a terminal.
    pub fn new(log: Option<&Path>, n_steps: u64) -> Result<Self, FileError> {
        let open = |path: &Path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .map_err(FileError::at("open", path))
        };
        let log = log.map(open).transpose()?;
        let template = "{bar:30.cyan/dim} {percent:>3}% of {len} steps  {msg}  {eta} left";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar =
            std::io::stderr().is_terminal().then(|| ProgressBar::new(n_steps).with_style(style));
        Ok(Self { log, bar, redrawn: Instant::now(), headed: false })
    }

    /// One line for terminal and log.
    pub fn line(&mut self, text: &str) {
        self.log_line(text);
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// One line for the log alone.
    pub fn log_line(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            // A full disk shows itself where it matters: in progress.csv and checkpoints.
            let _ = writeln!(log, "{text}");
        }
    }

    /// A row of progress.csv, shortened.
    pub fn row(&mut self, row: &[(String, Cell)]) {
        let name = |full: &str| full.rsplit('/').next().unwrap_or(full).to_owned();
        if !self.headed {
            self.headed = true;
            let head: Vec<String> = SHOWN.iter().map(|(n, _)| format!("{:>16}", name(n))).collect();
            self.line(&head.join(""));
        }
        let cell = |(column, digits): &(&str, usize)| {
            let value = row.iter().find(|(n, _)| n == column).map(|(_, cell)| cell);
            let text = match value {
                Some(Cell::Float(v)) if v.is_nan() => "-".into(),
                Some(Cell::Float(v)) => format!("{v:.digits$}"),
                Some(Cell::Int(v)) => v.to_string(),
                Some(Cell::Text(v)) => v.clone(),
                None => "-".into(),
            };
            format!("{text:>16}")
        };
        let text: Vec<String> = SHOWN.iter().map(cell).collect();
        self.line(&text.join(""));
    }

    /// Moves the bar, at most ten times a second.
    pub fn progress(&mut self, env_steps: u64, steps_per_second: f64, recent_return: Option<f64>) {
        let Some(bar) = &self.bar else { return };
        if self.redrawn.elapsed() > Duration::from_millis(100) {
            self.redrawn = Instant::now();
            let seen = recent_return.map_or(String::new(), |r| format!("return {r:.1}  "));
            bar.set_message(format!("{seen}{steps_per_second:.0} steps/s"));
            bar.set_position(env_steps);
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Standard output may be a closed pipe (`| head`): no reason to stop a run.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
