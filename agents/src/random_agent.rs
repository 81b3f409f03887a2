//! Uniformly random actions: for benchmarks, for decorrelating environments, and as the simplest agent to start from.
use crate::AgentError;
use crate::agent::{ActIo, Agent, AgentContext, MakeAgent, Phase};
use crate::exploration::random_action;
use rand::RngExt;
use rlcore::Space;
use rlcore::block::AgentSchema;
use rlcore::cells::Row;
use rlcore::cells::RowMut;
use rlcore::seed::Rng;
use serde::{Deserialize, Serialize};

/// Settings of a [`RandomAgent`]: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomAgentConfig {}

impl MakeAgent for RandomAgentConfig {
    type Agent = RandomAgent;

    fn make(&self, context: &AgentContext) -> Result<RandomAgent, AgentError> {
        Ok(RandomAgent::new(context.spaces.action.clone(), context.spaces.action_mask))
    }
}

/// Draws actions uniformly from the action space, from the allowed ones where the observation has a mask.
#[derive(Clone, Debug)]
pub struct RandomAgent {
    space: Space,
    mask: Option<usize>,
}

impl RandomAgent {
    /// An agent for this action space. `mask`: index of the observation's leaf that is the action mask.
    pub fn new(space: Space, mask: Option<usize>) -> Self {
        Self { space, mask }
    }

    /// Writes the action of one column.
    pub fn draw(
        &self,
        column: usize,
        observation: Row<'_>,
        action: &mut RowMut<'_>,
        rng: &mut Rng,
    ) {
        match (self.mask, self.space.discrete_n()) {
            (Some(leaf), Some(n)) => {
                let allowed = observation.cell(column).u8(leaf);
                action.cell(column).i64(0)[0] = random_action(n, Some(allowed), rng) as i64;
            }
            _ => self.space.sample(rng, &mut action.cell(column)),
        }
    }
}

impl Agent for RandomAgent {
    fn schema(&self) -> AgentSchema {
        AgentSchema::default()
    }

    fn act(&mut self, io: &mut ActIo<'_>, _phase: Phase) -> Result<(), AgentError> {
        if let (None, Some(n)) = (self.mask, self.space.discrete_n()) {
            for (action, rng) in io.action.get::<i64>(0).iter_mut().zip(&mut *io.rng) {
                *action = rng.random_range(0..n as i64);
            }
            return Ok(());
        }
        for column in 0..io.action.columns() {
            self.draw(column, io.seen.observation, &mut io.action, &mut io.rng[column]);
        }
        Ok(())
    }
}
