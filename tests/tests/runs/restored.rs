//! Resuming with environments, agents and samplers that the command line does not offer.
use agents::model::QMlp;
use agents::{DqnAgentConfig, EpsilonGreedy};
use algos::{Dqn, DqnConfig, LearnContext};
use rlcore::GlobalSteps;
use rlcore::envs::{DictToy, TimeLimit};
use rlcore::run_dir::{Existing, RunDir};
use rlcore::slice::ResetMode;
use runners::{MinibatchRl, RunnerConfig};
use samplers::{HostKind, SamplerKind, Setup};
use tests::faulty::{EPISODE, Faulty};
use tests::policies::SlicePolicy;
use tests::record::bytes;
use tests::run::{newest, progress};
use tests::setups;

/// Environments without `save_state` start new episodes when a run is resumed, and the log says so.
#[test]
fn environments_that_cannot_save_start_anew() {
    let agent = DqnAgentConfig {
        model: QMlp { hidden: vec![8], ..Default::default() },
        exploration: EpsilonGreedy { start_steps: 100, end_steps: 300, ..Default::default() },
    };
    let mut setup = setups::serial(&Faulty::sound(), &agent, 4, ResetMode::AtOnce);
    setup.eval = None;
    setup.options = rlcore::block::BlockOptions::default();
    let config = DqnConfig {
        batch_size: 8,
        min_steps_learn: 100,
        eps_steps: 300,
        replay_size: 700,
        ..Default::default()
    };
    let spaces = Setup::example_spaces(&setup.env).unwrap();
    let parts = |n_steps: u64| {
        let context = LearnContext::new(&spaces, setup.spec(), GlobalSteps(n_steps), 1);
        let replay = config.uniform_replay(&context).unwrap();
        let algo = Dqn::new(config.clone(), &agent.model, replay, &context).unwrap();
        let sampler = samplers::build(setup.clone()).unwrap();
        let runner = RunnerConfig {
            n_steps,
            log_interval_steps: 140,
            evaluate: false,
            ..RunnerConfig::default()
        };
        (runner, sampler, Box::new(algo))
    };
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("run");
    let dir = RunDir::create(&root, Existing::Refuse).unwrap();
    dir.write_config("").unwrap();
    let (config, sampler, algo) = parts(280);
    MinibatchRl::new(config, sampler, algo, dir).unwrap().run().unwrap();
    let ((config, sampler, algo), dir) = (parts(560), RunDir::resume(&root).unwrap());
    let resumed = MinibatchRl::resume(config, sampler, algo, dir, &newest(&root));
    let mut resumed = resumed.unwrap();
    assert_eq!(resumed.run().unwrap().env_steps.0, 560);
    let log = std::fs::read_to_string(root.join("log.txt")).unwrap();
    assert!(log.contains("note: these environments cannot save their state: new episodes start"));
    assert_eq!(progress(&root).len(), 1 + 4);

    // What the note says: in the midst of their episodes, then at the start of others, shown as such.
    let mut first = samplers::build(setup.clone()).unwrap();
    first.obtain_samples(GlobalSteps(0)).unwrap();
    let state = first.save().unwrap();
    let mut second = samplers::build(setup.clone()).unwrap();
    second.obtain_samples(GlobalSteps(0)).unwrap();
    second.load(state).unwrap();
    let samples = second.obtain_samples(GlobalSteps(28)).unwrap();
    for column in 0..setup.config.b {
        let left = samples.columns().observation.cell(0, column).f32(0)[2];
        assert_eq!(left, EPISODE as f32, "column {column}");
        assert_eq!(samples.columns().prev_reward.row(0).get::<f32>(0)[column], 0.0);
    }
}

/// Saves and restores what DQN does not use: previous action, previous reward, recurrent state. From every sampler to every sampler,
/// with another number of workers.
#[test]
fn a_sampler_continues_for_any_agent() {
    let dict_toy = TimeLimit { env: DictToy::default(), max_steps: 9 };
    for reset in [ResetMode::AtOnce, ResetMode::Wait] {
        let serial = setups::serial(&dict_toy, &SlicePolicy::default(), 5, reset);
        let threads = |workers: usize| {
            let kinds = [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating];
            let with = kinds.map(|kind| setups::parallel(&serial, kind, workers, HostKind::Thread));
            [serial.clone()].into_iter().chain(with).collect::<Vec<_>>()
        };
        let (from, to) = (threads(3), threads(2));
        for (before, after) in from.iter().flat_map(|a| to.iter().map(move |b| (a, b))) {
            let mut whole = samplers::build(before.clone()).unwrap();
            let mut cut = samplers::build(after.clone()).unwrap();
            // After three batches, some columns are within an episode and others at its end.
            for i in 0..3 {
                whole.obtain_samples(GlobalSteps(i)).unwrap();
            }
            // The second sampler has already collected something else.
            cut.obtain_samples(GlobalSteps(77)).unwrap();
            cut.load(whole.save().unwrap()).unwrap();
            for i in 3..9 {
                let (want, got) = (
                    whole.obtain_samples(GlobalSteps(i)).unwrap(),
                    cut.obtain_samples(GlobalSteps(i)).unwrap(),
                );
                let case = (i, reset, before.config.kind, after.config.kind);
                assert_eq!(bytes(&want), bytes(&got), "{case:?}");
                assert_eq!(want.trajectories(), got.trajectories(), "{case:?}");
            }
        }
    }
}
