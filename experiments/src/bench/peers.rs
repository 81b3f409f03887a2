//! `experiments bench peers`: our samplers and a pip package take turns on the same cores, with the same network and settings as
//! far as possible. The peer runs in its fastest arrangement, which it searches for before it reports that it is ready.
use super::collecting::{Policy, sampler};
use super::measure::{
    Contender, Protocol, Window, mad, measure, median, median_rate, raw, readable,
};
use super::peer::{Python, peer};
use super::training;
use anyhow::{Context, Result};
use rlcore::envs::CartPole;
use rlcore::{BatchSpec, EnvFactory, affinity};
use samplers::SamplerKind::{self, Alternating, Cpu, Gpu, Serial};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One peer, and the multiple of its speed that is our goal.
struct Group {
    name: &'static str,
    peer: &'static str,
    goal: f64,
    ours: fn() -> Result<Vec<Contender>>,
}

const GROUPS: [Group; 5] = [
    Group {
        name: "random actions, ours B=1024",
        peer: "envpool_random",
        goal: 20.0,
        ours: || each(&BATCHED, |kind, n| cartpole(Policy::Random, kind, n, 1024)),
    },
    Group {
        name: "acting with the MLP 64-64, B=64",
        peer: "envpool_torch",
        goal: 4.0,
        ours: || each(&ALL, |kind, n| cartpole(Policy::Mlp(64), kind, n, 64)),
    },
    Group {
        name: "the same into a replay, B=8",
        peer: "sb3_collect",
        goal: 20.0,
        ours: || each(&BATCHED, training::collection),
    },
    Group {
        name: "DQN, an update of 64 every 4 steps",
        peer: "sb3_dqn",
        goal: 6.0,
        ours: || Ok(vec![training::dqn()?]),
    },
    Group {
        name: "PPO, 8 environments, 10 epochs of minibatches of 64",
        peer: "sb3_ppo",
        goal: 4.0,
        ours: || Ok(vec![training::ppo()?]),
    },
];

/// Samplers and their numbers of workers. None of them hands anything over within a batch.
const BATCHED: [(SamplerKind, usize); 2] = [(Serial, 1), (Cpu, 2)];
/// The same, and the samplers whose master acts while workers on the other core step.
const ALL: [(SamplerKind, usize); 4] = [(Serial, 1), (Cpu, 2), (Gpu, 1), (Alternating, 1)];

fn each(
    kinds: &[(SamplerKind, usize)],
    of: impl Fn(SamplerKind, usize) -> Result<Contender>,
) -> Result<Vec<Contender>> {
    kinds.iter().map(|(kind, workers)| of(*kind, *workers)).collect()
}

fn cartpole(policy: Policy, kind: SamplerKind, workers: usize, b: usize) -> Result<Contender> {
    let env = EnvFactory::new(&CartPole::default())?;
    sampler(policy, kind, workers, BatchSpec { t: 64, b }, &env)
}

/// Ratio of the rates `ours / theirs` in each round.
fn ratios(ours: &[Window], theirs: &[Window]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| a.rate / b.rate).collect()
}

fn cpu_per_million(windows: &[Window]) -> f64 {
    median(windows.iter().map(|w| w.cpu_seconds_per_million).collect())
}

/// Measures one group and prints its table. Returns the raw measurements, and whether the goal is met.
fn group(group: &Group, python: &Python, protocol: Protocol) -> Result<(String, bool)> {
    let mut contenders = vec![peer(python, group.peer, protocol.window)?];
    contenders.extend((group.ours)()?);
    let windows = measure(&mut contenders, protocol)?;
    crate::say!("\n{:<66}{:>8}  {:>8}  ratio (MAD), of CPU-s", group.name, "steps/s", "CPU-s/M");
    let best = (1..windows.len())
        .max_by(|a, b| median_rate(&windows[*a]).total_cmp(&median_rate(&windows[*b])));
    let mut met = false;
    for (i, (contender, w)) in contenders.iter().zip(&windows).enumerate() {
        let cpu = cpu_per_million(w);
        let times = ratios(w, &windows[0]);
        let middle = median(times.clone());
        let verdict = if Some(i) == best {
            met = middle >= group.goal;
            format!("  goal {:.0}: {}", group.goal, if met { "met" } else { "missed" })
        } else {
            String::new()
        };
        let less_cpu = cpu_per_million(&windows[0]) / cpu;
        let ratio = match i {
            0 => String::new(),
            _ => format!("{middle:.1} ({:.1}), {less_cpu:.1}", mad(&times)),
        };
        let rate = readable(median_rate(w));
        crate::say!("  {:<64}{rate:>8}  {cpu:>8.3}  {ratio}{verdict}", contender.name);
    }
    Ok((raw(group.name, &contenders, &windows), met))
}

pub(super) fn run(quick: bool, csv: Option<&Path>, python: Option<PathBuf>) -> Result<()> {
    let seconds = Duration::from_secs_f64;
    let protocol = if quick {
        Protocol { rounds: 3, window: seconds(1.0), warm_up: seconds(0.5) }
    } else {
        Protocol { rounds: 7, window: seconds(5.0), warm_up: seconds(1.0) }
    };
    let begun = Instant::now();
    let python = Python::find(python)?;
    crate::say!("{}; one torch thread a process", python.versions);
    crate::say!(
        "CartPole-v1 in f64; {} rounds of {:.1} s each, medians; {} CPUs",
        protocol.rounds,
        protocol.window.as_secs_f64(),
        affinity::allowed_cpus().len()
    );
    tch::set_num_threads(1);
    let mut all =
        String::from("group,contender,round,steps_per_second,cpu_seconds_per_million_steps\n");
    let mut missed = 0;
    for g in &GROUPS {
        let (lines, met) = group(g, &python, protocol)?;
        all.push_str(&lines);
        missed += usize::from(!met);
    }
    crate::say!("\n{missed} goals missed; took {:.0} s", begun.elapsed().as_secs_f64());
    if let Some(path) = csv {
        std::fs::write(path, all).with_context(|| format!("--csv {}", path.display()))?;
        crate::say!("raw measurements in {}", path.display());
    }
    Ok(())
}
