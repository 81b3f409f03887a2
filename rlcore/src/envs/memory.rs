//! Memory: remember a cue for some steps, then repeat it.
//!
//! The T-maze of Bakker (2001), "Reinforcement Learning with Long Short-Term Memory", without its corridor: the cue is seen
//! at the first step only, blank observations follow, and at the query the action should be the cue. At the query all
//! episodes look the same, so with two cues a policy that only uses the current observation has a mean return of 0 (with n
//! cues, `2/n - 1`); a policy that remembers the cue has 1. Actions before the query have no effect.
//!
//! An agent that receives its previous action as an input can encode the cue in its actions. To show that a recurrent state works, use
//! agents that receive the observation alone.
use super::{MOST, after_end, at_least, at_most, invalid_action};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step, from_state, to_state};
use crate::schema::DType;
use crate::seed::{self, Rng};
use crate::space::Space;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of [`MemoryEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Number of cues, and of actions, at least 2.
    pub cues: usize,
    /// Blank observations between cue and query; an episode is two steps longer.
    pub delay: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { cues: 2, delay: 4 }
    }
}

impl MakeEnv for Memory {
    type Env = MemoryEnv;

    fn make(&self, _context: &EnvContext) -> Result<MemoryEnv, EnvError> {
        at_least("cues", self.cues, 2)?;
        at_most("cues", self.cues, MOST)?;
        at_most("delay", self.delay, MOST)?;
        let now = Now { cue: 0, elapsed: 0, over: true, rng: seed::rng(0) };
        Ok(MemoryEnv { task: self.clone(), now })
    }
}

/// The environment. Observation `[cues + 1] f32`: the cue one-hot, then the query flag.
#[derive(Clone, Debug)]
pub struct MemoryEnv {
    task: Memory,
    now: Now,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Now {
    cue: usize,
    elapsed: usize,
    over: bool,
    rng: Rng,
}

impl MemoryEnv {
    fn show(&self, observation: &mut CellMut<'_>) {
        let seen = observation.f32(0);
        seen.fill(0.0);
        if self.now.elapsed == 0 {
            seen[self.now.cue] = 1.0;
        } else if self.now.elapsed == self.task.delay + 1 {
            seen[self.task.cues] = 1.0;
        }
    }
}

impl Env for MemoryEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation = Space::uniform_box(DType::F32, &[self.task.cues + 1], 0.0, 1.0);
        EnvSpaces::new(observation, Space::Discrete { n: self.task.cues })
    }

    fn seed(&mut self, seed: u64) {
        self.now.rng = seed::rng(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let now = &mut self.now;
        now.cue = now.rng.random_range(0..self.task.cues);
        now.elapsed = 0;
        now.over = false;
        self.show(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let now = &mut self.now;
        if now.over {
            return Err(after_end());
        }
        let action = action.discrete();
        if !(0..self.task.cues as i64).contains(&action) {
            return Err(invalid_action(action, self.task.cues));
        }
        now.over = now.elapsed == self.task.delay + 1;
        now.elapsed += 1;
        let step = match (now.over, action == now.cue as i64) {
            (false, _) => Step::running(0.0),
            (true, true) => Step::terminated(1.0),
            (true, false) => Step::terminated(-1.0),
        };
        self.show(observation);
        Ok(step)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.now)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.now = from_state(state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::testing::Fixture;

    /// The return of one episode with this cue under a policy that maps (observation, own state) to (action, own state).
    fn play(task: &Memory, cue: usize, mut policy: impl FnMut(&[f32]) -> usize) -> f64 {
        let mut stage = Fixture::new(task, 0);
        while stage.env.now.cue != cue {
            stage.reset();
        }
        let mut steps = 0;
        loop {
            let action = policy(stage.observation().f32(0));
            let step = stage.step(action as i64).unwrap();
            steps += 1;
            if step.reset {
                assert_eq!(steps, task.delay + 2);
                return step.reward;
            }
            assert_eq!(step.reward, 0.0);
        }
    }

    /// 0 and up: a cue; then blank; then query.
    fn symbol(seen: &[f32]) -> usize {
        let cues = seen.len() - 1;
        match seen.iter().position(|v| *v == 1.0) {
            Some(i) if i < cues => i,
            None => cues,
            Some(_) => cues + 1,
        }
    }

    /// Every deterministic map from the cues + 2 possible observations to actions; a stochastic one is a mixture of them, so
    /// its mean is one of their means or between them. Broken by any observation that tells the cue later.
    #[test]
    fn no_reactive_policy_beats_chance() {
        for (cues, delay) in [(2, 0), (2, 3), (3, 1)] {
            let task = Memory { cues, delay };
            let policies = cues.pow(cues as u32 + 2);
            for policy in 0..policies {
                let act = |seen: &[f32]| policy / cues.pow(symbol(seen) as u32) % cues;
                let total: f64 = (0..cues).map(|cue| play(&task, cue, act)).sum();
                assert_eq!(total, 2.0 - cues as f64, "policy {policy} of {policies}");
            }
        }
    }

    #[test]
    fn memory_solves_it() {
        for (cues, delay) in [(2, 0), (2, 4), (5, 20)] {
            for cue in 0..cues {
                let mut memory = 0;
                let remember = |seen: &[f32]| {
                    if symbol(seen) < cues {
                        memory = symbol(seen);
                    }
                    memory
                };
                assert_eq!(play(&Memory { cues, delay }, cue, remember), 1.0);
            }
        }
    }
}
