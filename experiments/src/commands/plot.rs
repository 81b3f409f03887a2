//! `experiments plot`.
use crate::figure::curve::{curve, points, smooth};
use crate::figure::draw::{Figure, Line, MOST_CURVES, Panel};
use crate::figure::group::{Group, groups};
use crate::figure::output;
use crate::figure::run::{Run, read_all};
use crate::figure::ticks::time_unit;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use rlcore::file::atomic_write;
use std::io::Write;
use std::path::PathBuf;

/// What runs are compared along.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Along {
    /// Environment steps.
    Steps,
    /// Wall time of the run, evaluation included.
    Time,
}

impl Along {
    fn column(self) -> &'static str {
        match self {
            Self::Steps => "Diagnostics/CumSteps",
            Self::Time => "Diagnostics/CumTime (s)",
        }
    }
}

/// What stands under the options.
const READING: &str = "Each environment has a panel of its own. Runs that differ only in their seed are one configuration: a line \
for the mean over seeds, and a band of one standard deviation to each side (of two seeds: from one to the other). Seeds are \
interpolated onto a common grid, from where the last of them begins. One that has ended (solved, or still running) holds its last \
value, and from there on the line is dashed. The legend names the settings that differ. Runs that have not logged the column are \
left out, and named.";

/// Arguments of `plot`.
#[derive(Debug, Args)]
#[command(after_help = READING)]
pub(super) struct PlotArgs {
    /// Run directories, or directories that hold some.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// What the horizontal axis shows.
    #[arg(long, value_enum, default_value = "steps")]
    x: Along,
    /// What the vertical axis shows: a column of progress.csv, such as epsilon, or its stem, such as Return (evaluation), TrainReturn
    /// (training episodes), loss, for the mean.
    #[arg(long, value_name = "COLUMN", default_value = "Return")]
    y: String,
    /// Moving average over this many rows of each run, none after the point itself.
    #[arg(long, value_name = "N", default_value_t = 1)]
    smooth: usize,
    /// File to write [default: plot.svg]; the other of SVG and PNG is written beside it.
    #[arg(long, value_name = "FILE", default_value = "plot.svg", hide_default_value = true)]
    out: PathBuf,
}

/// The configurations of one environment.
type Environment = (String, Vec<Group>);

impl PlotArgs {
    pub(super) fn run(self) -> Result<()> {
        ensure!(self.smooth > 0, "--smooth 0: it must be at least 1, which changes nothing");
        let known = ["svg", "png"];
        let extension = self.out.extension().and_then(|e| e.to_str());
        ensure!(
            extension.is_none_or(|e| known.contains(&e)),
            "--out {}: SVG and PNG are what can be written; end the name in .svg or .png",
            self.out.display()
        );
        let environments = environments(self.drawable(read_all(&self.runs)?)?);
        for (_, groups) in &environments {
            ensure!(
                groups.len() <= MOST_CURVES,
                "{} configurations: more than {MOST_CURVES} on one pair of axes cannot be told apart; give fewer runs",
                groups.len()
            );
        }
        let figure = self.figure(&environments)?;
        if let Some(dir) = self.out.parent() {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let (svg, png) = (self.out.with_extension("svg"), self.out.with_extension("png"));
        atomic_write(&svg, output::svg(&figure)?.as_bytes())?;
        atomic_write(&png, &output::png(&figure)?)?;
        for (name, groups) in &environments {
            for group in groups {
                let seeds: Vec<&str> = group.runs.iter().map(|r| r.seed.as_str()).collect();
                let panel =
                    if environments.len() > 1 { format!("{name}: ") } else { String::new() };
                crate::say!("{panel}{}: seed {}", group.label, seeds.join(", "));
            }
        }
        crate::say!("{}\n{}", svg.display(), png.display());
        Ok(())
    }

    /// The runs that have something to show; the others are named. An error where there is none.
    fn drawable(&self, runs: Vec<Run>) -> Result<Vec<Run>> {
        let why_not = |run: &Run| {
            if run.is_empty() {
                return Some("has no row in its progress.csv yet".to_owned());
            }
            let Some((y, _)) = run.column(&self.y) else {
                return Some(format!("has no column {:?}", self.y));
            };
            let x = run.column(self.x.column()).map(|(x, _)| x);
            let Some(x) = x else { return Some(format!("has no column {:?}", self.x.column())) };
            let none = points(x, y).is_empty();
            none.then(|| format!("has no number in its column {:?} yet", self.y))
        };
        let mut names: Vec<String> = Vec::new();
        for name in runs.iter().flat_map(Run::names) {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        let mut kept = Vec::new();
        // By reason.
        let mut left_out: Vec<(String, Vec<String>)> = Vec::new();
        for run in runs {
            let Some(why) = why_not(&run) else {
                kept.push(run);
                continue;
            };
            let path = run.path.display().to_string();
            match left_out.iter_mut().find(|(w, _)| *w == why) {
                Some((_, paths)) => paths.push(path),
                None => left_out.push((why, vec![path])),
            }
        }
        if kept.is_empty() {
            let none = match left_out.iter().map(|(_, paths)| paths.len()).sum() {
                1 => String::new(),
                n => format!("none of these {n} runs can be drawn: "),
            };
            let there = if names.is_empty() {
                "wait for its first log interval (runner.log_interval_steps)".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            let (why, paths) = &left_out[0];
            anyhow::bail!("{none}{} {why}; {there}", paths[0]);
        }
        for (why, paths) in left_out {
            let _ = writeln!(std::io::stderr(), "note: left out: {} ({why})", paths.join(", "));
        }
        Ok(kept)
    }

    fn figure(&self, environments: &[Environment]) -> Result<Figure> {
        // The same label has the same colour in every panel, as long as there are enough.
        let mut labels: Vec<&str> = Vec::new();
        for group in environments.iter().flat_map(|(_, groups)| groups) {
            if !labels.contains(&group.label.as_str()) {
                labels.push(&group.label);
            }
        }
        let shared = labels.len() <= MOST_CURVES;
        let panel = |(name, groups): &Environment| -> Result<Panel> {
            let mut lines = Vec::new();
            for (i, group) in groups.iter().enumerate() {
                let everywhere = labels.iter().position(|l| *l == group.label);
                let colour = everywhere.filter(|_| shared).unwrap_or(i);
                lines.push(self.line(group, colour)?);
            }
            let x_label = match self.x {
                Along::Steps => "environment steps".to_owned(),
                Along::Time => in_readable_time(&mut lines),
            };
            let (what, y_label) = self.titles(groups);
            Ok(Panel { title: format!("{name}: {what}"), x_label, y_label, lines })
        };
        Ok(Figure { panels: environments.iter().map(panel).collect::<Result<_>>()? })
    }

    fn line(&self, group: &Group, colour: usize) -> Result<Line> {
        let seed = |run: &Run| {
            let (x, y) = (run.column(self.x.column())?.0, run.column(&self.y)?.0);
            Some(smooth(&points(x, y), self.smooth))
        };
        let seeds: Vec<_> = group.runs.iter().filter_map(seed).collect();
        let curve = curve(&seeds).context("a group has a run, and each has a point")?;
        let label = match seeds.len() {
            1 => format!("{} (1 seed)", group.label),
            n => format!("{} ({n} seeds)", group.label),
        };
        Ok(Line { label, colour, curve })
    }

    /// What is shown, and how the vertical axis says it.
    fn titles(&self, groups: &[Group]) -> (String, String) {
        let runs = || groups.iter().flat_map(|g| &g.runs);
        let full = runs().find_map(|r| r.column(&self.y)).map_or(self.y.as_str(), |(_, n)| n);
        let y = full.strip_prefix("Diagnostics/").unwrap_or(full);
        let mean = y.strip_suffix("Average");
        let what = match mean.unwrap_or(y) {
            "TrainReturn" => "training return",
            "learningRate" => "learning rate",
            other => other,
        };
        let episodes = ["Length", "Return", "NonzeroRewards", "DiscountedReturn"];
        let source = match mean {
            Some("TrainReturn") => ", mean since the last row",
            Some(m) if episodes.contains(&m) && runs().all(Run::is_evaluated) => {
                ", mean of evaluation episodes"
            }
            Some(m) if episodes.contains(&m) && !runs().any(Run::is_evaluated) => {
                ", mean of training episodes"
            }
            _ => "",
        };
        let smoothed = match self.smooth {
            1 => String::new(),
            n => format!(", smoothed over {n} rows"),
        };
        (what.to_owned(), format!("{what}{source}{smoothed}"))
    }
}

/// Runs by environment, in the order of their first runs, and those of each by configuration. Runs that a later one repeats are
/// named and left out.
fn environments(runs: Vec<Run>) -> Vec<Environment> {
    let mut by_name: Vec<(String, Vec<Run>)> = Vec::new();
    for run in runs {
        let name = run.settings.get("env.kind").map_or("runs", |e| e.as_str()).to_owned();
        match by_name.iter_mut().find(|(n, _)| *n == name) {
            Some((_, all)) => all.push(run),
            None => by_name.push((name, vec![run])),
        }
    }
    let grouped = by_name.into_iter().map(|(name, runs)| {
        let (groups, repeated) = groups(runs);
        for run in &repeated {
            let note = "is left out: a later run has the same settings and seed";
            let _ = writeln!(std::io::stderr(), "note: {} {note}", run.path.display());
        }
        (name, groups)
    });
    grouped.collect()
}

/// Turns seconds into the unit that suits the longest; the axis' name.
fn in_readable_time(lines: &mut [Line]) -> String {
    let longest = lines.iter().flat_map(|l| &l.curve.x).copied().fold(0.0, f64::max);
    let (unit, seconds) = time_unit(longest);
    for line in lines {
        line.curve.x.iter_mut().for_each(|x| *x /= seconds);
        line.curve.all_until /= seconds;
    }
    format!("time ({unit})")
}
