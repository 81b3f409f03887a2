//! Actors and learners of policies agree: whatever the model, the first update of a batch sees ratios of 1.
#![allow(missing_docs)]
use agents::dist::{Bound, GaussianConfig, Std};
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgConv, PgMlp};
use algos::{NormalizeAdvantage, PpoConfig};
use experiments::assemble::{Parts, check, prepare};
use experiments::config::{AgentConfig, AlgoConfig, Config, EnvConfig, PgNet};
use rlcore::GlobalSteps;
use rlcore::envs::{CartPole, Catch, DictToy, Pendulum};
use rlcore::slice::ResetMode;
use samplers::SamplerConfig;

fn mlp(lstm: Option<usize>) -> PgNet {
    PgNet::Mlp(PgMlp { hidden: vec![16], normalise_observation: true, lstm, ..Default::default() })
}

fn conv(lstm: Option<usize>) -> PgNet {
    PgNet::Conv(PgConv {
        channels: vec![4],
        kernels: vec![3],
        strides: vec![1],
        paddings: vec![1],
        fc: vec![16],
        lstm,
        ..Default::default()
    })
}

fn categorical(env: EnvConfig, model: PgNet) -> Config {
    let agent = CategoricalPgAgentConfig { model, ..Default::default() };
    Config { env, agent: AgentConfig::CategoricalPg(agent), ..Default::default() }
}

fn gaussian(model: PgNet, gaussian: GaussianConfig) -> Config {
    let agent = GaussianPgAgentConfig { model, gaussian, ..Default::default() };
    let env = EnvConfig::Pendulum(Pendulum::default());
    Config { env, agent: AgentConfig::GaussianPg(agent), ..Default::default() }
}

fn ppo(config: Config, reset: ResetMode) -> Config {
    Config {
        sampler: SamplerConfig { t: 40, b: 6, reset, ..Default::default() },
        algo: AlgoConfig::Ppo(PpoConfig {
            minibatches: 1,
            epochs: 1,
            learning_rate: 0.02,
            normalize_advantage: NormalizeAdvantage::Batch,
            linear_lr_schedule: false,
            ..Default::default()
        }),
        // Episodes end within batches, most of them truncated.
        time_limit: Some(13),
        ..config
    }
}

/// Samples and learns from `n` batches; what was logged of each.
fn learn(parts: &mut Parts, n: u64) -> anyhow::Result<Vec<algos::OptInfo>> {
    let mut weights = vec![0.0; parts.algo.params().len()];
    let mut logged = vec![];
    for i in 0..n {
        parts.algo.params().write_to(&mut weights);
        parts.sampler.publisher().publish(&weights)?;
        let samples = parts.sampler.obtain_samples(GlobalSteps(i * 240))?;
        logged.push(parts.algo.optimize(samples.into_lease(), GlobalSteps((i + 1) * 240))?);
    }
    Ok(logged)
}

fn only(info: &algos::OptInfo, name: &str) -> f64 {
    let values = &info.iter().find(|(n, _)| *n == name).expect("it is logged").1;
    assert_eq!(values.len(), 1, "{name}");
    values[0]
}

/// Broken by a recurrent state, a previous action or reward that the learner sees otherwise than the actor did; by
/// observation statistics that change between acting and learning; by masked actions, by the draw before a bound.
#[test]
fn ratios_start_at_one() {
    let toy = || EnvConfig::DictToy(DictToy::default());
    let squash = GaussianConfig { bound: Bound::Squash, ..Default::default() };
    let head = GaussianConfig { std: Std::Head, ..Default::default() };
    let configs = [
        ("mlp", categorical(EnvConfig::Cartpole(CartPole::default()), mlp(None))),
        ("lstm", categorical(EnvConfig::Cartpole(CartPole::default()), mlp(Some(8)))),
        ("conv", categorical(EnvConfig::Catch(Catch::default()), conv(None))),
        ("conv lstm", categorical(EnvConfig::Catch(Catch::default()), conv(Some(8)))),
        ("masked", categorical(toy(), mlp(None))),
        ("masked lstm", categorical(toy(), mlp(Some(8)))),
        ("clipped", gaussian(mlp(None), GaussianConfig::default())),
        ("squashed lstm", gaussian(mlp(Some(8)), squash)),
        ("head", gaussian(mlp(None), head)),
    ];
    for (name, config) in configs {
        for reset in [ResetMode::AtOnce, ResetMode::Wait] {
            let config = ppo(config.clone(), reset);
            let mut parts = prepare(&config).unwrap().start(None).unwrap();
            let begun = {
                let mut w = vec![0.0; parts.algo.params().len()];
                parts.algo.params().write_to(&mut w);
                w
            };
            for (i, info) in learn(&mut parts, 4).unwrap().iter().enumerate() {
                let (kl, clipped) = (only(info, "kl"), only(info, "clipFraction"));
                assert!(
                    kl < 1e-8 && clipped == 0.0,
                    "{name}, {reset:?}, batch {i}: {kl} {clipped}"
                );
            }
            let mut ended = vec![0.0; begun.len()];
            parts.algo.params().write_to(&mut ended);
            assert!(begun != ended, "{name} learns nothing");
        }
    }
}

#[test]
fn pairs_that_cannot_learn_are_refused() {
    let dqn = Config::default();
    let ppo = ppo(categorical(EnvConfig::default(), mlp(None)), ResetMode::AtOnce);
    let refused = |config: &Config| check(config).unwrap_err();
    let e = refused(&Config { agent: dqn.agent.clone(), ..ppo.clone() });
    assert!(e.contains("algo.kind = \"ppo\"") && e.contains("categorical-pg"), "{e}");
    let e = refused(&Config { algo: dqn.algo, ..ppo.clone() });
    assert!(e.contains("agent.kind to dqn"), "{e}");
    let box_of_actions = Config { env: EnvConfig::Pendulum(Pendulum::default()), ..ppo.clone() };
    let e = prepare(&box_of_actions).unwrap_err().to_string();
    assert!(e.contains("gaussian"), "{e}");
    let many = PpoConfig { minibatches: 7, ..Default::default() };
    let recurrent = categorical(EnvConfig::default(), mlp(Some(8))).agent;
    let many = Config { agent: recurrent, algo: AlgoConfig::Ppo(many), ..ppo };
    let e = prepare(&many).unwrap_err().to_string();
    assert!(e.contains("algo.minibatches = 7") && e.contains("sampler.b"), "{e}");
}
