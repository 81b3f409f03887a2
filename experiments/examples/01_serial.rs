//! The training loop by hand: one process, DQN on CartPole. `cargo run --release --example 01_serial`
//!
//! A sampler fills a `[T, B]` block, an algorithm learns from it, and the agent's new weights are published to the sampler.
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
use algos::{Algo, Dqn, DqnConfig, LearnContext};
use rlcore::envs::CartPole;
use rlcore::{EnvFactory, GlobalSteps};
use samplers::{SamplerConfig, Setup};

fn main() -> anyhow::Result<()> {
    let iterations: u64 = std::env::args().nth(1).map_or(Ok(400), |n| n.parse())?;

    // What is learned, and how.
    let config = DqnConfig {
        batch_size: 64,
        min_steps_learn: 1_000,
        replay_size: 50_000,
        eps_steps: 10_000,
        target_update_tau: 0.01,
        target_update_interval: 1,
        learning_rate: 5e-4,
        double_dqn: true,
        ..Default::default()
    };
    let model = QMlp { hidden: vec![64, 64], ..Default::default() };
    let agent = DqnAgentConfig {
        model: model.clone(),
        exploration: EpsilonGreedy {
            start_steps: config.min_steps_learn,
            end_steps: config.eps_steps,
            ..Default::default()
        },
    };

    // Where experience comes from: T = 16 steps in each of B = 8 environments a batch.
    let sampling = SamplerConfig { t: 16, b: 8, ..Default::default() };
    let setup =
        Setup::new(sampling, EnvFactory::new(&CartPole::default())?, AgentFactory::new(&agent)?);
    let mut sampler = samplers::build(setup)?;
    let n_steps = GlobalSteps(iterations * 16 * 8);
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), n_steps, 0);
    let replay = config.uniform_replay(&context)?;
    let mut algo = Dqn::new(config, &model, replay, &context)?;

    let mut weights = vec![0.0; algo.params().len()];
    let (mut env_steps, mut returns) = (0, Vec::new());
    for iteration in 1..=iterations {
        algo.params().write_to(&mut weights);
        sampler.publisher().publish(&weights)?;
        let samples = sampler.obtain_samples(GlobalSteps(env_steps))?;
        env_steps += 16 * 8;
        returns.extend(samples.trajectories().iter().map(|t| t.ret));
        algo.optimize(samples.into_lease(), GlobalSteps(env_steps))?;
        if iteration % 50 == 0 || iteration == iterations {
            let recent = &returns[returns.len().saturating_sub(20)..];
            let mean = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
            println!("{env_steps:>6} steps  {:>5} updates  mean return {mean:.1}", algo.updates());
        }
    }
    Ok(())
}
