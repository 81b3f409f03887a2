//! PPO, put together by hand. `cargo run --release --example 06_ppo`
//!
//! Policy and algorithm are made of the same agent's settings. The run is written as the command line writes it, so that
//! `experiments eval runs/example-06-s0`, `plot`, `watch` and `resume` read it.
use agents::AgentFactory;
use agents::pg::{CategoricalPgAgentConfig, PgMlp, PgNet, PgSettings};
use algos::{AlgoSettings, LearnContext, NormalizeAdvantage, Ppo, PpoConfig};
use experiments::{Program, config::Config};
use rlcore::envs::CartPole;
use rlcore::run_dir::RunDir;
use rlcore::{BatchSpec, EnvFactory, GlobalSteps};
use runners::{MinibatchRl, RunnerConfig, signals};
use samplers::{SamplerConfig, SamplerKind, Setup, WorkerConfig};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    rlcore::forkserver::init()?;
    let n_steps: u64 = std::env::args().nth(1).map_or(Ok(50_000), |n| n.parse())?;

    // Everything about the run.
    let config = Config {
        env: CartPole::default(),
        agent: CategoricalPgAgentConfig {
            model: PgNet::Mlp(PgMlp { hidden: vec![64, 64], ..Default::default() }),
            ..Default::default()
        },
        algo: PpoConfig {
            discount: 0.98,
            gae_lambda: 0.8,
            minibatches: 1,
            epochs: 20,
            ratio_clip: 0.2,
            entropy_loss_coeff: 0.0,
            normalize_advantage: NormalizeAdvantage::Minibatch,
            ..Default::default()
        },
        sampler: SamplerConfig {
            kind: SamplerKind::Cpu,
            t: 32,
            b: 8,
            worker: WorkerConfig { n: 2, ..Default::default() },
            ..Default::default()
        },
        runner: RunnerConfig { n_steps, log_interval_steps: 5_000, ..Default::default() },
        ..Default::default()
    };

    // Its parts. The algorithm says what samples must hold: the value of row T here.
    let env = EnvFactory::new(&config.env)?;
    let spec = BatchSpec { t: config.sampler.t, b: config.sampler.b };
    let sampler = samplers::build(Setup {
        eval: Some((env.clone(), config.eval)),
        seed: config.seed,
        discount: config.algo.discount(),
        options: config.algo.records(spec),
        ..Setup::new(config.sampler.clone(), env, AgentFactory::new(&config.agent)?)
    })?;
    let context = LearnContext::new(sampler.spaces(), spec, GlobalSteps(n_steps), config.seed);
    let distribution = config.agent.distribution(sampler.spaces())?;
    let algo = Ppo::new(config.algo.clone(), &config.agent.model, distribution, &context)?;

    let mut dir = RunDir::create_default(Path::new("runs"), "example-06", config.seed)?;
    let program = Program::new();
    program.record(&mut dir, &program.config(&config)?)?;
    signals::listen()?; // Ctrl-C writes a checkpoint.
    let outcome = MinibatchRl::new(config.runner, sampler, Box::new(algo), dir)?.run()?;
    println!("{:?}: {}", outcome.stop, outcome.checkpoint.display());
    Ok(())
}
