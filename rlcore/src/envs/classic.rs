//! The common part of the classic-control tasks: stepping and observing a state, and truncation after a number of steps.
//!
//! Gymnasium registers each of them with a time limit of its own, which sets `truncated` whether or not the task also ended
//! in that step; so here the limit is a setting of every task. A task implements its equations as a [`Task`]; initial states
//! are drawn from this crate's generator, so individual episodes differ from Gymnasium's.
use super::{after_end, at_least};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvError, EnvSpaces, Step, from_state, to_state};
use crate::schema::DType;
use crate::seed::{self, Rng};
use crate::space::{BoxSpace, Space};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::marker::PhantomData;

/// The equations of one task.
pub trait Task: Send + 'static {
    /// The complete state, except the number of elapsed steps and the random stream.
    type State: Copy + Debug + Send + Serialize + DeserializeOwned;
    /// `[f32; n]`, one leaf.
    type Observation: AsRef<[f32]>;

    /// Observations and actions.
    fn spaces() -> EnvSpaces;

    /// Draws the initial state of an episode.
    fn start(rng: &mut Rng) -> Self::State;

    /// The result of an action; an error if the action is not valid.
    fn act(state: &Self::State, action: CellRef<'_>) -> Result<TaskStep<Self::State>, EnvError>;

    /// The observation of a state.
    fn observe(state: &Self::State) -> Self::Observation;
}

/// The result of one action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskStep<S> {
    /// The state after it.
    pub next: S,
    /// Reward of the step.
    pub reward: f64,
    /// Whether the task ends in `next`.
    pub terminated: bool,
}

/// The environment of a task; built from the settings of the task.
#[derive(Debug)]
pub struct ClassicEnv<T: Task> {
    max_steps: usize,
    pub(super) now: Now<T::State>,
    task: PhantomData<T>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Now<S> {
    pub(super) state: S,
    /// Steps since the reset.
    pub(super) elapsed: usize,
    over: bool,
    rng: Rng,
}

impl<T: Task> ClassicEnv<T> {
    pub(super) fn new(max_steps: usize) -> Result<Self, EnvError> {
        at_least("max_steps", max_steps, 1)?;
        let mut rng = seed::rng(0);
        let now = Now { state: T::start(&mut rng), elapsed: 0, over: true, rng };
        Ok(Self { max_steps, now, task: PhantomData })
    }
}

impl<T: Task> Env for ClassicEnv<T> {
    fn spaces(&self) -> EnvSpaces {
        EnvSpaces { truncates_every: Some(self.max_steps), ..T::spaces() }
    }

    fn seed(&mut self, seed: u64) {
        self.now.rng = seed::rng(seed);
    }

    #[inline]
    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let now = &mut self.now;
        now.state = T::start(&mut now.rng);
        now.elapsed = 0;
        now.over = false;
        Ok(observation.write(0, T::observe(&now.state).as_ref())?)
    }

    #[inline]
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
        let TaskStep { next, reward, terminated } = T::act(&now.state, action)?;
        now.state = next;
        now.elapsed += 1;
        let truncated = now.elapsed >= self.max_steps;
        now.over = terminated | truncated;
        observation.write(0, T::observe(&now.state).as_ref())?;
        Ok(Step { reward, terminated, truncated, reset: now.over })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.now)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.now = from_state(state)?;
        Ok(())
    }
}

/// The square as NumPy computes `x**2` of a `float64`: with the C library's `pow`, which is not always the rounded product.
#[inline]
pub(super) fn squared(x: f64) -> f64 {
    // The compiler would replace a constant exponent by `x * x`.
    x.powf(std::hint::black_box(2.0))
}

/// A box of `f32` with these bounds.
pub(super) fn f32_box<const N: usize>(low: [f64; N], high: [f64; N]) -> Space {
    let (low, high) = (low.to_vec(), high.to_vec());
    Space::Box(BoxSpace { dtype: DType::F32, shape: vec![N], low, high })
}

/// A box of `f32` with these upper bounds and their negatives as lower bounds.
pub(super) fn symmetric_box<const N: usize>(high: [f64; N]) -> Space {
    f32_box(high.map(|h| -h), high)
}

/// Reads a continuous action of one number, `[1] f32`. Infinite values are refused like NaN: both mean that the agent has diverged.
#[inline]
pub(super) fn continuous(action: CellRef<'_>) -> Result<f32, EnvError> {
    let value = action.f32(0)[0];
    if value.is_finite() { Ok(value) } else { Err(no_number(value)) }
}

#[cold]
fn no_number(action: f32) -> EnvError {
    EnvError::new(format!("action {action} is not a finite number: the agent has diverged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::golden::recorded_with_this_library;

    /// Numbers whose `x**2` in NumPy differs from `x * x` in the last bit.
    #[test]
    fn squares_are_those_of_numpy() {
        if recorded_with_this_library() {
            assert_eq!(squared(1.209_931_652_535_575_9), 1.463_934_603_807_469_6);
            assert_eq!(squared(1.363_108_334_429_805_6), 1.858_064_331_391_998_7);
        }
        assert_eq!(squared(-3.0), 9.0);
    }
}
