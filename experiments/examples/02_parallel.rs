//! The same agent and algorithm with worker processes, a run directory, checkpoints and evaluation.
//! `cargo run --release --example 02_parallel`
//!
//! Workers are forked from a server that must start before anything else: the first line of `main`.
use agents::epsilon::EpsilonConfig;
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
use algos::{Dqn, DqnConfig, LearnContext};
use rlcore::envs::CartPole;
use rlcore::run_dir::RunDir;
use rlcore::{EnvFactory, GlobalSteps, World};
use runners::{MinibatchRl, RunnerConfig};
use samplers::{EvalConfig, SamplerConfig, SamplerKind, Setup, WorkerConfig};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    rlcore::forkserver::init()?;
    let n_steps: u64 = std::env::args().nth(1).map_or(Ok(50_000), |n| n.parse())?;

    let config = DqnConfig {
        batch_size: 64,
        min_steps_learn: 1_000,
        replay_size: 50_000,
        eps_steps: 10_000,
        target_update_tau: 0.01,
        target_update_interval: 1,
        double_dqn: true,
        ..Default::default()
    };
    let model = QMlp { hidden: vec![64, 64], ..Default::default() };
    let agent = DqnAgentConfig {
        model: model.clone(),
        exploration: EpsilonGreedy {
            // Each environment explores at its own rate, between these two.
            epsilon: EpsilonConfig {
                eps_final: 0.1,
                eps_final_min: Some(0.005),
                ..Default::default()
            },
            start_steps: config.min_steps_learn,
            end_steps: config.eps_steps,
        },
    };
    let env = EnvFactory::new(&CartPole::default())?;
    let sampling = SamplerConfig {
        kind: SamplerKind::Cpu,
        t: 16,
        b: 8,
        worker: WorkerConfig { n: 2, ..Default::default() },
        ..Default::default()
    };
    let setup = Setup {
        eval: Some((env.clone(), EvalConfig { n_envs: 10, n_episodes: 10, ..Default::default() })),
        seed: 7,
        world: World::default(),
        ..Setup::new(sampling, env, AgentFactory::new(&agent)?)
    };
    let sampler = samplers::build(setup)?;
    println!("workers: {:?}", sampler.worker_pids());
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), GlobalSteps(n_steps), 7);
    let replay = config.uniform_replay(&context)?;
    let algo = Dqn::new(config, &model, replay, &context)?;

    let dir = RunDir::create_default(Path::new("runs"), "example-02", 7)?;
    let runner = RunnerConfig { n_steps, log_interval_steps: 5_000, ..Default::default() };
    let outcome = MinibatchRl::new(runner, sampler, Box::new(algo), dir)?.run()?;
    println!(
        "{:?} after {} steps; checkpoint {}",
        outcome.stop,
        outcome.env_steps,
        outcome.checkpoint.display()
    );
    Ok(())
}
