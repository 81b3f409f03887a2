//! Plays evaluation episodes in one environment and keeps all observations.
//!
//! These are the episodes of environment 0 in `experiments eval`: the seeds are the same, and the agent is given previous action,
//! reward and recurrent state as by `samplers::collector`. No sampler is used, because a sampler's block holds the reset
//! observation where an episode ends, and here the last observation is wanted.
use super::Observation;
use agents::model::ModelInput;
use agents::{ActIo, Agent, AgentContext, AgentFactory, Phase, Seen};
use anyhow::{Context, Result};
use rlcore::block::{Block, BlockOptions, Columns, Layout, flag};
use rlcore::cells::Tree;
use rlcore::env::EnvContext;
use rlcore::manifest::SharedMemory;
use rlcore::progress::Progress;
use rlcore::seed::EvalSeries;
use rlcore::seed::{self, Rng, Role};
use rlcore::slice::{BlockRow, Ends, EnvSlice, ResetIo, ResetMode, StepIo, Ticks};
use rlcore::tensor::RowTensors;
use rlcore::{BatchSpec, EnvFactory, EnvRank, EnvSpaces, GlobalSteps, LeafSpec, SlicePlace};
use std::sync::Arc;

/// The observation and the return after some number of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// All of the observation.
    pub observation: Observation,
    /// Sum of the rewards so far.
    pub ret: f64,
}

/// One episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Index 0 is the reset, index `i` follows step `i`.
    pub moments: Vec<Moment>,
    /// Whether the episode was cut off by the limit on its steps.
    pub is_cut: bool,
}

impl Episode {
    /// Its length in steps.
    pub fn steps(&self) -> usize {
        self.moments.len().saturating_sub(1)
    }

    /// Its return.
    pub fn ret(&self) -> f64 {
        self.moments.last().map_or(0.0, |m| m.ret)
    }
}

/// Which episodes to play, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Seed of the run.
    pub seed: u64,
    /// The evaluation whose episodes are played.
    pub series: EvalSeries,
    /// Environment steps of training, for schedules.
    pub env_steps: u64,
    /// Episodes to play.
    pub episodes: usize,
    /// An episode is cut off after this many steps.
    pub max_steps: usize,
}

/// Plays an agent with these weights in one environment, which has these spaces.
pub fn play(
    env: &EnvFactory,
    spaces: &EnvSpaces,
    agent: &AgentFactory,
    device: &str,
    weights: &[f32],
    order: &Order,
) -> Result<Vec<Episode>> {
    let mut stage = Stage::new(env, spaces, agent, device, weights, order)?;
    let phase = Phase::Evaluate { now: GlobalSteps(order.env_steps) };
    let episodes =
        (0..order.episodes).map(|_| stage.episode(phase, order.max_steps)).collect::<Result<_>>();
    stage.close();
    episodes
}

/// An agent and an environment, with a block of one step between them.
struct Stage {
    spaces: EnvSpaces,
    /// Of the observation.
    leaves: Arc<[LeafSpec]>,
    envs: Box<dyn EnvSlice>,
    agent: Box<dyn Agent>,
    block: Block,
    /// Row 0 of the observation is the present one, row 1 the next.
    columns: Columns,
    observation_tensors: RowTensors,
    prev_action_tensors: RowTensors,
    prev_reward_tensors: RowTensors,
    /// The agent's recurrent state lies in the block.
    state_tensors: RowTensors,
    rng: [Rng; 1],
    progress: Progress,
}

impl Stage {
    fn new(
        env: &EnvFactory,
        spaces: &EnvSpaces,
        agent: &AgentFactory,
        device: &str,
        weights: &[f32],
        order: &Order,
    ) -> Result<Self> {
        let rank = EnvRank(0);
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: 1,
            local: (rank, 1),
            device: device.to_owned(),
        };
        let mut agent = agent.build(&context)?;
        agent.load_weights(weights);
        let seed_of =
            |role| seed::seed_of_pair(order.seed, role, order.series.number(), rank.0 as u64);
        let spec = BatchSpec { t: 1, b: 1 };
        let layout = Layout::new(spec, spaces, &agent.schema(), BlockOptions::default());
        let memory = SharedMemory::for_block(layout, env.doors(1))?;
        let block = memory.block(0);
        let columns = block.columns(0..1);
        let progress = Progress::default();
        let place = SlicePlace { columns: 0..1, memory: Some(memory) };
        let mut envs = env.build(&[EnvContext { env_rank: rank }], &place, &progress)?;
        envs.seed(0, seed_of(Role::EvalEnv));
        let first = |tree: &Tree| tree.row_tensors().into_iter().next().unwrap_or_default();
        Ok(Self {
            observation_tensors: first(&columns.observation),
            prev_action_tensors: first(&columns.prev_action),
            prev_reward_tensors: first(&columns.prev_reward),
            state_tensors: first(&columns.agent_state),
            rng: [seed::rng(seed_of(Role::EvalAct))],
            progress,
            spaces: spaces.clone(),
            leaves: spaces.observation.leaves("observation").into(),
            envs,
            agent,
            block,
            columns,
        })
    }

    fn episode(&mut self, phase: Phase, max_steps: usize) -> Result<Episode> {
        let mut io = ResetIo {
            at: BlockRow { slot: 0, row: 0 },
            observation: self.columns.observation.row_mut(0),
            ticks: Ticks::new(&self.progress),
        };
        self.envs.reset(0, &mut io)?;
        self.forget();
        let mut episode = Episode { moments: vec![self.moment(0, 0.0)], is_cut: false };
        for _ in 0..max_steps {
            self.act(phase)?;
            let reward = self.step()?;
            let ret = episode.ret() + f64::from(reward);
            episode.moments.push(self.moment(1, ret));
            if self.flag(flag::RESET) {
                return Ok(episode);
            }
            self.columns.observation.copy_row(1, 0);
            // For the agent, a lost life ends the episode.
            if self.columns.done(0, 0) {
                self.forget();
            } else {
                let c = &mut self.columns;
                c.prev_action.row_mut(0).copy_from(c.action.row(0));
                c.prev_reward.row_mut(0).copy_from(c.reward.row(0));
            }
        }
        episode.is_cut = true;
        Ok(episode)
    }

    /// Clears what the agent knows of the past: previous action, previous reward and recurrent state.
    fn forget(&mut self) {
        let c = &mut self.columns;
        self.spaces.action.null(&mut c.prev_action.cell_mut(0, 0));
        c.prev_reward.zero();
        c.agent_state.zero();
    }

    fn act(&mut self, phase: Phase) -> Result<()> {
        let c = &mut self.columns;
        let mut io = ActIo {
            seen: Seen {
                first_rank: EnvRank(0),
                observation: c.observation.row(0),
                prev_action: c.prev_action.row(0),
                prev_reward: c.prev_reward.row(0).get::<f32>(0),
                tensors: ModelInput {
                    observation: &self.observation_tensors,
                    prev_action: &self.prev_action_tensors,
                    prev_reward: &self.prev_reward_tensors[0],
                    state: &self.state_tensors,
                    reset: None,
                },
            },
            action: c.action.row_mut(0),
            info: c.agent_info.row_mut(0),
            state: c.agent_state.row_mut(0),
            rng: &mut self.rng,
        };
        self.agent.act(&mut io, phase).context("the agent cannot act")
    }

    /// Steps the environment and returns the reward.
    fn step(&mut self) -> Result<f32> {
        let c = &mut self.columns;
        let [terminated, truncated, reset, _] = c.flags.row_mut(0).split::<u8, 4>();
        let [reward] = c.reward.row_mut(0).split::<f32, 1>();
        c.env_info.zero();
        let mut used = [0];
        let mut io = StepIo {
            at: BlockRow { slot: 0, row: 0 },
            running: &[1],
            action: c.action.row(0),
            observation: c.observation.row_mut(1),
            reward,
            terminated,
            truncated,
            reset,
            info: c.env_info.row_mut(0),
            // The end stays to be seen.
            ends: Ends::new(ResetMode::Wait, &mut c.final_observation, &mut used),
            ticks: Ticks::new(&self.progress),
        };
        self.envs.begin_step(&mut io)?;
        self.envs.end_step(&mut io)?;
        self.envs.take_notes();
        Ok(c.reward.row(0).get::<f32>(0)[0])
    }

    fn flag(&self, leaf: usize) -> bool {
        self.columns.flags.cell(0, 0).u8(leaf)[0] != 0
    }

    fn moment(&self, row: usize, ret: f64) -> Moment {
        Moment {
            observation: Observation::read(&self.leaves, self.columns.observation.cell(row, 0)),
            ret,
        }
    }

    fn close(mut self) {
        self.envs.close();
        self.block.release();
    }
}
