//! Native environments, and the slice that steps many environments of one type.
//!
//! Each file holds the settings of an environment ([`MakeEnv`](crate::env::MakeEnv), the type that users name) and the environment
//! itself. All of them pass [`crate::conformance`], save their state, and refuse a step after the end.
//!
//! | settings | observation | actions | what it is for |
//! |---|---|---|---|
//! | [`CartPole`] | `[4] f32` | 2 | the first thing to learn; Gymnasium's `CartPole-v1` |
//! | [`MountainCar`] | `[2] f32` | 3 | reward only at the goal; Gymnasium's `MountainCar-v0` |
//! | [`Acrobot`] | `[6] f32` | 3 | a longer search than CartPole; Gymnasium's `Acrobot-v1` |
//! | [`Pendulum`] | `[3] f32` | `[1] f32` | the first continuous action, never terminates; Gymnasium's `Pendulum-v1` |
//! | [`MountainCarContinuous`] | `[2] f32` | `[1] f32` | exploration; Gymnasium's `MountainCarContinuous-v0` |
//! | [`Catch`] | `[1, rows, columns] u8` | 3 | images, with a known best return of 1 |
//! | [`Memory`] | `[cues + 1] f32` | cues | recurrent agents: the cue is only visible in the first step |
//! | [`DictToy`] | dict of image, position, mask | 4 | nested observations, action mask, lost lives, info, notes |
//! | [`Null`] | `[n] f32` | 2 | the cost of everything except the environment |
//! | [`Slow`] | `[n] f32` | 2 | an environment with a known cost per step |
//! | [`TimeLimit`] | as the wrapped one | as the wrapped one | truncates any of them |
//!
//! # Equality with Gymnasium
//!
//! The five classic-control tasks are those of Gymnasium 1.4. Given the same state and the same action:
//!
//! - `MountainCar`, `MountainCarContinuous`, `Acrobot` and `Pendulum` give the same next state, observation, reward and flags as
//!   Gymnasium with NumPy 2, to the last bit, over whole episodes. This holds where both take sine, cosine and powers from glibc
//!   2.28 or later on an x86-64 processor with fused multiply-add, which is where Gymnasium's episodes were recorded for the tests.
//!   With another C library single results may differ in the last bit. `Acrobot` is chaotic: after one such difference the rest of an
//!   episode is a different one.
//! - `CartPole` computes sine and cosine by a series of its own, which gives the same bits with every C library. A step from a
//!   given state is Gymnasium's within 1e-12 (relative to 1 + |x|), and so are the whole episodes recorded for the tests.
//!
//! Not the same as Gymnasium's: the states in which episodes start, because they are drawn from our random generator (the ranges
//! and distributions are Gymnasium's); the observation of a reset of `Acrobot`, which may differ by one unit in the last place of
//! `f32`, because NumPy computes that one in `f32`; and invalid actions, which are errors here.
pub mod acrobot;
pub mod cartpole;
pub mod catch;
pub mod classic;
pub mod columns;
pub mod dict_toy;
#[cfg(test)]
mod golden;
pub mod memory;
pub mod mountain_car;
pub mod mountain_car_continuous;
pub mod null;
pub mod pendulum;
pub mod slow;
#[cfg(test)]
mod testing;
pub mod time_limit;

pub use acrobot::{Acrobot, AcrobotEnv};
pub use cartpole::{CartPole, CartPoleEnv};
pub use catch::{Catch, CatchEnv};
pub use dict_toy::{DictToy, DictToyEnv};
pub use memory::{Memory, MemoryEnv};
pub use mountain_car::{MountainCar, MountainCarEnv};
pub use mountain_car_continuous::{MountainCarContinuous, MountainCarContinuousEnv};
pub use null::{Null, NullEnv};
pub use pendulum::{Pendulum, PendulumEnv};
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

/// Returns an error if a setting is below the minimum of the environment.
fn at_least(setting: &str, value: usize, least: usize) -> Result<(), EnvError> {
    if value >= least {
        return Ok(());
    }
    Err(EnvError::new(format!("`{setting}` is {value}, it must be at least {least}")))
}

/// Most elements of an array and most steps of a counter: products and sums of a few of these do not overflow. Whether an array fits
/// into memory is checked by the caller, who knows how many are needed.
const MOST: usize = 1 << 31;

/// Returns an error if a setting is too large to be counted with.
fn at_most(setting: &str, value: usize, most: usize) -> Result<(), EnvError> {
    if value <= most {
        return Ok(());
    }
    Err(EnvError::new(format!("`{setting}` is {value}, it must be at most {most}")))
}
