//! Agents learn: `cartpole-dqn` and `cartpole-pqn` with seeds 0 to 4 under two samplers, and one seed of every other preset (for other seeds:
//! `experiments train <preset> --seeds 0..4`). Training ends with an evaluation that reaches the preset's threshold, and its weights
//! reach the threshold over fresh episodes too. A wrong loss, a target network that is never updated, or actions that do not belong
//! to their observations would not.
#![allow(missing_docs)]
use experiments::Program;
use experiments::assemble::prepare;
use experiments::config::Config;
use libtest_mimic::Failed;
use rlcore::run_dir::{Existing, RunDir};
use rlcore::seed::EvalSeries;
use runners::{MinibatchRl, Outcome, Stop, weights};
use samplers::{SamplerKind, WorkerConfig};
use tests::Body;

fn preset(name: &str, kind: SamplerKind, seed: u64) -> Result<Config, Failed> {
    let mut config = Program::new().preset_named(name)?;
    config.seed = seed;
    config.sampler.kind = kind;
    config.sampler.worker = WorkerConfig { n: 2, ..config.sampler.worker };
    Ok(config)
}

/// The outcome of training, and the mean return of the last weights over fresh episodes.
fn train(config: &Config, episodes: usize) -> Result<(Outcome, f64), Failed> {
    let scratch = tempfile::tempdir()?;
    let dir = RunDir::create(&scratch.path().join("run"), Existing::Refuse)?;
    let parts = prepare(&Program::new(), config)?.start(None)?;
    let outcome = MinibatchRl::new(config.runner.clone(), parts.sampler, parts.algo, dir)?.run()?;
    // With a new sampler and the checkpoint's weights, as in `experiments eval`.
    let mut parts = prepare(&Program::new(), config)?.start(None)?;
    parts.algo.params_mut().load_safetensors(&weights(&outcome.checkpoint)?)?;
    let mut flat = vec![0.0; parts.algo.params().len()];
    parts.algo.params().write_to(&mut flat);
    parts.sampler.publisher().publish(&flat)?;
    let found = parts.sampler.evaluate(EvalSeries::Check(0), episodes, outcome.env_steps)?;
    match found.mean_return() {
        Some(mean) if found.trajectories.len() == episodes => Ok((outcome, mean)),
        other => Err(format!("{other:?} over {} fresh episodes", found.trajectories.len()).into()),
    }
}

fn solves(name: &str, kind: SamplerKind, seed: u64) -> Result<(), Failed> {
    let config = preset(name, kind, seed)?;
    let wanted = config.runner.stop_return.ok_or("a preset that never stops")?;
    let (outcome, fresh) = train(&config, 200)?;
    if !matches!(outcome.stop, Stop::Return(r) if r >= wanted) {
        return Err(format!("not solved: {outcome:?}").into());
    }
    if fresh < wanted {
        return Err(format!("mean return {fresh} over fresh episodes").into());
    }
    Ok(())
}

/// Without an LSTM, the agent of this preset stays at chance, over ten times the steps that the LSTM needs. By chance, a mean of 200
/// returns of 1 or -1 is off by more than 0.3 once in 40,000 trials.
fn needs_memory() -> Result<(), Failed> {
    let config = preset("memory-ppo-lstm", SamplerKind::Serial, 0)?;
    let sets = ["agent.model.lstm=", "agent.model.hidden=[32]", "runner.n_steps=50000"];
    let config = Program::new().resolve(&config, None, &sets.map(str::to_owned))?;
    match train(&config, 200)? {
        (Outcome { stop: Stop::Steps, .. }, fresh) if fresh.abs() < 0.3 => Ok(()),
        other => Err(format!("better than chance: {other:?}").into()),
    }
}

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    let mut runs = Vec::new();
    for kind in [SamplerKind::Serial, SamplerKind::Cpu] {
        runs.extend((0..5).map(|seed| ("cartpole-dqn", kind, seed)));
        runs.extend((0..5).map(|seed| ("cartpole-pqn", kind, seed)));
    }
    for kind in [SamplerKind::Gpu, SamplerKind::Alternating] {
        runs.push(("cartpole-dqn", kind, 0));
        runs.push(("cartpole-pqn", kind, 0));
    }
    for kind in [SamplerKind::Serial, SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating]
    {
        runs.push(("cartpole-ppo", kind, 0));
    }
    for name in
        ["cartpole-a2c", "memory-ppo-lstm", "pendulum-ppo", "acrobot-ppo", "catch-a2c", "catch-dqn"]
    {
        runs.push((name, SamplerKind::Serial, 1));
    }
    let mut tests: Vec<(String, Body)> = Vec::new();
    for (name, kind, seed) in runs {
        let title = format!("{name}_{kind:?}_seed_{seed}").to_lowercase().replace('-', "_");
        tests.push((title, Box::new(move || solves(name, kind, seed))));
    }
    tests.push(("memory_needs_memory".into(), Box::new(needs_memory)));
    tests::main(tests)
}
