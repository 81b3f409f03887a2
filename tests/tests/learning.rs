//! Agents learn. `cartpole-dqn` as shipped, seeds 0 to 4, serial and with workers that act, seed 0 where the master acts: training ends with an evaluation of at least
//! 475, and those weights reach 475 over 100 fresh episodes. A loss that is wrong, a target that never moves, actions that
//! do not fit their observations: each misses it.
#![allow(missing_docs)]
use experiments::assemble::prepare;
use experiments::presets;
use libtest_mimic::Failed;
use rlcore::run_dir::{Existing, RunDir};
use runners::{MinibatchRl, Stop, weights};
use samplers::{SamplerKind, WorkerConfig};
use tests::Body;

/// Evaluations of this number are not among those of training.
const FRESH: u64 = 1 << 40;

fn solves(kind: SamplerKind, seed: u64) -> Result<(), Failed> {
    let preset = presets::find("cartpole-dqn").ok_or("the preset is gone")?;
    let mut config = (preset.config)();
    config.seed = seed;
    config.sampler.kind = kind;
    config.sampler.worker = WorkerConfig { n: 2, ..config.sampler.worker };
    let scratch = tempfile::tempdir()?;
    let dir = RunDir::create(&scratch.path().join("run"), Existing::Refuse)?;
    let parts = prepare(&config)?.start(None)?;
    let outcome = MinibatchRl::new(config.runner.clone(), parts.sampler, parts.algo, dir)?.run()?;
    if !matches!(outcome.stop, Stop::Return(r) if r >= 475.0) {
        return Err(format!("not solved: {outcome:?}").into());
    }
    // Anew from the checkpoint, as `experiments eval` does.
    let mut parts = prepare(&config)?.start(None)?;
    parts.algo.params_mut().load_safetensors(&weights(&outcome.checkpoint)?)?;
    let mut flat = vec![0.0; parts.algo.params().len()];
    parts.algo.params().write_to(&mut flat);
    parts.sampler.publish(&flat)?;
    let found = parts.sampler.evaluate(FRESH, 100, outcome.env_steps)?;
    match found.mean_return() {
        Some(mean) if mean >= 475.0 && found.trajectories.len() == 100 => Ok(()),
        other => Err(format!("{other:?} over {} fresh episodes", found.trajectories.len()).into()),
    }
}

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    let mut tests: Vec<(String, Body)> = Vec::new();
    for (kind, seeds) in [
        (SamplerKind::Serial, 0..5),
        (SamplerKind::Cpu, 0..5),
        (SamplerKind::Gpu, 0..1),
        (SamplerKind::Alternating, 0..1),
    ] {
        for seed in seeds {
            let name = format!("cartpole_dqn_{kind:?}_seed_{seed}").to_lowercase();
            tests.push((name, Box::new(move || solves(kind, seed))));
        }
    }
    tests::main(tests)
}
