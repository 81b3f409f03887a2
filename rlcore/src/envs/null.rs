//! Null: an environment that does nothing, so that a benchmark with it measures everything else.
use super::{MOST, after_end, at_least, at_most, invalid_action};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step, from_state, to_state};
use crate::schema::DType;
use crate::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of [`NullEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Null {
    /// Elements of the observation, at least 1.
    pub observation: usize,
    /// Steps until an episode terminates, at least 1.
    pub episode: usize,
}

impl Default for Null {
    fn default() -> Self {
        Self { observation: 4, episode: 1000 }
    }
}

impl MakeEnv for Null {
    type Env = NullEnv;

    fn make(&self, _context: &EnvContext) -> Result<NullEnv, EnvError> {
        at_least("observation", self.observation, 1)?;
        at_most("observation", self.observation, MOST)?;
        at_least("episode", self.episode, 1)?;
        Ok(NullEnv { settings: self.clone(), left: 0 })
    }
}

/// The environment. Observation `[observation] f32`, always zero; two actions; reward 0. Nothing in it is random.
#[derive(Clone, Debug)]
pub struct NullEnv {
    settings: Null,
    /// Steps left in the episode; 0 after its end.
    left: usize,
}

impl Env for NullEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation = Space::uniform_box(DType::F32, &[self.settings.observation], 0.0, 0.0);
        EnvSpaces::new(observation, Space::Discrete { n: 2 })
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        self.left = self.settings.episode;
        observation.f32(0).fill(0.0);
        Ok(())
    }

    #[inline]
    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let action = action.discrete();
        if !(0..2).contains(&action) {
            return Err(invalid_action(action, 2));
        }
        self.left = self.left.checked_sub(1).ok_or_else(after_end)?;
        observation.f32(0).fill(0.0);
        Ok(if self.left == 0 { Step::terminated(0.0) } else { Step::running(0.0) })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.left)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.left = from_state(state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::testing::Fixture;

    #[test]
    fn episodes_have_the_length_asked_for() {
        let mut stage = Fixture::new(&Null { observation: 3, episode: 2 }, 0);
        assert_eq!(stage.step(0).unwrap(), Step::running(0.0));
        assert_eq!(stage.step(1).unwrap(), Step::terminated(0.0));
        assert!(stage.step(0).is_err());
        assert_eq!(stage.observation().f32(0), [0.0; 3]);
    }
}
