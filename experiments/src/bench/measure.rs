//! Contenders take turns in short windows, in an order that alternates; ratios are of windows of the same round, so that a
//! noisy machine disturbs both sides. CPU seconds are counted beside, so that spinning does not pass for speed.
use super::company::Company;
use anyhow::Result;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Something that makes environment steps.
pub(super) struct Contender {
    pub(super) name: String,
    /// Works for a moment and says how many steps that were.
    pub(super) work: Box<dyn FnMut() -> Result<u64>>,
    /// Processes that work for it beside this one.
    pub(super) pids: Vec<i32>,
    /// Works at the same time.
    company: Option<(Company, Steps)>,
}

/// Whose the steps of a process beside a contender are.
#[derive(Clone, Copy, PartialEq)]
enum Steps {
    /// The contender's: the two do its work together.
    Counted,
    /// Nobody's: it only takes CPU, or does part of what the contender counts.
    Uncounted,
}

impl Contender {
    /// One that works alone.
    pub(super) fn new(
        name: String,
        pids: Vec<i32>,
        work: impl FnMut() -> Result<u64> + 'static,
    ) -> Self {
        Self { name, work: Box::new(work), pids, company: None }
    }

    /// The same while `company` works, whose steps and CPU seconds are not counted.
    pub(super) fn beside(mut self, company: Company) -> Self {
        self.company = Some((company, Steps::Uncounted));
        self
    }

    /// The same together with `company`, whose steps and CPU seconds are counted as the contender's.
    pub(super) fn together_with(mut self, company: Company) -> Self {
        self.pids.extend(&company.pids);
        self.company = Some((company, Steps::Counted));
        self
    }
}

/// One window.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) rate: f64,
    pub(super) cpu_seconds_per_million: f64,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) rounds: usize,
    pub(super) window: Duration,
    pub(super) warm_up: Duration,
}

/// Seconds of CPU that these processes and this one have used.
fn cpu_seconds(pids: &[i32]) -> f64 {
    let of = |pid: String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Fields 14 and 15, counted after the command's closing bracket; ticks of 10 ms.
        let rest = stat.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_owned());
        let ticks = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|t| t.parse::<f64>().ok())
            .sum::<f64>();
        ticks / 100.0
    };
    std::iter::once("self".to_owned()).chain(pids.iter().map(ToString::to_string)).map(of).sum()
}

/// Works for `length` or a little longer; steps and seconds.
pub(super) fn work_for(c: &mut Contender, length: Duration) -> Result<(u64, f64)> {
    let begun = Instant::now();
    let mut steps = 0;
    while begun.elapsed() < length {
        steps += (c.work)()?;
    }
    Ok((steps, begun.elapsed().as_secs_f64()))
}

fn window(c: &mut Contender, length: Duration) -> Result<Window> {
    if let Some((company, _)) = &c.company {
        company.begin(length)?;
    }
    let cpu = cpu_seconds(&c.pids);
    let (steps, seconds) = work_for(c, length)?;
    let mut rate = steps as f64 / seconds;
    if let Some((company, steps)) = &c.company {
        let its = company.end()?;
        rate += if *steps == Steps::Counted { its } else { 0.0 };
    }
    let cpu = cpu_seconds(&c.pids) - cpu;
    Ok(Window { rate, cpu_seconds_per_million: cpu / (rate * seconds) * 1e6 })
}

/// Windows of every contender, one a round.
pub(super) fn measure(contenders: &mut [Contender], p: Protocol) -> Result<Vec<Vec<Window>>> {
    for c in contenders.iter_mut() {
        window(c, p.warm_up)?;
    }
    let n = contenders.len();
    let mut out = vec![Vec::new(); n];
    for round in 0..p.rounds {
        for turn in 0..n {
            let i = if round % 2 == 0 { turn } else { n - 1 - turn };
            out[i].push(window(&mut contenders[i], p.window)?);
        }
    }
    Ok(out)
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 { f64::NAN } else { f64::midpoint(values[(n - 1) / 2], values[n / 2]) }
}

/// Median distance from the median.
pub(super) fn mad(values: &[f64]) -> f64 {
    let middle = median(values.to_vec());
    median(values.iter().map(|v| (v - middle).abs()).collect())
}

/// Median over rounds of `a / b`.
pub(super) fn ratio(a: &[Window], b: &[Window]) -> f64 {
    median(a.iter().zip(b).map(|(a, b)| a.rate / b.rate).collect())
}

pub(super) fn median_rate(a: &[Window]) -> f64 {
    median(a.iter().map(|w| w.rate).collect())
}

/// `1.23M`, `456k`, `7.8k`.
pub(super) fn readable(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.2}M", r / 1e6),
        r if r >= 1e4 => format!("{:.0}k", r / 1e3),
        r => format!("{:.1}k", r / 1e3),
    }
}

/// Raw measurements as CSV.
pub(super) fn raw(group: &str, contenders: &[Contender], windows: &[Vec<Window>]) -> String {
    let mut out = String::new();
    for (c, windows) in contenders.iter().zip(windows) {
        for (round, w) in windows.iter().enumerate() {
            // Writing into a String cannot fail.
            let _ = writeln!(
                out,
                "\"{group}\",\"{}\",{round},{:.0},{:.4}",
                c.name, w.rate, w.cpu_seconds_per_million
            );
        }
    }
    out
}
