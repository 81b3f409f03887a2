//! A trained agent outside of a sampler: one observation in, one action out.
use crate::agent::{ActIo, Agent, AgentContext, AgentFactory, Phase, Seen};
use crate::error::AgentError;
use crate::model::ModelInput;
use rlcore::block::{Block, BlockOptions, Columns, Layout};
use rlcore::cells::{CellMut, CellRef, Tree};
use rlcore::env::{Env, Step};
use rlcore::schema::Element;
use rlcore::seed::{self, Rng};
use rlcore::tensor::RowTensors;
use rlcore::{BatchSpec, EnvRank, EnvSpaces, GlobalSteps};

/// Acts in one environment in the same way as an evaluation, and keeps what a recurrent model needs: the previous action and reward, and
/// the recurrent state.
///
/// Write an observation ([`Policy::observation`]) and ask for the action ([`Policy::act`]), or let the policy step an
/// environment ([`Policy::step`]).
pub struct Policy {
    spaces: EnvSpaces,
    agent: Box<dyn Agent>,
    block: Block,
    columns: Columns,
    observation: RowTensors,
    prev_action: RowTensors,
    prev_reward: RowTensors,
    state: RowTensors,
    rng: [Rng; 1],
    now: GlobalSteps,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policy({} weights)", self.agent.weight_count())
    }
}

impl Policy {
    /// A policy with these weights, at the start of an episode. `seed`: seed of its random draws, where it has any. `now`:
    /// environment steps of training, for agents whose schedules depend on them.
    ///
    /// # Errors
    /// Spaces that the agent does not fit; another number of weights; too little memory.
    pub fn new(
        agent: &AgentFactory,
        spaces: &EnvSpaces,
        device: &str,
        weights: &[f32],
        seed: u64,
        now: GlobalSteps,
    ) -> Result<Self, AgentError> {
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: 1,
            local: (EnvRank(0), 1),
            device: device.to_owned(),
        };
        let mut agent = agent.build(&context)?;
        if agent.weight_count() != weights.len() {
            return Err(AgentError::new(format!(
                "the agent has {} weights, {} are given: take weights of the same model",
                agent.weight_count(),
                weights.len()
            )));
        }
        agent.load_weights(weights);
        let spec = BatchSpec { t: 1, b: 1 };
        let layout = Layout::new(spec, spaces, &agent.schema(), BlockOptions::default());
        let block = Block::create(layout).map_err(|e| AgentError::new(e.to_string()))?;
        let columns = block.columns(0..1);
        let first = |tree: &Tree| tree.row_tensors().into_iter().next().unwrap_or_default();
        let mut policy = Self {
            observation: first(&columns.observation),
            prev_action: first(&columns.prev_action),
            prev_reward: first(&columns.prev_reward),
            state: first(&columns.agent_state),
            rng: [seed::rng(seed)],
            spaces: spaces.clone(),
            agent,
            block,
            columns,
            now,
        };
        policy.start();
        Ok(policy)
    }

    /// Spaces of the environments that the policy acts in.
    pub fn spaces(&self) -> &EnvSpaces {
        &self.spaces
    }

    /// Begins an episode: clears the previous action and reward, and the recurrent state.
    pub fn start(&mut self) {
        let c = &mut self.columns;
        self.spaces.action.null(&mut c.prev_action.cell_mut(0, 0));
        c.prev_reward.zero();
        c.agent_state.zero();
    }

    /// The cell of the observation: write every leaf in full before [`Policy::act`]. It keeps its values until they are overwritten.
    pub fn observation(&mut self) -> CellMut<'_> {
        self.columns.observation.cell_mut(0, 0)
    }

    /// The action for the observation that was written.
    ///
    /// # Errors
    /// The agent cannot act, such as on an observation that is not finite.
    pub fn act(&mut self) -> Result<CellRef<'_>, AgentError> {
        let c = &mut self.columns;
        let mut io = ActIo {
            seen: Seen {
                first_rank: EnvRank(0),
                observation: c.observation.row(0),
                prev_action: c.prev_action.row(0),
                prev_reward: c.prev_reward.row(0).get::<f32>(0),
                tensors: ModelInput {
                    observation: &self.observation,
                    prev_action: &self.prev_action,
                    prev_reward: &self.prev_reward[0],
                    state: &self.state,
                    reset: None,
                },
            },
            action: c.action.row_mut(0),
            info: c.agent_info.row_mut(0),
            state: c.agent_state.row_mut(0),
            rng: &mut self.rng,
        };
        self.agent.act(&mut io, Phase::Evaluate { now: self.now })?;
        c.prev_action.row_mut(0).copy_from(c.action.row(0));
        c.prev_reward.zero();
        Ok(self.columns.action.cell(0, 0))
    }

    /// The action for an observation of one leaf, such as `[4] f32`.
    ///
    /// # Errors
    /// As [`Policy::act`]; an observation of several leaves, of another type or number of elements.
    pub fn act_on<T: Element>(&mut self, observation: &[T]) -> Result<CellRef<'_>, AgentError> {
        let leaves = self.columns.observation.specs();
        if leaves.len() != 1 {
            let names: Vec<&str> = leaves.iter().map(|l| l.name.as_str()).collect();
            return Err(AgentError::new(format!(
                "the observation has the leaves {}: write each of them with Policy::observation, then call Policy::act",
                names.join(", ")
            )));
        }
        self.observation().write(0, observation).map_err(|e| AgentError::new(e.to_string()))?;
        self.act()
    }

    /// What the agent recorded of its last action, such as the values of all actions: its `agent_info`.
    pub fn info(&self) -> CellRef<'_> {
        self.columns.agent_info.cell(0, 0)
    }

    /// Sets the reward of the last action, an input of recurrent models. Feed-forward models do not use it.
    pub fn reward(&mut self, reward: f32) {
        self.columns.prev_reward.cell_mut(0, 0).f32(0)[0] = reward;
    }

    /// Resets an environment and begins an episode with its first observation.
    ///
    /// # Errors
    /// The environment's.
    pub fn reset(&mut self, env: &mut impl Env) -> Result<(), AgentError> {
        self.start();
        env.reset(&mut self.observation()).map_err(|e| AgentError::new(e.to_string()))
    }

    /// Acts on the observation, steps the environment with the action, and keeps the next observation. After a step with
    /// [`Step::reset`] set, call [`Policy::reset`].
    ///
    /// # Errors
    /// The agent's or the environment's.
    pub fn step(&mut self, env: &mut impl Env) -> Result<Step, AgentError> {
        self.act()?;
        let c = &mut self.columns;
        c.env_info.zero();
        let (action, mut observation) = (c.action.cell(0, 0), c.observation.cell_mut(0, 0));
        let step = env
            .step(action, &mut observation, &mut c.env_info.cell_mut(0, 0))
            .map_err(|e| AgentError::new(e.to_string()))?;
        if step.done() {
            // A lost life is an end for the agent.
            self.start();
        } else {
            self.reward(step.reward as f32);
        }
        Ok(step)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        self.block.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::QMlp;
    use crate::pg::{CategoricalPgAgentConfig, PgMlp};
    use crate::{DqnAgentConfig, EpsilonGreedy, MakeAgent};
    use rlcore::env::{EnvContext, MakeEnv};
    use rlcore::envs::CartPole;

    fn env() -> <CartPole as MakeEnv>::Env {
        let mut env = CartPole::default().make(&EnvContext { env_rank: EnvRank(0) }).unwrap();
        env.seed(1);
        env
    }

    fn policy(agent: &impl MakeAgent) -> Policy {
        let (spaces, factory) = (env().spaces(), AgentFactory::new(agent).unwrap());
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: 1,
            local: (EnvRank(0), 1),
            device: "cpu".into(),
        };
        let count = agent.make(&context).unwrap().weight_count();
        let weights: Vec<f32> = (0..count).map(|i| (i as f32 * 1.7).sin()).collect();
        let text = Policy::new(&factory, &spaces, "cpu", &weights[1..], 0, GlobalSteps(1));
        assert!(text.unwrap_err().to_string().contains("take weights of the same model"));
        Policy::new(&factory, &spaces, "cpu", &weights, 0, GlobalSteps(1)).unwrap()
    }

    #[test]
    fn the_most_valuable_action_is_taken() {
        let mut policy = policy(&DqnAgentConfig {
            model: QMlp { hidden: vec![8], ..Default::default() },
            exploration: EpsilonGreedy::default(),
        });
        for i in 0..20 {
            let seen = [0, 1, 2, 3].map(|j| ((4 * i + j) as f32).cos());
            let action = policy.act_on(&seen).unwrap().discrete() as usize;
            let q = policy.info().f32(0);
            assert!(q[action] >= q[1 - action], "{q:?}");
        }
        let text = policy.act_on(&[1f32]).unwrap_err().to_string();
        assert!(text.contains("4 elements"), "{text}");
    }

    /// Broken by a memory that is not carried on, by a reward or an action that the model is not told, by a memory that
    /// outlives its episode.
    #[test]
    fn memory_lasts_for_an_episode() {
        let model = PgMlp { hidden: vec![], lstm: Some(4), ..Default::default() };
        let mut policy = policy(&CategoricalPgAgentConfig { model, ..Default::default() });
        let dist = |policy: &mut Policy| {
            policy.act_on(&[0.1f32, 0.2, 0.3, 0.4]).unwrap();
            policy.info().f32(1).to_vec()
        };
        let first = dist(&mut policy);
        let second = dist(&mut policy);
        assert_ne!(first, second, "the state");
        policy.start();
        assert_eq!(dist(&mut policy), first);
        policy.reward(1.0);
        assert_ne!(dist(&mut policy), second, "the reward");
        let mut env = env();
        policy.reset(&mut env).unwrap();
        let mut steps = 0;
        while !policy.step(&mut env).unwrap().reset {
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
        assert_eq!(dist(&mut policy), first, "the episode is over");
    }
}
