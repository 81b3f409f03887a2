//! `experiments plot`.
use crate::figure::curve::{curve, points, smooth};
use crate::figure::draw::{Figure, MOST_CURVES};
use crate::figure::group::{Group, groups};
use crate::figure::run::{Run, read_all};
use crate::figure::ticks::time_unit;
use crate::figure::{draw, output};
use anyhow::{Context, Result, bail, ensure};
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

/// What stands under the options.
const READING: &str = "Runs that differ only in their seed are one configuration: a line for the mean over seeds, and a band \
of one standard deviation to each side (of two seeds: from one to the other). Seeds are interpolated onto a common grid, from \
where the last of them begins. One that has ended (solved, or still running) holds its last value, and from there on the line \
is dashed. The legend names the settings that differ.";

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
    /// What the vertical axis shows: a column of progress.csv, or its stem (Return for ReturnAverage, loss for lossAverage).
    #[arg(long, value_name = "COLUMN", default_value = "Return")]
    y: String,
    /// Moving average over this many rows of each run, none after the point itself.
    #[arg(long, value_name = "N", default_value_t = 1)]
    smooth: usize,
    /// File to write [default: plot.svg]; the other of SVG and PNG is written beside it.
    #[arg(long, value_name = "FILE", default_value = "plot.svg", hide_default_value = true)]
    out: PathBuf,
}

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
        let (groups, left_out) = groups(read_all(&self.runs)?);
        for run in &left_out {
            let note = "is left out: a later run has the same settings and seed";
            let _ = writeln!(std::io::stderr(), "note: {} {note}", run.path.display());
        }
        ensure!(
            groups.len() <= MOST_CURVES,
            "{} configurations: more than {MOST_CURVES} in one figure cannot be told apart; give fewer runs",
            groups.len()
        );
        let figure = self.figure(&groups)?;
        if let Some(dir) = self.out.parent() {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let (svg, png) = (self.out.with_extension("svg"), self.out.with_extension("png"));
        atomic_write(&svg, output::svg(&figure)?.as_bytes())?;
        atomic_write(&png, &output::png(&figure)?)?;
        for group in &groups {
            let seeds: Vec<&str> = group.runs.iter().map(|r| r.seed.as_str()).collect();
            crate::say!("{}: seed {}", group.label, seeds.join(", "));
        }
        crate::say!("{}\n{}", svg.display(), png.display());
        Ok(())
    }

    fn figure(&self, groups: &[Group]) -> Result<draw::Figure> {
        let column = match self.x {
            Along::Steps => "Diagnostics/CumSteps",
            Along::Time => "Diagnostics/CumTime (s)",
        };
        let mut curves = Vec::new();
        for group in groups {
            let read = |run: &Run| {
                let (x, y) = (run.column(column)?.0, run.column(&self.y)?.0);
                let seed = points(x, y);
                if seed.is_empty() {
                    bail!(
                        "{} has no number in its column {:?} yet: wait for one, or leave the run out",
                        run.path.display(),
                        self.y
                    );
                }
                Ok(smooth(&seed, self.smooth))
            };
            let seeds = group.runs.iter().map(read).collect::<Result<Vec<_>>>()?;
            let curve = curve(&seeds).with_context(|| {
                format!(
                    "the seeds of {} share no part of the horizontal axis: leave out those that have only begun",
                    group.label
                )
            })?;
            let label = match seeds.len() {
                1 => format!("{} (1 seed)", group.label),
                n => format!("{} ({n} seeds)", group.label),
            };
            curves.push((label, curve));
        }
        let x_label = match self.x {
            Along::Steps => "environment steps".to_owned(),
            Along::Time => {
                let xs = curves.iter().flat_map(|(_, c)| &c.x);
                let (unit, seconds) = time_unit(xs.copied().fold(0.0, f64::max));
                for (_, curve) in &mut curves {
                    curve.x.iter_mut().for_each(|x| *x /= seconds);
                    curve.all_until /= seconds;
                }
                format!("time ({unit})")
            }
        };
        let (title, y_label) = self.titles(groups)?;
        Ok(Figure { title, x_label, y_label, curves })
    }

    /// The environment, where it is the same everywhere, and what is shown of it.
    fn titles(&self, groups: &[Group]) -> Result<(String, String)> {
        let mut runs = groups.iter().flat_map(|g| &g.runs);
        let first = runs.next().context("there is a run")?;
        let (_, full) = first.column(&self.y)?;
        let y = full.strip_prefix("Diagnostics/").unwrap_or(full);
        let mean = y.strip_suffix("Average");
        let env = first.settings.get("env.kind");
        let env = env.filter(|e| runs.all(|r| r.settings.get("env.kind") == Some(*e)));
        let title =
            env.map_or(mean.unwrap_or(y).to_owned(), |e| format!("{e}: {}", mean.unwrap_or(y)));
        let episodes = ["Length", "Return", "NonzeroRewards", "DiscountedReturn"];
        let source = match mean.filter(|m| episodes.contains(m)) {
            Some(_) if groups.iter().flat_map(|g| &g.runs).all(Run::is_evaluated) => {
                ", mean of evaluation episodes"
            }
            Some(_) if !groups.iter().flat_map(|g| &g.runs).any(Run::is_evaluated) => {
                ", mean of training episodes"
            }
            _ => "",
        };
        let smoothed = match self.smooth {
            1 => String::new(),
            n => format!(", smoothed over {n} rows"),
        };
        Ok((title, format!("{}{source}{smoothed}", mean.unwrap_or(y))))
    }
}
