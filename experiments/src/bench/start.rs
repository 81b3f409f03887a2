//! `experiments bench start`: time and memory that a worker takes before its first step.
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
use anyhow::Result;
use rlcore::GlobalSteps;

use rlcore::EnvFactory;
use rlcore::envs::CartPole;
use samplers::{SamplerConfig, SamplerKind, Setup, WorkerConfig};
use std::time::Instant;

pub(super) fn run(workers: usize) -> Result<()> {
    // As in a run: libtorch has been used in the master, on several threads.
    let _ = tch::Tensor::rand([256, 256], (tch::Kind::Float, tch::Device::Cpu))
        .matmul(&tch::Tensor::ones([256, 256], (tch::Kind::Float, tch::Device::Cpu)));
    let agent = DqnAgentConfig {
        model: QMlp::default(),
        exploration: EpsilonGreedy { end_steps: 1, ..Default::default() },
    };
    let config = SamplerConfig {
        kind: SamplerKind::Cpu,
        t: 16,
        b: workers * 4,
        worker: WorkerConfig { n: workers, ..Default::default() },
        ..Default::default()
    };
    let env = EnvFactory::new(&CartPole::default())?;
    let setup = Setup::new(config, env, AgentFactory::new(&agent)?);
    let mut times = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        let sampler = samplers::build(setup.clone())?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        drop(sampler);
    }
    times.sort_by(f64::total_cmp);
    crate::say!(
        "starting {workers} workers, environments reset: {:.1} ms median of 7 ({:.1} to {:.1}; goal 20)",
        times[3],
        times[0],
        times[6]
    );
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    drop(sampler.obtain_samples(GlobalSteps(0))?);
    let private: Vec<f64> = sampler.worker_pids().iter().map(|pid| private_mib(*pid)).collect();
    let (sum, max) = (private.iter().sum::<f64>(), private.iter().copied().fold(0.0, f64::max));
    crate::say!(
        "private memory after two batches: {:.2} MiB a worker, at most {max:.2} (goal 2)",
        sum / workers as f64
    );
    Ok(())
}

fn private_mib(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    (kib("Private_Dirty:") + kib("Private_Clean:")) / 1024.0
}
