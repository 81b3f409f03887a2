//! Output for the user: one line per log row, and a progress bar on a terminal. Everything except the bar is also written to
//! `log.txt`. All lines fit into 80 columns.
use crate::config::RunnerConfig;
use crate::record::Record;
use crate::speed::Speed;
use ::console::style;
use indicatif::{ProgressBar, ProgressStyle};
use rlcore::file::FileError;
use rlcore::table::Cell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Columns of the table on the terminal: heading, width in characters, column of progress.csv, digits after the decimal point.
const SHOWN: [(&str, usize, &str, usize); 8] = [
    ("steps", 11, "Diagnostics/CumSteps", 0),
    ("updates", 10, "Diagnostics/CumUpdates", 0),
    ("return", 10, "ReturnAverage", 1),
    ("lowest", 10, "ReturnMin", 1),
    ("length", 9, "LengthAverage", 1),
    ("loss", 10, "lossAverage", 4),
    ("steps/s", 10, "Diagnostics/StepsPerSecond", 0),
    ("seconds", 9, "Diagnostics/CumTime (s)", 1),
];

/// Length of the progress bar, in its own units.
const PARTS: f64 = 1000.0;

/// Where it is shown how far a run is.
enum Shown {
    Nowhere,
    Bar(ProgressBar),
    Elsewhere(Tell),
}

/// Told the share of the run that is done, and its state in words.
type Tell = Box<dyn FnMut(f64, &str) + Send>;

/// Writes to the terminal and to `log.txt`.
pub struct Console {
    log: Option<File>,
    shown: Shown,
    speed: Speed,
    status: String,
    /// Share of the run that is done.
    done: f64,
    redrawn: Instant,
    headed: bool,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Console({:?})", self.status)
    }
}

impl Console {
    /// Appends to the file `log` if one is given. A progress bar is shown if standard error is a terminal.
    pub fn new(log: Option<&Path>) -> Result<Self, FileError> {
        let open = |path: &Path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .map_err(FileError::at("open", path))
        };
        let log = log.map(open).transpose()?;
        let style = ProgressStyle::with_template("{wide_bar:.cyan/dim} {percent:>3}%  {msg}")
            .map_or_else(|_| ProgressStyle::default_bar(), |s| s.progress_chars("━╸─"));
        let shown = if std::io::stderr().is_terminal() {
            Shown::Bar(ProgressBar::new(PARTS as u64).with_style(style))
        } else {
            Shown::Nowhere
        };
        let (speed, status) = (Speed::default(), String::new());
        Ok(Self { log, shown, speed, status, done: 0.0, redrawn: Instant::now(), headed: false })
    }

    /// Instead of a progress bar, `show` is called ten times a second at most: with the share of the run that is done, within 0 and 1,
    /// and a line of text (steps, return, speed, time left).
    pub fn show_elsewhere(&mut self, show: impl FnMut(f64, &str) + Send + 'static) {
        self.shown = Shown::Elsewhere(Box::new(show));
    }

    /// Writes one line to the terminal and to the log.
    pub fn line(&mut self, text: &str) {
        self.log_line(text);
        self.say(text);
    }

    /// Writes one line to the log only.
    pub fn log_line(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            // Ignored: on a full disk, writing progress.csv or a checkpoint fails too and ends the run with an error.
            let _ = writeln!(log, "{text}");
        }
    }

    /// Prints a row of progress.csv: the columns of [`SHOWN`] only.
    pub(crate) fn row(&mut self, row: &[(String, Cell)]) {
        if !self.headed {
            self.headed = true;
            let head = SHOWN.iter().map(|(heading, width, ..)| format!("{heading:>width$}"));
            let head: String = head.collect();
            self.log_line(&head);
            self.say(&style(head).bold().to_string());
        }
        let cell = |(_, width, column, digits): &(&str, usize, &str, usize)| {
            let text = match row.iter().find(|(n, _)| n == column).map(|(_, cell)| cell) {
                Some(Cell::Float(v)) => number(*v, *digits),
                Some(Cell::Int(v)) => v.to_string(),
                Some(Cell::Text(v)) => v.clone(),
                None => "-".into(),
            };
            format!(" {text:>width$}", width = width - 1)
        };
        self.line(&SHOWN.iter().map(cell).collect::<String>());
    }

    /// Updates the progress bar, at most ten times per second.
    pub(crate) fn progress(&mut self, record: &Record, config: &RunnerConfig) {
        if matches!(self.shown, Shown::Nowhere) {
            return;
        }
        let steps = record.env_steps.0;
        self.speed.seen(steps, record.seconds, record.seconds - record.eval_seconds);
        if self.redrawn.elapsed() < Duration::from_millis(100) {
            return;
        }
        self.redrawn = Instant::now();
        let mut done = steps as f64 / config.n_steps as f64;
        let mut left = self.speed.seconds_for(config.n_steps.saturating_sub(steps));
        if let Some(limit) = config.stop_seconds {
            let until = (limit - record.seconds).max(0.0);
            done = done.max(record.seconds / limit);
            left = Some(left.map_or(until, |left| left.min(until)));
        }
        let steps = format!("{}/{} steps", readable(steps), readable(config.n_steps));
        let seen = record.recent_return().map(|r| format!("training return {}", number(r, 1)));
        let speed = self.speed.steps_per_second();
        let speed = speed.map(|s| format!("{} steps/s", readable(s as u64)));
        let parts = [Some(steps), seen, speed].into_iter().flatten();
        self.status = parts.map(|part| part + "  ").collect();
        let left = left.map_or(String::new(), |s| format!("{} left", clock(s)));
        let done = done.min(1.0);
        self.show(done, &left);
        self.done = done;
    }

    /// Shows the status with `more` behind it.
    fn show(&mut self, done: f64, more: &str) {
        let text = format!("{}{more}", self.status);
        match &mut self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => {
                bar.set_message(text);
                bar.set_position((done * PARTS) as u64);
            }
            Shown::Elsewhere(show) => show(done, &text),
        }
    }

    /// Shows on the bar what the run is doing while the bar does not move, for example "evaluating".
    pub(crate) fn busy(&mut self, with: &str) {
        self.show(self.done, with);
    }

    /// Removes the bar.
    pub(crate) fn finish(&mut self) {
        if let Shown::Bar(bar) = std::mem::replace(&mut self.shown, Shown::Nowhere) {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        // Errors are ignored: standard output may be a closed pipe (`| head`), which must not end a run.
        let say = || drop(writeln!(std::io::stdout(), "{text}"));
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(say),
            Shown::Nowhere | Shown::Elsewhere(_) => say(),
        }
    }
}

/// Formats `value` with `digits` digits after the decimal point, or in scientific notation where that would round to zero or
/// exceed eight characters; `-` for NaN.
fn number(value: f64, digits: usize) -> String {
    let plain = format!("{value:.digits$}");
    let vanishes = digits > 1 && value != 0.0 && plain.trim_start_matches('-').parse() == Ok(0.0);
    match () {
        () if value.is_nan() => "-".into(),
        () if plain.len() <= 8 && !vanishes => plain,
        () => format!("{value:.1e}"),
    }
}

/// Formats a count with three significant digits and a unit: 9999, 10.0k, 123k, 1.23M.
fn readable(n: u64) -> String {
    if n < 10_000 {
        return n.to_string();
    }
    let mut value = n as f64;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        // From here on, three significant digits would round to 1000 of this unit.
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = next;
    }
    let digits = usize::from(value < 99.95) + usize::from(value < 9.995);
    format!("{value:.digits$}{unit}")
}

/// Formats a duration as minutes and seconds, or hours, minutes and seconds: 0:42, 12:34, 1:02:03.
fn clock(seconds: f64) -> String {
    let s = seconds.round() as u64;
    let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_eighty_columns_whatever_the_numbers() {
        assert!(SHOWN.iter().map(|(_, width, ..)| width).sum::<usize>() < 80);
        for (heading, width, _, digits) in SHOWN {
            for v in [-12_345.678, 1e300, -1e-300, 9_999_999.95, f64::NAN, f64::INFINITY, 0.0] {
                assert!(number(v, digits).len() < width, "{heading}: {}", number(v, digits));
            }
        }
        assert_eq!(number(-12_345.678, 1), "-12345.7");
        assert_eq!((number(0.000_012, 4), number(0.01, 1)), ("1.2e-5".into(), "0.0".into()));
        assert_eq!((number(0.0, 4), number(f64::NAN, 4)), ("0.0000".into(), "-".into()));
    }

    #[test]
    fn numbers_are_short() {
        let wanted = [
            (9999, "9999"),
            (10_000, "10.0k"),
            (99_950, "100k"),
            (400_000, "400k"),
            (999_499, "999k"),
            (999_500, "1.00M"),
            (1_234_567, "1.23M"),
            (50_000_000, "50.0M"),
            (u64::MAX, "18.4E"),
        ];
        for (n, text) in wanted {
            assert_eq!(readable(n), text);
        }
        for (s, text) in [(0.2, "0:00"), (42.0, "0:42"), (754.0, "12:34"), (3723.4, "1:02:03")] {
            assert_eq!(clock(s), text);
        }
    }
}
