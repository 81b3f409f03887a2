//! MountainCar-v0: an engine too weak for the hill has to swing the car up to the flag.
//!
//! Follows Gymnasium 1.4 (`envs/classic_control/mountain_car.py`, after Moore 1990) operation by operation: the state is
//! `f64`, the velocity is limited before it moves the car, the left wall stops the car, the observation is the state cast to
//! `f32`, the reward is -1 on every step, the last included.
use super::classic::{ClassicEnv, Task, TaskStep, f32_box};
use super::invalid_action;
use crate::cells::CellRef;
use crate::env::{EnvContext, EnvError, EnvSpaces, MakeEnv};
use crate::seed::Rng;
use crate::space::Space;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

const FORCE: f64 = 0.001;
pub(super) const GRAVITY: f64 = 0.0025;
pub(super) const MAX_SPEED: f64 = 0.07;
/// The wall on the left.
pub(super) const MIN_POSITION: f64 = -1.2;
pub(super) const MAX_POSITION: f64 = 0.6;
/// The car starts at rest, around the bottom of the valley (-pi/6).
pub(super) const START: Range<f64> = -0.6..-0.4;
/// The flag.
pub const GOAL: f64 = 0.5;

/// Position, velocity (position per step); the height at a position is `sin(3 position)`.
pub type State = [f64; 2];

/// Whether the episode ends in this state: at the flag or beyond, and not rolling back.
#[inline]
pub fn at_goal([position, velocity]: &State) -> bool {
    *position >= GOAL && *velocity >= 0.0
}

/// Settings of [`MountainCarEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MountainCar {
    /// Steps after which an episode is truncated, at least 1 (Gymnasium: 200).
    pub max_steps: usize,
}

impl Default for MountainCar {
    fn default() -> Self {
        Self { max_steps: 200 }
    }
}

impl MakeEnv for MountainCar {
    type Env = MountainCarEnv;

    fn make(&self, _context: &EnvContext) -> Result<MountainCarEnv, EnvError> {
        ClassicEnv::new(self.max_steps)
    }
}

/// The environment. Observation `[2] f32`: position, velocity; actions left, none, right.
pub type MountainCarEnv = ClassicEnv<Equations>;

/// MountainCar's equations of motion.
#[derive(Debug)]
pub enum Equations {}

/// The observation space of both mountain cars.
pub(super) fn observation() -> Space {
    f32_box([MIN_POSITION, -MAX_SPEED], [MAX_POSITION, MAX_SPEED])
}

impl Task for Equations {
    type State = State;
    type Observation = [f32; 2];

    fn spaces() -> EnvSpaces {
        EnvSpaces::new(observation(), Space::Discrete { n: 3 })
    }

    #[inline]
    fn start(rng: &mut Rng) -> State {
        [rng.random_range(START), 0.0]
    }

    #[inline]
    fn act(
        &[position, velocity]: &State,
        action: CellRef<'_>,
    ) -> Result<TaskStep<State>, EnvError> {
        let action = action.discrete();
        if !(0..3).contains(&action) {
            return Err(invalid_action(action, 3));
        }
        let push = (action - 1) as f64 * FORCE;
        let velocity = velocity + (push - (3.0 * position).cos() * GRAVITY);
        let velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity).clamp(MIN_POSITION, MAX_POSITION);
        let at_wall = position == MIN_POSITION && velocity < 0.0;
        let next = [position, if at_wall { 0.0 } else { velocity }];
        Ok(TaskStep { next, reward: -1.0, terminated: at_goal(&next) })
    }

    #[inline]
    fn observe(state: &State) -> [f32; 2] {
        state.map(|v| v as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::golden::Golden;
    use crate::envs::testing::Fixture;

    /// Broken by any other constant, order of limits, threshold or flag.
    #[test]
    fn every_golden_step_is_reproduced() {
        let golden = Golden::<Equations>::exact("env_dynamics", "MountainCar-v0", 1e-12);
        golden.transitions(&MountainCar::default(), 120);
        golden.rollouts(&MountainCar::default());
        golden.episodes(&MountainCar::default(), |numbers| numbers.try_into().unwrap());
    }

    /// The recorded steps have no state exactly there, and none that rolls back.
    #[test]
    fn the_flag_counts_and_rolling_back_does_not() {
        assert!(at_goal(&[GOAL, 0.0]) && !at_goal(&[GOAL.next_down(), 0.07]));
        assert!(!at_goal(&[0.6, -1e-9]));
    }

    #[test]
    fn starts_fill_the_documented_range() {
        let mut stage = Fixture::new(&MountainCar::default(), 7);
        stage.starts_fill(|env| env.now.state, [(START.start, START.end), (0.0, 0.0)]);
    }
}
