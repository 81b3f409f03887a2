//! A program that goes on where it stopped. `cargo run --release --example 10_resume`, again and again
//!
//! Each call trains for some steps more, from the last checkpoint, to the bit as if it had never stopped. After a crash or
//! Ctrl-C too: whatever was written after the checkpoint is cut off first.
use experiments::{Program, assemble::prepare};
use rlcore::checkpoint::{latest, steps_of};
use rlcore::run_dir::{Existing, RunDir};
use runners::{MinibatchRl, signals};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    rlcore::forkserver::init()?;
    let more: u64 = std::env::args().nth(1).map_or(Ok(20_000), |n| n.parse())?;
    let run = Path::new("runs/example-10-s0");
    let program = Program::new();

    let checkpoints = run.join("checkpoints");
    let last = if checkpoints.is_dir() { latest(&checkpoints)? } else { None };
    let done = last.as_deref().and_then(steps_of).unwrap_or(0);

    let mut config = program.preset_named("cartpole-ppo")?;
    config.runner.n_steps = done + more;
    config.runner.stop_return = None;
    // Everything that can be refused is refused here, before anything is written.
    let prepared = prepare(&program, &config)?;
    let mut dir = match last {
        Some(_) => RunDir::resume(run)?,
        None => RunDir::create(run, Existing::Overwrite)?,
    };
    program.record(&mut dir, &config)?;
    signals::listen()?;
    let parts = prepared.start(Some(dir.workers()))?;
    let runner = config.runner;
    let mut training = match &last {
        Some(from) => MinibatchRl::resume(runner, parts.sampler, parts.algo, dir, from)?,
        None => MinibatchRl::new(runner, parts.sampler, parts.algo, dir)?,
    };
    println!("from step {done}");
    let outcome = training.run()?;
    println!("{:?} at step {}", outcome.stop, outcome.env_steps);
    Ok(())
}
