//! Slow: [`Null`] with steps that take a known time, so that a benchmark has a bound to compare with.
//!
//! A step reads the clock in a loop instead of sleeping, because a simulator occupies its core too.
use super::null::{Null, NullEnv};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Settings of [`SlowEnv`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Slow {
    /// Length of a step, microseconds, not negative.
    pub busy_us: f64,
    /// Elements of the observation, at least 1.
    pub observation: usize,
    /// Steps until an episode terminates, at least 1.
    pub episode: usize,
}

impl Default for Slow {
    fn default() -> Self {
        let Null { observation, episode } = Null::default();
        Self { busy_us: 100.0, observation, episode }
    }
}

impl MakeEnv for Slow {
    type Env = SlowEnv;

    fn make(&self, context: &EnvContext) -> Result<SlowEnv, EnvError> {
        let busy = Duration::try_from_secs_f64(self.busy_us * 1e-6).map_err(|e| {
            EnvError::new(format!(
                "`busy_us` is {}, which is no length of a step: {e}",
                self.busy_us
            ))
        })?;
        let null = Null { observation: self.observation, episode: self.episode }.make(context)?;
        Ok(SlowEnv { busy, null })
    }
}

/// The environment: as [`NullEnv`], with slower steps.
#[derive(Clone, Debug)]
pub struct SlowEnv {
    busy: Duration,
    null: NullEnv,
}

impl Env for SlowEnv {
    fn spaces(&self) -> EnvSpaces {
        self.null.spaces()
    }

    fn seed(&mut self, seed: u64) {
        self.null.seed(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        self.null.reset(observation)
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let start = Instant::now();
        let step = self.null.step(action, observation, info);
        while start.elapsed() < self.busy {
            std::hint::spin_loop();
        }
        step
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.null.save_state()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.null.load_state(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::testing::Fixture;

    #[test]
    fn a_step_takes_at_least_the_time_asked_for() {
        let mut stage = Fixture::new(&Slow { busy_us: 300.0, ..Slow::default() }, 0);
        let start = Instant::now();
        stage.step(0).unwrap();
        stage.step(1).unwrap();
        assert!(start.elapsed() >= Duration::from_micros(600));
    }

    #[test]
    fn impossible_times_are_refused() {
        let context = EnvContext { env_rank: crate::EnvRank(0) };
        for busy_us in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Slow { busy_us, ..Slow::default() }.make(&context).is_err());
        }
    }
}
