//! The episodes that `watch` draws are the episodes that `eval` measures.
#![allow(missing_docs, clippy::unwrap_used)]
use agents::MakeAgent;
use agents::pg::{Evaluate, GaussianPgAgentConfig, PgMlp};
use experiments::render::play::{Order, play};
use rlcore::GlobalSteps;
use rlcore::MakeEnv;
use rlcore::envs::{CartPole, Catch, DictToy, Pendulum, TimeLimit};
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use samplers::EvalConfig;
use tests::policies::{SlicePolicy, grid_weights};
use tests::setups;

fn plays_as_evaluated<E: MakeEnv, A: MakeAgent>(env: &E, agent: &A) {
    let mut setup = setups::serial(env, agent, 4, ResetMode::AtOnce);
    let (eval_env, _) = setup.eval.take().unwrap();
    setup.eval = Some((eval_env, EvalConfig { n_envs: 1, n_episodes: 6, max_steps: 5000 }));
    let order = Order {
        seed: setup.seed,
        series: EvalSeries::Training(3),
        env_steps: 77,
        episodes: 6,
        max_steps: 500,
    };
    let (env, agent) = (setup.env.clone(), setup.agent.clone());
    let weights = grid_weights(setups::weight_count(&setup), 5);
    let mut sampler = samplers::build(setup).unwrap();
    sampler.publisher().publish(&weights).unwrap();
    let measured =
        sampler.evaluate(order.series, order.episodes, GlobalSteps(order.env_steps)).unwrap();
    let measured: Vec<(f64, f64)> =
        measured.trajectories.iter().map(|t| (t.length, t.ret)).collect();
    let played = play(&env, &env.spaces().unwrap(), &agent, "cpu", &weights, &order).unwrap();
    assert!(played.iter().all(|e| !e.is_cut));
    let played: Vec<(f64, f64)> = played.iter().map(|e| (e.steps() as f64, e.ret())).collect();
    assert_eq!((played.len(), &played), (6, &measured));
}

/// The policy depends on all of its inputs: with a wrong previous action or reward, a recurrent state that is not carried over or not
/// cleared, or another random stream, its episodes differ.
#[test]
fn episodes_are_those_of_an_evaluation() {
    let policy = SlicePolicy {};
    plays_as_evaluated(&CartPole::default(), &policy);
    plays_as_evaluated(&Catch::default(), &policy);
    plays_as_evaluated(&TimeLimit { env: CartPole::default(), max_steps: 11 }, &policy);
    // An environment with lost lives, an action mask and several leaves.
    plays_as_evaluated(&TimeLimit { env: DictToy::default(), max_steps: 40 }, &policy);
}

/// An LSTM policy that draws continuous actions.
#[test]
fn an_lstm_with_gaussian_actions_plays_as_it_is_evaluated() {
    let model = PgMlp { hidden: vec![16], lstm: Some(8), ..Default::default() };
    let agent = GaussianPgAgentConfig { model, evaluate: Evaluate::Sample, ..Default::default() };
    plays_as_evaluated(&Pendulum::default(), &agent);
}

/// The last picture shows the end of the episode and not the start of the next; an episode that never ends is cut off.
#[test]
fn the_end_is_seen() {
    let setup = setups::serial(&Catch::default(), &SlicePolicy {}, 4, ResetMode::AtOnce);
    let order = Order {
        seed: 1,
        series: EvalSeries::Training(0),
        env_steps: 1,
        episodes: 2,
        max_steps: 100,
    };
    let spaces = setup.env.spaces().unwrap();
    let episodes = play(&setup.env, &spaces, &setup.agent, "cpu", &[], &order).unwrap();
    for episode in &episodes {
        let lit = |m: usize| -> Vec<usize> {
            let board = episode.moments[m].observation.leaf(0);
            (0..board.len()).filter(|i| board[*i] > 0.0).map(|i| i / 5).collect()
        };
        assert_eq!((episode.moments.len(), lit(0)), (10, vec![0, 9]));
        assert!(lit(9).iter().all(|row| *row == 9), "{:?}", lit(9));
    }
    let short = Order { max_steps: 4, ..order };
    let cut =
        play(&setup.env, &setup.env.spaces().unwrap(), &setup.agent, "cpu", &[], &short).unwrap();
    assert!(cut.iter().all(|e| e.is_cut && e.steps() == 4));
    assert_eq!(cut[0].moments[..], episodes[0].moments[..5]);
}
