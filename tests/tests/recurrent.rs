//! Recurrent state, followed independently of the samplers. A recorded batch is replayed one environment at a time with bookkeeping of
//! this file: from the flags it derives the state, previous action and previous reward that each step must have begun with, and asks
//! the agent again for action, info and value.
//!
//! Comparing samplers with each other cannot show such errors, because all of them share the two halves of the collector.
#![allow(missing_docs, clippy::unwrap_used)]
use agents::model::ModelInput;
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgMlp};
use agents::{ActIo, Agent, AgentContext, MakeAgent, Phase, Seen};
use rlcore::block::{Block, BlockOptions, Columns, Layout, flag};
use rlcore::cells::Tree;
use rlcore::envs::{DictToy, Pendulum, TimeLimit};
use rlcore::seed::{Rng, Role, rng, seed_of};
use rlcore::slice::ResetMode;
use rlcore::tensor::RowTensors;
use rlcore::{BatchSpec, EnvRank, GlobalSteps, MakeEnv};
use samplers::{HostKind, SamplerKind, Samples, Setup};
use tests::policies::{ByRow, SlicePolicy, grid_weights};
use tests::setups;

const BATCHES: usize = 12;
const STEPS: usize = 20;
/// The recurrent state is recorded at these steps.
const INTERVAL: usize = 3;

/// The replay of one environment. A block of one cell holds the agent's inputs, its recurrent state in `agent_state`.
struct Hand {
    rank: usize,
    agent: Box<dyn Agent>,
    cell: Columns,
    rng: Rng,
}

/// Counts of the situations that occurred, so that a test in which one did not occur fails.
#[derive(Debug, Default)]
struct Met {
    terminated: usize,
    truncated: usize,
    lives_lost: usize,
    skipped: usize,
    /// Batches that end within an episode.
    cut: usize,
    states: usize,
}

/// The tensors of row 0.
fn row(tree: &Tree) -> RowTensors {
    tree.row_tensors().into_iter().next().unwrap_or_default()
}

fn bytes(tree: &Tree, row: usize, column: usize) -> Vec<Vec<u8>> {
    let cell = tree.cell(row, column);
    (0..tree.specs().len()).map(|leaf| cell.bytes(leaf).to_vec()).collect()
}

impl Hand {
    fn new(setup: &Setup, rank: usize, weights: &[f32]) -> Self {
        let spaces = Setup::example_spaces(&setup.env).unwrap();
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: setup.config.b,
            local: (EnvRank(0), setup.config.b),
            device: "cpu".into(),
        };
        let mut agent = setup.agent.build(&context).unwrap();
        agent.load_weights(weights);
        let options = BlockOptions { state_interval: 1, bootstrap_value: true };
        let layout = Layout::new(BatchSpec { t: 1, b: 1 }, &spaces, &agent.schema(), options);
        let cell = Block::create(layout).unwrap().columns(0..1);
        Self { rank, agent, cell, rng: rng(seed_of(setup.seed, Role::Act, rank as u64)) }
    }

    /// Starts an episode: nothing of the previous step is carried over.
    fn forget(&mut self) {
        self.cell.agent_state.zero();
        // Both spaces here have a null action of zeros.
        self.cell.prev_action.row_mut(0).zero();
        self.cell.prev_reward.row_mut(0).zero();
    }

    fn act(&mut self, phase: Phase) {
        let c = &mut self.cell;
        let (observation, prev_action) = (row(&c.observation), row(&c.prev_action));
        let (prev_reward, state) = (row(&c.prev_reward), row(&c.agent_state));
        let tensors = ModelInput {
            observation: &observation,
            prev_action: &prev_action,
            prev_reward: &prev_reward[0],
            state: &state,
            reset: None,
        };
        let mut io = ActIo {
            seen: Seen {
                first_rank: EnvRank(self.rank),
                observation: c.observation.row(0),
                prev_action: c.prev_action.row(0),
                prev_reward: c.prev_reward.row(0).get::<f32>(0),
                tensors,
            },
            action: c.action.row_mut(0),
            info: c.agent_info.row_mut(0),
            state: c.agent_state.row_mut(0),
            rng: std::slice::from_mut(&mut self.rng),
        };
        self.agent.act(&mut io, phase).unwrap();
    }

    fn value(&mut self) -> f32 {
        let c = &self.cell;
        let (observation, prev_action) = (row(&c.observation), row(&c.prev_action));
        let (prev_reward, state) = (row(&c.prev_reward), row(&c.agent_state));
        let seen = Seen {
            first_rank: EnvRank(self.rank),
            observation: c.observation.row(0),
            prev_action: c.prev_action.row(0),
            prev_reward: c.prev_reward.row(0).get::<f32>(0),
            tensors: ModelInput {
                observation: &observation,
                prev_action: &prev_action,
                prev_reward: &prev_reward[0],
                state: &state,
                reset: None,
            },
        };
        let mut out = [0.0];
        self.agent.value(&seen, &mut out).unwrap();
        out[0]
    }

    /// Replays this environment's column of a batch.
    fn follow(&mut self, samples: &Samples, phase: Phase, mode: ResetMode, met: &mut Met) {
        let (recorded, b) = (samples.columns(), self.rank);
        let mut waits = false;
        for t in 0..STEPS {
            let at = format!("environment {b}, step {t}");
            if t % INTERVAL == 0 {
                let state = bytes(&recorded.agent_state, t / INTERVAL, b);
                assert_eq!(state, bytes(&self.cell.agent_state, 0, 0), "state of {at}");
                met.states += usize::from(state.iter().flatten().any(|byte| *byte != 0));
            }
            self.show(recorded, t, &at);
            self.act(phase);
            let flags = recorded.flags.cell(t, b);
            let [terminated, truncated, reset, valid] =
                [flag::TERMINATED, flag::TRUNCATED, flag::RESET, flag::VALID]
                    .map(|leaf| flags.u8(leaf)[0] != 0);
            assert_eq!(valid, !waits, "{at}");
            if !valid {
                // The agent was called and drew from its random stream, but no step followed.
                self.cell.action.row_mut(0).zero();
                self.cell.agent_info.row_mut(0).zero();
                met.skipped += 1;
            }
            let action = bytes(&recorded.action, t, b);
            assert_eq!(action, bytes(&self.cell.action, 0, 0), "action of {at}");
            let info = bytes(&recorded.agent_info, t, b);
            assert_eq!(info, bytes(&self.cell.agent_info, 0, 0), "info of {at}");
            if !valid || terminated || truncated {
                self.forget();
                waits = mode == ResetMode::Wait;
            } else {
                let Columns { prev_action, prev_reward, action, .. } = &mut self.cell;
                prev_action.cell_mut(0, 0).copy_from(action.cell(0, 0));
                prev_reward.cell_mut(0, 0).copy_from(recorded.reward.cell(t, b));
            }
            met.terminated += usize::from(terminated && reset);
            met.truncated += usize::from(truncated);
            met.lives_lost += usize::from(terminated && !reset);
            met.cut += usize::from(t + 1 == STEPS && valid && !terminated && !truncated);
        }
        self.show(recorded, STEPS, &format!("environment {b}, after the last step"));
        let value = recorded.bootstrap_value.cell(0, b).f32(0)[0];
        assert_eq!(value.to_bits(), self.value().to_bits(), "value of environment {b}");
    }

    /// Sets the agent's inputs: the recorded observation, and previous action and reward as derived here, which must equal the
    /// recorded ones.
    fn show(&mut self, recorded: &Columns, t: usize, at: &str) {
        let b = self.rank;
        self.cell.observation.cell_mut(0, 0).copy_from(recorded.observation.cell(t, b));
        let prev = [
            (&recorded.prev_action, &self.cell.prev_action, "action"),
            (&recorded.prev_reward, &self.cell.prev_reward, "reward"),
        ];
        for (theirs, ours, what) in prev {
            assert_eq!(bytes(theirs, t, b), bytes(ours, 0, 0), "previous {what} of {at}");
        }
    }
}

fn follow(env: &impl MakeEnv, agent: &impl MakeAgent, reset: ResetMode) -> Met {
    let mut serial = setups::serial(env, agent, STEPS, reset);
    assert_eq!(serial.options.state_interval, INTERVAL);
    serial.config.max_decorrelation_steps = 0;
    serial.eval = None;
    let weights = grid_weights(setups::weight_count(&serial), 5);
    let with = |kind, workers| setups::parallel(&serial, kind, workers, HostKind::Thread);
    let mut in_turn = with(SamplerKind::Alternating, 2);
    in_turn.config.overlap = false;
    let all = [
        serial.clone(),
        with(SamplerKind::Cpu, 3),
        with(SamplerKind::Gpu, 2),
        with(SamplerKind::Alternating, 3),
        in_turn,
    ];
    let mut met = Met::default();
    for setup in all {
        let mut sampler = samplers::build(setup.clone()).unwrap();
        sampler.publisher().publish(&weights).unwrap();
        let hand = |rank| Hand::new(&setup, rank, &weights);
        let mut hands: Vec<Hand> = (0..setup.config.b).map(hand).collect();
        for batch in 0..BATCHES {
            let env_steps = (batch * STEPS * setup.config.b) as u64;
            let samples = sampler.obtain_samples(GlobalSteps(env_steps)).unwrap();
            for hand in &mut hands {
                hand.follow(
                    &samples,
                    Phase::Sample { now: GlobalSteps(env_steps) },
                    reset,
                    &mut met,
                );
            }
        }
    }
    assert!(met.states > 100 && met.cut > 10 && met.truncated > 10, "{met:?}");
    assert_eq!(met.skipped > 0, reset == ResetMode::Wait, "{met:?}");
    met
}

/// Episodes with lost lives, terminations and truncations.
fn dict_toy() -> TimeLimit<DictToy> {
    TimeLimit { env: DictToy::default(), max_steps: 23 }
}

fn lstm() -> ByRow<PgMlp> {
    ByRow { model: PgMlp { hidden: vec![8], lstm: Some(8), ..PgMlp::default() } }
}

#[test]
fn state_in_plain_slices() {
    for reset in [ResetMode::AtOnce, ResetMode::Wait] {
        let met = follow(&dict_toy(), &SlicePolicy::default(), reset);
        assert!(met.lives_lost > 10, "{met:?}");
        assert!(met.terminated > 10, "{met:?}");
    }
}

#[test]
fn an_lstm_through_lost_lives_resets_and_batch_ends() {
    let agent = CategoricalPgAgentConfig { model: lstm(), ..Default::default() };
    for reset in [ResetMode::AtOnce, ResetMode::Wait] {
        let met = follow(&dict_toy(), &agent, reset);
        assert!(met.lives_lost > 10, "{met:?}");
    }
}

#[test]
fn an_lstm_with_continuous_actions() {
    let agent = GaussianPgAgentConfig { model: lstm(), ..Default::default() };
    for reset in [ResetMode::AtOnce, ResetMode::Wait] {
        follow(&Pendulum { max_steps: 33 }, &agent, reset);
    }
}
