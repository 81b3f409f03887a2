//! Contenders take turns in short windows, in alternating order. Ratios compare windows of the same round, so that a noisy
//! machine disturbs both sides. CPU seconds are reported too, so that spinning does not pass for speed.
use super::company::Company;
use anyhow::Result;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Something whose environment steps per second are measured.
pub(super) struct Contender {
    pub(super) name: String,
    /// Works for a moment and returns the number of environment steps.
    pub(super) work: Box<dyn FnMut() -> Result<u64>>,
    /// Processes that work for it, apart from this one; their CPU seconds count.
    pub(super) pids: Vec<i32>,
    /// A process that works during its windows.
    company: Option<(Company, Steps)>,
}

/// Whether the steps of a process that works beside a contender count as the contender's.
#[derive(Clone, Copy, PartialEq)]
enum Steps {
    /// They count: the two do the contender's work together.
    Counted,
    /// They do not: the process only takes CPU, or the contender counts its steps already.
    Uncounted,
}

impl Contender {
    /// A contender that works alone.
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

/// Measurements of one window.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) rate: f64,
    pub(super) cpu_seconds_per_million: f64,
}

/// Number and length of the windows.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) rounds: usize,
    pub(super) window: Duration,
    pub(super) warm_up: Duration,
}

/// CPU seconds that this process and `pids` have used since their start.
fn cpu_seconds(pids: &[i32]) -> f64 {
    let of = |pid: String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Fields 14 and 15 of the line: user and system time in ticks of 10 ms. The command, field 2, may contain spaces.
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

/// Lets a contender work for `length` or a little longer; returns its steps and seconds.
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

/// Measures all contenders: one window per contender and round. Indexed by contender, then by round.
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

/// Median absolute deviation from the median.
pub(super) fn mad(values: &[f64]) -> f64 {
    let middle = median(values.to_vec());
    median(values.iter().map(|v| (v - middle).abs()).collect())
}

/// Median over rounds of the ratio of rates `a / b`.
pub(super) fn ratio(a: &[Window], b: &[Window]) -> f64 {
    median(a.iter().zip(b).map(|(a, b)| a.rate / b.rate).collect())
}

pub(super) fn median_rate(a: &[Window]) -> f64 {
    median(a.iter().map(|w| w.rate).collect())
}

/// Formats a rate: `1.23M`, `456k`, `7.8k`.
pub(super) fn readable(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.2}M", r / 1e6),
        r if r >= 1e4 => format!("{:.0}k", r / 1e3),
        r => format!("{:.1}k", r / 1e3),
    }
}

/// The measurements as lines of CSV, one per window.
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
