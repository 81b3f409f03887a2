//! `experiments bench samplers`: the speed of every sampler relative to a bound, the bare work that it cannot avoid.
use super::bounds;
use super::collecting::{Policy, sampler};
use super::jobs::{Job, mlp_on_two_cores, mlp_with_steps_on_two_cores, random_on_two_cores};
use super::measure::{
    Contender, Protocol, Window, measure, median, median_rate, ratio, raw, readable,
};
use super::ping_pong::ping_pong;
use anyhow::{Context, Result, bail};
use rlcore::envs::{CartPole, Slow};
use rlcore::{BatchSpec, EnvFactory, affinity};
use samplers::SamplerKind;
use samplers::SamplerKind::{Alternating, Cpu, Gpu, Serial};
use std::path::Path;
use std::time::{Duration, Instant};

/// Contenders that are measured side by side, and the lines of their table.
struct Group {
    name: String,
    policy: Policy,
    t: usize,
    b: usize,
    env: EnvFactory,
    contenders: Vec<Contender>,
    lines: Vec<Line>,
}

/// One line of the table: a contender, and the ratio that its goal refers to.
struct Line {
    who: usize,
    versus: Versus,
    what: &'static str,
    goal: Option<f64>,
}

enum Versus {
    Nothing,
    /// Relative to this contender.
    Of(usize),
    /// Relative to the fastest of these contenders in each round.
    BestOf(Vec<usize>),
}

impl Group {
    fn new(policy: Policy, t: usize, b: usize) -> Result<Self> {
        Ok(Self {
            name: format!("{}, B={b}, T={t}", policy.name()),
            policy,
            t,
            b,
            env: EnvFactory::new(&CartPole::default())?,
            contenders: vec![],
            lines: vec![],
        })
    }

    fn add(&mut self, contender: Contender) -> usize {
        self.contenders.push(contender);
        self.contenders.len() - 1
    }

    fn sampler(&mut self, kind: SamplerKind, workers: usize) -> Result<usize> {
        let spec = BatchSpec { t: self.t, b: self.b };
        Ok(self.add(sampler(self.policy, kind, workers, spec, &self.env)?))
    }

    fn line(&mut self, who: usize, versus: Versus, what: &'static str, goal: Option<f64>) {
        self.lines.push(Line { who, versus, what, goal });
    }

    fn print(&self, windows: &[Vec<Window>]) -> usize {
        crate::say!("\n{:<34}{:>10}  {:>8}  ratio", self.name, "steps/s", "CPU-s/M");
        let mut missed = 0;
        for line in &self.lines {
            let w = &windows[line.who];
            let cpu = median(w.iter().map(|w| w.cpu_seconds_per_million).collect());
            let value = match &line.versus {
                Versus::Nothing => None,
                Versus::Of(other) => Some(ratio(w, &windows[*other])),
                Versus::BestOf(all) => {
                    let best =
                        |r: usize| all.iter().map(|i| windows[*i][r].rate).fold(0.0, f64::max);
                    Some(median(w.iter().enumerate().map(|(r, w)| w.rate / best(r)).collect()))
                }
            };
            let verdict = match (value, line.goal) {
                (Some(v), Some(goal)) if v < goal => {
                    missed += 1;
                    format!("  MISSED, goal {goal:.2}")
                }
                (_, Some(goal)) => format!("  goal {goal:.2}"),
                _ => String::new(),
            };
            let value = value.map_or(String::new(), |v| format!("{v:.2} {}", line.what));
            crate::say!(
                "  {:<32}{:>10}  {cpu:>8.3}  {value}{verdict}",
                self.contenders[line.who].name,
                readable(median_rate(w))
            );
        }
        missed
    }
}

const ONE_CORE: &str = "of the bare work on one core";
const TWO_CORES: &str = "of the bare work on two cores at once, B/2 rows each";
const ITS_BEST: &str = "of this sampler's best";

fn random() -> Result<Group> {
    let mut g = Group::new(Policy::Random, 64, 1024)?;
    let (bound, halves) = (g.add(bounds::random(1024)?), g.add(random_on_two_cores(1024)?));
    let serial = g.sampler(Serial, 1)?;
    g.line(bound, Versus::Nothing, "", None);
    g.line(halves, Versus::Of(bound), ONE_CORE, None);
    g.line(serial, Versus::Of(bound), ONE_CORE, Some(0.7));
    let (one, two, four) = (g.sampler(Cpu, 1)?, g.sampler(Cpu, 2)?, g.sampler(Cpu, 4)?);
    g.line(one, Versus::Of(bound), ONE_CORE, None);
    g.line(two, Versus::Of(halves), TWO_CORES, Some(0.7));
    g.line(two, Versus::Of(serial), "times serial", None);
    g.line(four, Versus::BestOf(vec![one, two, four]), ITS_BEST, None);
    Ok(g)
}

/// All samplers with the MLP. The goals for four workers depend on the number of environments.
fn mlp(t: usize, b: usize) -> Result<Group> {
    let mut g = Group::new(Policy::Mlp(64), t, b)?;
    let (whole, halves) = (g.add(bounds::mlp(b)?), g.add(mlp_on_two_cores(b)?));
    g.line(whole, Versus::Nothing, "", None);
    let serial = g.sampler(Serial, 1)?;
    g.line(serial, Versus::Of(whole), ONE_CORE, Some(0.8));
    let (large, lock_step) = (b >= 1024, t >= 64);
    let kinds = if lock_step { &[Cpu, Gpu, Alternating][..] } else { &[Cpu] };
    for kind in kinds.iter().copied() {
        let (one, two) = (g.sampler(kind, 1)?, g.sampler(kind, 2)?);
        let goal = (kind == Gpu).then_some(0.8);
        g.line(one, Versus::Of(whole), ONE_CORE, goal);
        match kind {
            Cpu => g.line(two, Versus::Of(halves), TWO_CORES, Some(0.8)),
            Gpu => {
                let shared = g.add(mlp_with_steps_on_two_cores(b)?);
                let what = "of the bare forward pass, then steps on two cores";
                g.line(two, Versus::Of(shared), what, large.then_some(0.8));
            }
            _ => g.line(two, Versus::Of(whole), ONE_CORE, None),
        }
        if lock_step {
            let four = g.sampler(kind, 4)?;
            g.line(four, Versus::BestOf(vec![one, two, four]), ITS_BEST, large.then_some(0.7));
            if b <= 64 {
                g.line(four, Versus::Of(one), "of one worker", Some(0.5));
            }
        }
    }
    Ok(g)
}

/// Samplers with more workers than CPUs and very little work per step: a waiting process must not keep others from running.
fn crowded() -> Result<Group> {
    let mut g = Group::new(Policy::Mlp(64), 64, 8)?;
    for kind in [Cpu, Gpu, Alternating] {
        let (one, four) = (g.sampler(kind, 1)?, g.sampler(kind, 4)?);
        g.line(one, Versus::Nothing, "", None);
        g.line(four, Versus::Of(one), "of one worker", Some(0.5));
    }
    Ok(g)
}

/// Environments whose steps take as long as the forward pass.
fn alternating() -> Result<Group> {
    const B: usize = 256;
    let policy = Policy::Mlp(256);
    let (whole, half) = (bounds::forward_seconds(B, 256)?, bounds::forward_seconds(B / 2, 256)?);
    let step = whole / B as f64;
    let mut g = Group::new(policy, 64, B)?;
    g.env = EnvFactory::new(&Slow { busy_us: step * 1e6, ..Slow::default() })?;
    let ideal = 2.0 * whole / (2.0 * half.max(whole / 2.0));
    g.name = format!("{}, {:.0} us a step of all", g.name, whole * 1e6);
    let (gpu, alternating) = (g.sampler(Gpu, 1)?, g.sampler(Alternating, 1)?);
    g.line(gpu, Versus::Nothing, "", None);
    g.line(alternating, Versus::Of(gpu), "times gpu", Some(1.7));
    g.contenders[alternating].name = format!("alternating, 1 worker (ideal {ideal:.2})");
    Ok(g)
}

fn round_trip() -> Result<Group> {
    let mut g = Group::new(Policy::Random, 64, 8)?;
    let (bare, gpu) = (g.add(ping_pong(8)?), g.sampler(Gpu, 1)?);
    g.line(bare, Versus::Nothing, "", None);
    g.line(gpu, Versus::Of(bare), "of the bare round trip (at most 4 times as long)", Some(0.25));
    Ok(g)
}

/// The samplers whose processes wait for each other, with each number of workers.
const WAITING: [(SamplerKind, usize); 9] = [
    (Cpu, 1),
    (Cpu, 2),
    (Cpu, 4),
    (Gpu, 1),
    (Gpu, 2),
    (Gpu, 4),
    (Alternating, 1),
    (Alternating, 2),
    (Alternating, 4),
];

impl Group {
    /// Adds a sampler twice: alone, and beside a busy process. Returns the index of the first.
    fn alone_and_shared(&mut self, kind: SamplerKind, workers: usize) -> Result<usize> {
        let spec = BatchSpec { t: self.t, b: self.b };
        let alone = self.sampler(kind, workers)?;
        self.line(alone, Versus::Nothing, "", None);
        let run = sampler(self.policy, kind, workers, spec, &self.env)?;
        let run = self.add(run.beside(Job::Spin.start()?));
        self.line(run, Versus::Of(alone), "of its speed alone, beside a busy process", Some(0.4));
        Ok(alone)
    }
}

/// Every sampler with the MLP alone, beside a busy process, and together with a second run of the same kind.
fn shared(b: usize) -> Result<Group> {
    let mut g = Group::new(Policy::Mlp(64), 64, b)?;
    g.name = format!("{}, shared", g.name);
    let (policy, spec) = (g.policy, BatchSpec { t: g.t, b });
    for (kind, workers) in WAITING {
        let alone = g.alone_and_shared(kind, workers)?;
        let second = Job::Sampler { policy, kind, workers, spec };
        let run = sampler(policy, kind, workers, spec, &g.env)?;
        let run = g.add(run.together_with(second.start()?));
        g.line(run, Versus::Of(alone), "of one run, two runs together", Some(0.8));
    }
    Ok(g)
}

/// Every sampler with random actions alone and beside a busy process. These samplers spend most of their time waiting: a step takes
/// less time than a wake-up.
fn shared_random() -> Result<Group> {
    let mut g = Group::new(Policy::Random, 64, 8)?;
    g.name = format!("{}, shared", g.name);
    g.alone_and_shared(Serial, 1)?;
    for (kind, workers) in WAITING {
        g.alone_and_shared(kind, workers)?;
    }
    Ok(g)
}

type MakeGroup = fn() -> Result<Group>;

const GROUPS: [(&str, MakeGroup); 13] = [
    ("random", random),
    ("mlp-64", || mlp(64, 64)),
    ("mlp-256", || mlp(64, 256)),
    ("mlp-1024", || mlp(64, 1024)),
    ("mlp-64-short", || mlp(16, 64)),
    ("mlp-1024-short", || mlp(16, 1024)),
    ("crowded", crowded),
    ("alternating", alternating),
    ("round-trip", round_trip),
    ("shared-8", || shared(8)),
    ("shared-64", || shared(64)),
    ("shared-1024", || shared(1024)),
    ("shared-8-random", shared_random),
];

/// Measures the groups named in `only`, or all groups if it is empty.
pub(super) fn run(quick: bool, only: &[String], csv: Option<&Path>) -> Result<()> {
    let protocol = if quick {
        Protocol {
            rounds: 5,
            window: Duration::from_millis(300),
            warm_up: Duration::from_millis(150),
        }
    } else {
        Protocol { rounds: 5, window: Duration::from_secs(5), warm_up: Duration::from_secs(1) }
    };
    tch::set_num_threads(1);
    let begun = Instant::now();
    crate::say!(
        "CartPole-v1 in f64; {} rounds of {:.1} s each, medians; {} CPUs",
        protocol.rounds,
        protocol.window.as_secs_f64(),
        affinity::allowed_cpus().len()
    );
    let mut all =
        String::from("group,contender,round,steps_per_second,cpu_seconds_per_million_steps\n");
    let mut missed = 0;
    let known = |name: &String| GROUPS.iter().any(|(n, _)| n == name);
    if let Some(name) = only.iter().find(|name| !known(name)) {
        let all: Vec<&str> = GROUPS.iter().map(|(n, _)| *n).collect();
        bail!("--only {name}: there is no such group; there are {}", all.join(", "));
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o == name);
    for (_, group) in GROUPS.iter().filter(|(name, _)| wanted(name)) {
        let mut group = group()?;
        let windows = measure(&mut group.contenders, protocol)?;
        all.push_str(&raw(&group.name, &group.contenders, &windows));
        missed += group.print(&windows);
    }
    crate::say!("\n{missed} goals missed; took {:.0} s", begun.elapsed().as_secs_f64());
    if let Some(path) = csv {
        std::fs::write(path, all).with_context(|| format!("--csv {}", path.display()))?;
        crate::say!("raw measurements in {}", path.display());
    }
    Ok(())
}
