//! Actor and learner of a policy agree: with any model, the likelihood ratios in the first update of a batch are 1.
#![allow(missing_docs)]
use agents::DqnAgentSettings;
use agents::dist::{Bound, GaussianConfig, Std};
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgConv, PgMlp, PgNet};
use algos::{DqnConfig, NormalizeAdvantage, PpoConfig};
use experiments::Program;
use experiments::assemble::{Parts, check, prepare};
use experiments::config::{Config, DeviceName};
use rlcore::GlobalSteps;
use rlcore::envs::{CartPole, Catch, DictToy, Pendulum};
use rlcore::slice::ResetMode;
use runners::RunnerConfig;
use samplers::{EvalConfig, SamplerConfig};
use serde::Serialize;

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

fn categorical<E: Serialize + 'static>(env: E, model: PgNet) -> Config {
    ppo(env, CategoricalPgAgentConfig { model, ..Default::default() }, 1)
}

fn gaussian(model: PgNet, gaussian: GaussianConfig) -> Config {
    let agent = GaussianPgAgentConfig { model, gaussian, ..Default::default() };
    ppo(Pendulum::default(), agent, 1)
}

fn ppo<E: Serialize + 'static, A: Serialize + 'static>(
    env: E,
    agent: A,
    minibatches: usize,
) -> Config {
    let config = Config {
        env,
        agent,
        algo: PpoConfig {
            minibatches,
            epochs: 1,
            learning_rate: 0.02,
            normalize_advantage: NormalizeAdvantage::Batch,
            linear_lr_schedule: false,
            ..Default::default()
        },
        seed: 0,
        device: DeviceName::default(),
        sampler: SamplerConfig { t: 40, b: 6, ..Default::default() },
        eval: EvalConfig::default(),
        runner: RunnerConfig::default(),
        eval_env: None,
        // Episodes end within batches, most of them truncated.
        time_limit: Some(13),
    };
    Program::new().config(&config).expect("its parts are ours")
}

/// Collects and learns from `n` batches; returns what was logged for each.
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

/// Broken by a recurrent state, previous action or previous reward that differs between actor and learner; by observation statistics
/// that change between acting and learning; by masked actions; by the likelihood of the clipped action instead of the drawn one.
#[test]
fn ratios_start_at_one() {
    let toy = || DictToy::default();
    let squash = GaussianConfig { bound: Bound::Squash, ..Default::default() };
    let head = GaussianConfig { std: Std::Head, ..Default::default() };
    let configs = [
        ("mlp", categorical(CartPole::default(), mlp(None))),
        ("lstm", categorical(CartPole::default(), mlp(Some(8)))),
        ("conv", categorical(Catch::default(), conv(None))),
        ("conv lstm", categorical(Catch::default(), conv(Some(8)))),
        ("masked", categorical(toy(), mlp(None))),
        ("masked lstm", categorical(toy(), mlp(Some(8)))),
        ("clipped", gaussian(mlp(None), GaussianConfig::default())),
        ("squashed lstm", gaussian(mlp(Some(8)), squash)),
        ("head", gaussian(mlp(None), head)),
    ];
    for (name, config) in configs {
        for reset in [ResetMode::AtOnce, ResetMode::Wait] {
            let mut config = config.clone();
            config.sampler.reset = reset;
            let mut parts = prepare(&Program::new(), &config).unwrap().start(None).unwrap();
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
    let program = Program::new();
    let dqn = Config::<CartPole, DqnAgentSettings, DqnConfig>::default();
    let dqn = program.config(&dqn).unwrap();
    let ppo = categorical(CartPole::default(), mlp(None));
    let refused = |config: &Config| check(&program, config).unwrap_err().to_string();
    let e = refused(&Config { agent: dqn.agent.clone(), ..ppo.clone() });
    let texts =
        ["algo.kind = \"ppo\"", "agent.kind to categorical-pg or gaussian-pg", "algo.kind to dqn"];
    assert!(texts.iter().all(|t| e.contains(t)), "{e}");
    let e = refused(&Config { algo: dqn.algo, ..ppo.clone() });
    let texts = ["agent.kind to dqn", "algo.kind to ppo or a2c or reinforce"];
    assert!(texts.iter().all(|t| e.contains(t)), "{e}");
    let box_of_actions = Config { env: gaussian(mlp(None), GaussianConfig::default()).env, ..ppo };
    let e = prepare(&program, &box_of_actions).unwrap_err().to_string();
    assert!(e.contains("gaussian"), "{e}");
    let agent = CategoricalPgAgentConfig { model: mlp(Some(8)), ..Default::default() };
    let many = self::ppo(CartPole::default(), agent, 7);
    let e = prepare(&program, &many).unwrap_err().to_string();
    assert!(e.contains("algo.minibatches = 7") && e.contains("sampler.b"), "{e}");
}
