//! Native environments, and the slice that steps many of one kind.
//!
//! Each file holds the settings that build an environment ([`MakeEnv`](crate::env::MakeEnv), the name to use elsewhere) and
//! the environment itself. All of them pass [`crate::conformance`], save their state, and refuse a step after the end.
//!
//! | settings | observation | actions | what it is for |
//! |---|---|---|---|
//! | [`CartPole`] | `[4] f32` | 2 | the first thing to learn; equal to Gymnasium's `CartPole-v1` |
//! | [`Catch`] | `[1, rows, columns] u8` | 3 | images, with a known best return of 1 |
//! | [`Memory`] | `[cues + 1] f32` | cues | recurrent agents: what to do is only visible at the start |
//! | [`DictToy`] | dict of image, position, mask | 4 | nested observations, action mask, lost lives, info, notes |
//! | [`Null`] | `[n] f32` | 2 | the cost of everything but the environment |
//! | [`Slow`] | `[n] f32` | 2 | an environment of a known cost |
//! | [`TimeLimit`] | as the wrapped one | as the wrapped one | truncates any of them |
pub mod cartpole;
pub mod catch;
pub mod columns;
pub mod dict_toy;
pub mod memory;
pub mod null;
pub mod slow;
pub mod time_limit;

pub use cartpole::{CartPole, CartPoleEnv};
pub use catch::{Catch, CatchEnv};
pub use dict_toy::{DictToy, DictToyEnv};
pub use memory::{Memory, MemoryEnv};
pub use null::{Null, NullEnv};
pub use slow::{Slow, SlowEnv};
pub use time_limit::{TimeLimit, TimeLimitEnv};

use crate::env::EnvError;

#[cold]
fn after_end() -> EnvError {
    EnvError::new("stepped without a reset: the episode is over or has not begun")
}

#[cold]
fn invalid_action(action: i64, n: usize) -> EnvError {
    EnvError::new(format!("action {action} is not one of 0..{n}"))
}

/// Refuses settings below what the environment needs.
fn at_least(setting: &str, value: usize, least: usize) -> Result<(), EnvError> {
    if value >= least {
        return Ok(());
    }
    Err(EnvError::new(format!("`{setting}` is {value}, it must be at least {least}")))
}

/// Steps and resets for the tests of one environment.
#[cfg(test)]
mod testing {
    use crate::cells::{CellRef, Tree};
    use crate::env::{Env, EnvContext, EnvError, MakeEnv, Step};
    use crate::schema::{DType, LeafSpec};

    /// One environment with a discrete action, and cells for it.
    pub(super) struct Stage<E> {
        pub(super) env: E,
        observation: Tree,
        info: Tree,
        action: Tree,
    }

    impl<E: Env> Stage<E> {
        /// Built, seeded and reset.
        pub(super) fn new<M: MakeEnv<Env = E>>(settings: &M, seed: u64) -> Self {
            let mut env = settings.make(&EnvContext { env_rank: crate::EnvRank(0) }).unwrap();
            let spaces = env.spaces();
            env.seed(seed);
            let info: Vec<LeafSpec> = spaces.info.iter().map(|i| i.spec.clone()).collect();
            let mut stage = Self {
                env,
                observation: Tree::owned(&spaces.observation.leaves("observation"), 1, 1),
                info: Tree::owned(&info, 1, 1),
                action: Tree::owned(&[LeafSpec::scalar("action", DType::I64)], 1, 1),
            };
            stage.reset();
            stage
        }

        pub(super) fn reset(&mut self) {
            self.env.reset(&mut self.observation.cell_mut(0, 0)).unwrap();
        }

        pub(super) fn step(&mut self, action: i64) -> Result<Step, EnvError> {
            self.action.cell_mut(0, 0).i64(0)[0] = action;
            self.info.zero();
            let (mut o, mut i) = (self.observation.cell_mut(0, 0), self.info.cell_mut(0, 0));
            self.env.step(self.action.cell(0, 0), &mut o, &mut i)
        }

        pub(super) fn observation(&self) -> CellRef<'_> {
            self.observation.cell(0, 0)
        }

        pub(super) fn info(&self) -> CellRef<'_> {
            self.info.cell(0, 0)
        }
    }
}
