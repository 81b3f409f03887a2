//! The same agent and algorithm with worker processes, a run directory, checkpoints and evaluation.
//! `cargo run --release --example 02_parallel`
//!
//! Workers are forked from a server that must start before anything else: the first line of `main`. The run is written as the
//! command line writes it: `experiments eval runs/example-02-s0`, `plot`, `watch` and `resume` read it.
use agents::epsilon::EpsilonConfig;
use agents::model::{QMlp, QNet};
use agents::{AgentSettings, DqnAgentSettings};
use algos::{AlgoSettings, Dqn, DqnConfig, LearnContext};
use experiments::{Program, config::Config};
use rlcore::envs::CartPole;
use rlcore::run_dir::RunDir;
use rlcore::{EnvFactory, GlobalSteps};
use runners::{MinibatchRl, RunnerConfig};
use samplers::{EvalConfig, SamplerConfig, SamplerKind, Setup, WorkerConfig};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    rlcore::forkserver::init()?;
    let n_steps: u64 = std::env::args().nth(1).map_or(Ok(50_000), |n| n.parse())?;

    let config = Config {
        env: CartPole::default(),
        agent: DqnAgentSettings {
            model: QNet::Mlp(QMlp { hidden: vec![64, 64], ..Default::default() }),
            // Each environment explores at its own rate, between these two.
            epsilon: EpsilonConfig {
                eps_final: 0.1,
                eps_final_min: Some(0.005),
                ..Default::default()
            },
        },
        algo: DqnConfig {
            batch_size: 64,
            min_steps_learn: 1_000,
            replay_size: 50_000,
            eps_steps: 10_000,
            target_update_tau: 0.01,
            target_update_interval: 1,
            double_dqn: true,
            ..Default::default()
        },
        sampler: SamplerConfig {
            kind: SamplerKind::Cpu,
            t: 16,
            b: 8,
            worker: WorkerConfig { n: 2, ..Default::default() },
            ..Default::default()
        },
        eval: EvalConfig { n_envs: 10, n_episodes: 10, ..Default::default() },
        runner: RunnerConfig { n_steps, log_interval_steps: 5_000, ..Default::default() },
        ..Default::default()
    };
    let (env, seed) = (EnvFactory::new(&config.env)?, config.seed);
    // Exploration ends when the algorithm says so.
    let agent = config.agent.factory(config.algo.annealing())?;
    let eval = Some((env.clone(), config.eval));
    let setup = Setup { eval, seed, ..Setup::new(config.sampler.clone(), env, agent) };
    let sampler = samplers::build(setup)?;
    println!("workers: {:?}", sampler.worker_pids());
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), GlobalSteps(n_steps), seed);
    let replay = config.algo.uniform_replay(&context)?;
    let algo = Dqn::new(config.algo.clone(), &config.agent.model, replay, &context)?;

    let mut dir = RunDir::create_default(Path::new("runs"), "example-02", seed)?;
    let program = Program::new();
    program.record(&mut dir, &program.config(&config)?)?;
    let outcome = MinibatchRl::new(config.runner, sampler, Box::new(algo), dir)?.run()?;
    println!("{:?} at step {}", outcome.stop, outcome.env_steps);
    Ok(())
}
