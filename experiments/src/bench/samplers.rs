//! `experiments bench samplers`.
use super::bounds;
use super::measure::{
    Contender, Protocol, Window, measure, median, median_rate, ratio, raw, readable,
};
use agents::epsilon::EpsilonConfig;
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, RandomAgentConfig};
use anyhow::{Context, Result};

use rlcore::envs::CartPole;
use rlcore::{EnvFactory, affinity};
use samplers::{Sampler, SamplerConfig, SamplerKind, Setup, WorkerConfig};
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq)]
enum Policy {
    Random,
    Mlp,
}

fn sampler(
    policy: Policy,
    kind: SamplerKind,
    workers: usize,
    t: usize,
    b: usize,
) -> Result<Contender> {
    let epsilon = EpsilonConfig { eps_init: 0.01, eps_final: 0.01, ..Default::default() };
    let mlp = DqnAgentConfig { model: QMlp::default(), epsilon, eps_start_steps: 0, eps_steps: 1 };
    let agent = match policy {
        Policy::Random => AgentFactory::new(&RandomAgentConfig {})?,
        Policy::Mlp => AgentFactory::new(&mlp)?,
    };
    let worker = WorkerConfig { n: workers, ..Default::default() };
    let config = SamplerConfig { kind, t, b, worker, ..Default::default() };
    let env = EnvFactory::new(&CartPole::default())?;
    let setup = Setup::new(config, env, agent);
    let mut sampler: Box<dyn Sampler> = samplers::build(setup)?;
    let name = match kind {
        SamplerKind::Serial => "serial".to_owned(),
        SamplerKind::Cpu => format!("cpu, {workers} workers"),
        SamplerKind::Gpu => format!("gpu, {workers} workers"),
        SamplerKind::Alternating => format!("alternating, {workers} workers"),
    };
    let pids = sampler.worker_pids();
    let work = move || {
        sampler.obtain_samples(1 << 40)?;
        Ok((t * b) as u64)
    };
    Ok(Contender { name, work: Box::new(work), pids })
}

/// One line of the table: contender, its rate, and the ratio that the goal is about.
struct Line {
    who: usize,
    /// Contender compared with, and how many of it.
    of: Option<(usize, f64)>,
    what: &'static str,
    goal: Option<f64>,
}

struct Group {
    policy: Policy,
    t: usize,
    b: usize,
}

impl Group {
    fn name(&self) -> String {
        let policy = if self.policy == Policy::Random { "random actions" } else { "MLP 64-64" };
        format!("{policy} B={} T={}", self.b, self.t)
    }

    /// In the order of the constants below.
    fn contenders(&self) -> Result<Vec<Contender>> {
        let bound = if self.policy == Policy::Random { bounds::random } else { bounds::mlp };
        let mut all = vec![bound(self.b)?, bound(self.b / 2)?, bound(self.b / 4)?];
        all.push(sampler(self.policy, SamplerKind::Serial, 1, self.t, self.b)?);
        for workers in [1, 2, 4] {
            all.push(sampler(self.policy, SamplerKind::Cpu, workers, self.t, self.b)?);
        }
        Ok(all)
    }

    fn lines(&self) -> Vec<Line> {
        let random = self.policy == Policy::Random;
        let line = |who, of, what, goal| Line { who, of, what, goal };
        let one_core = "of the bare work on one core";
        let two = if random {
            line(CPU_2, Some((SERIAL, 1.0)), "times serial", Some(1.7))
        } else {
            line(
                CPU_2,
                Some((HALF, 2.0)),
                "of the bare work on two cores, B/2 rows each",
                Some(0.8),
            )
        };
        let four = (!random && self.t == 64 && self.b != 256).then_some(0.7);
        vec![
            line(WHOLE, None, "", None),
            line(SERIAL, Some((WHOLE, 1.0)), one_core, Some(if random { 0.7 } else { 0.8 })),
            line(CPU_1, Some((WHOLE, 1.0)), one_core, None),
            two,
            line(CPU_4, Some((QUARTER, 2.0)), "of the bare work on two cores, B/4 rows each", None),
            line(CPU_4, None, "of the best sampler", four),
        ]
    }
}

const WHOLE: usize = 0;
const HALF: usize = 1;
const QUARTER: usize = 2;
const SERIAL: usize = 3;
const CPU_1: usize = 4;
const CPU_2: usize = 5;
const CPU_4: usize = 6;

/// Rate of the fastest sampler in each round.
fn best_of(windows: &[Vec<Window>]) -> Vec<f64> {
    let rounds = windows[0].len();
    let fastest = |r: usize| windows[SERIAL..].iter().map(|w| w[r].rate).fold(0.0, f64::max);
    (0..rounds).map(fastest).collect()
}

pub(super) fn run(quick: bool, csv: Option<&Path>) -> Result<()> {
    let protocol = if quick {
        Protocol {
            rounds: 5,
            window: Duration::from_millis(300),
            warm_up: Duration::from_millis(150),
        }
    } else {
        Protocol { rounds: 7, window: Duration::from_secs(5), warm_up: Duration::from_secs(1) }
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
    let groups = [64, 16].into_iter().flat_map(|t| {
        let random = Group { policy: Policy::Random, t, b: 1024 };
        let mlp = [64, 256, 1024].map(|b| Group { policy: Policy::Mlp, t, b });
        std::iter::once(random).chain(mlp)
    });
    let mut missed = 0;
    for group in groups {
        let mut contenders = group.contenders()?;
        let windows = measure(&mut contenders, protocol)?;
        all.push_str(&raw(&group.name(), &contenders, &windows));
        crate::say!("\n{:<34}{:>10}  {:>8}  ratio", group.name(), "steps/s", "CPU-s/M");
        for line in group.lines() {
            let w = &windows[line.who];
            let cpu = median(w.iter().map(|w| w.cpu_seconds_per_million).collect());
            let value = match line.of {
                Some((other, times)) => Some(ratio(w, &windows[other]) / times),
                None if line.what.is_empty() => None,
                None => {
                    let best = best_of(&windows);
                    Some(median(w.iter().zip(best).map(|(w, b)| w.rate / b).collect()))
                }
            };
            let verdict = match (value, line.goal) {
                (Some(v), Some(goal)) if v < goal => {
                    missed += 1;
                    format!("  missed: goal {goal:.2}")
                }
                (_, Some(goal)) => format!("  goal {goal:.2}"),
                _ => String::new(),
            };
            let value = value.map_or(String::new(), |v| format!("{v:.2} {}", line.what));
            crate::say!(
                "  {:<32}{:>10}  {cpu:>8.3}  {value}{verdict}",
                contenders[line.who].name,
                readable(median_rate(w))
            );
        }
    }
    crate::say!(
        "\nrlpyt with that MLP at B=64, T=64 on such a machine: serial 55k, CPU sampler with 2 workers 40k steps/s"
    );
    crate::say!("{missed} goals missed; took {:.0} s", begun.elapsed().as_secs_f64());
    if let Some(path) = csv {
        std::fs::write(path, all).with_context(|| format!("--csv {}", path.display()))?;
        crate::say!("raw measurements in {}", path.display());
    }
    Ok(())
}
