//! TimeLimit: truncates the episodes of any environment.
//!
//! Equals Gymnasium's wrapper of that name: `max_steps` steps after the reset `truncated` is set, and `terminated` is unchanged. A lost
//! life is not a reset, so it does not restart the count.
use super::{after_end, at_least};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step, from_state, to_state};
use serde::{Deserialize, Serialize};

/// Settings of [`TimeLimitEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeLimit<M> {
    /// Settings of the wrapped environment.
    pub env: M,
    /// Steps after which an episode is truncated, at least 1.
    pub max_steps: usize,
}

impl<M: MakeEnv> MakeEnv for TimeLimit<M> {
    type Env = TimeLimitEnv<M::Env>;

    fn make(&self, context: &EnvContext) -> Result<Self::Env, EnvError> {
        at_least("max_steps", self.max_steps, 1)?;
        let count = Count { elapsed: 0, over: true };
        Ok(TimeLimitEnv { env: self.env.make(context)?, max_steps: self.max_steps, count })
    }
}

/// The wrapped environment with a time limit.
#[derive(Clone, Debug)]
pub struct TimeLimitEnv<E> {
    env: E,
    max_steps: usize,
    count: Count,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Count {
    elapsed: usize,
    over: bool,
}

impl<E: Env> Env for TimeLimitEnv<E> {
    fn spaces(&self) -> EnvSpaces {
        let spaces = self.env.spaces();
        let every =
            spaces.truncates_every.map_or(self.max_steps, |every| every.min(self.max_steps));
        EnvSpaces { truncates_every: Some(every), ..spaces }
    }

    fn seed(&mut self, seed: u64) {
        self.env.seed(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        self.env.reset(observation)?;
        self.count = Count { elapsed: 0, over: false };
        Ok(())
    }

    #[inline]
    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        if self.count.over {
            return Err(after_end());
        }
        let mut step = self.env.step(action, observation, info)?;
        self.count.elapsed += 1;
        if self.count.elapsed >= self.max_steps {
            step.truncated = true;
            step.reset = true;
        }
        self.count.over = step.reset;
        Ok(step)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&(self.count, self.env.save_state()?))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let (count, within): (Count, Vec<u8>) = from_state(state)?;
        self.env.load_state(&within)?;
        self.count = count;
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.env.take_notes()
    }

    fn close(&mut self) {
        self.env.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::testing::Fixture;
    use crate::envs::{CartPole, Null};

    #[test]
    fn the_limit_truncates_and_keeps_what_terminated() {
        let env = Null { observation: 1, episode: 3 };
        let mut short = Fixture::new(&TimeLimit { env: env.clone(), max_steps: 2 }, 0);
        for _ in 0..2 {
            assert_eq!(short.step(0).unwrap(), Step::running(0.0));
            assert_eq!(short.step(0).unwrap(), Step::truncated(0.0));
            assert!(short.step(0).is_err(), "though the environment within would go on");
            short.reset();
        }
        let mut equal = Fixture::new(&TimeLimit { env, max_steps: 3 }, 0);
        equal.step(0).unwrap();
        equal.step(0).unwrap();
        let last = Step { truncated: true, ..Step::terminated(0.0) };
        assert_eq!(equal.step(0).unwrap(), last);
    }

    #[test]
    fn limits_compose() {
        let outer = |inner, outer| TimeLimit {
            env: TimeLimit { env: CartPole { max_steps: 5 }, max_steps: inner },
            max_steps: outer,
        };
        for (inner, limit, want) in [(3, 9, 3), (9, 3, 3), (9, 9, 5)] {
            let settings = outer(inner, limit);
            let mut stage = Fixture::new(&settings, 1);
            assert_eq!(stage.env.spaces().truncates_every, Some(want));
            for t in 1..=want {
                assert_eq!(stage.step(t as i64 % 2).unwrap().truncated, t == want);
            }
        }
    }
}
