//! MountainCarContinuous-v0: MountainCar with an engine that can be throttled, and fuel that costs.
//!
//! Follows Gymnasium 1.4 (`envs/classic_control/continuous_mountain_car.py`), its number types included. The state is `f32`
//! after every step and `f64` only after a reset; NumPy 2 computes in the type of the state, and so do we. The action is
//! clipped to [-1, 1] as a force, but the cost is `0.1 action^2` of the action before clipping. The reward at the goal is 100,
//! minus the cost.
use super::classic::{ClassicEnv, Task, TaskStep, continuous, symmetric_box};
use super::mountain_car::{GRAVITY, MAX_POSITION, MAX_SPEED, MIN_POSITION, START, observation};
use crate::cells::CellRef;
use crate::env::{EnvContext, EnvError, EnvSpaces, MakeEnv};
use crate::seed::Rng;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const POWER: f64 = 0.0015;
/// The episode ends at or beyond this position, unless the car rolls back.
pub const GOAL: f64 = 0.45;

/// Position and velocity (position per step), in the type in which the next step is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// After a reset.
    Start([f64; 2]),
    /// After a step.
    Moving([f32; 2]),
}

/// The state after one step under this action, which is not NaN.
#[inline]
pub fn dynamics(state: &State, action: f32) -> [f32; 2] {
    match *state {
        State::Start(state) => moved(state, action, |v| v),
        State::Moving(state) => moved(state.map(f64::from), action, rounded),
    }
}

/// Rounds to the nearest `f32`.
#[inline]
fn rounded(v: f64) -> f64 {
    f64::from(v as f32)
}

/// `held` rounds to the type of the state. A sum or product of two `f32` that is computed in `f64` and then rounded equals the result of
/// `f32` arithmetic, so one formula serves both types.
#[inline]
fn moved([position, velocity]: [f64; 2], action: f32, held: impl Fn(f64) -> f64) -> [f32; 2] {
    let slope = GRAVITY * held(3.0 * position).cos();
    // In Gymnasium a clipped action is a Python float (f64); an action within the limits is still a NumPy f32.
    let pull = if action.abs() > 1.0 {
        f64::from(action.signum()) * POWER - slope
    } else {
        rounded(rounded(f64::from(action) * rounded(POWER)) - rounded(slope))
    };
    let max_speed = held(MAX_SPEED);
    let velocity = held(velocity + held(pull)).clamp(-max_speed, max_speed);
    let position = held(position + velocity).clamp(held(MIN_POSITION), held(MAX_POSITION));
    let at_wall = position == held(MIN_POSITION) && velocity < 0.0;
    [position as f32, if at_wall { 0.0 } else { velocity as f32 }]
}

/// Settings of [`MountainCarContinuousEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MountainCarContinuous {
    /// Steps after which an episode is truncated, at least 1 (Gymnasium: 999).
    pub max_steps: usize,
}

impl Default for MountainCarContinuous {
    fn default() -> Self {
        Self { max_steps: 999 }
    }
}

impl MakeEnv for MountainCarContinuous {
    type Env = MountainCarContinuousEnv;

    fn make(&self, _context: &EnvContext) -> Result<MountainCarContinuousEnv, EnvError> {
        ClassicEnv::new(self.max_steps)
    }
}

/// The environment. Observation `[2] f32`: position, velocity; action `[1] f32` in [-1, 1].
pub type MountainCarContinuousEnv = ClassicEnv<Equations>;

/// MountainCarContinuous's equations of motion.
#[derive(Debug)]
pub enum Equations {}

impl Task for Equations {
    type State = State;
    type Observation = [f32; 2];

    fn spaces() -> EnvSpaces {
        EnvSpaces::new(observation(), symmetric_box([1.0]))
    }

    #[inline]
    fn start(rng: &mut Rng) -> State {
        State::Start([rng.random_range(START), 0.0])
    }

    #[inline]
    fn act(state: &State, action: CellRef<'_>) -> Result<TaskStep<State>, EnvError> {
        let action = continuous(action)?;
        let next = dynamics(state, action);
        let terminated = next[0] >= GOAL as f32 && next[1] >= 0.0;
        let cost = f64::from(action) * f64::from(action) * 0.1;
        let reward = if terminated { 100.0 - cost } else { -cost };
        Ok(TaskStep { next: State::Moving(next), reward, terminated })
    }

    #[inline]
    fn observe(state: &State) -> [f32; 2] {
        match *state {
            State::Start(state) => state.map(|v| v as f32),
            State::Moving(state) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::golden::{Golden, Numbers};
    use crate::envs::testing::Fixture;

    impl Numbers for State {
        fn from_numbers(numbers: &[f64]) -> Self {
            State::Moving(std::array::from_fn(|i| numbers[i] as f32))
        }

        fn numbers(&self) -> Vec<f64> {
            match self {
                State::Start(state) => state.to_vec(),
                State::Moving(state) => state.map(f64::from).to_vec(),
            }
        }
    }

    /// Broken by a step in the other type, a cost of the clipped action, any other constant or threshold. The tolerance is
    /// below an `f32`'s last place: the recorded roundings are ours.
    #[test]
    fn every_golden_step_is_reproduced() {
        let env = "MountainCarContinuous-v0";
        let golden = Golden::<Equations>::exact("env_dynamics", env, 1e-12);
        golden.transitions(&MountainCarContinuous::default(), 120);
        golden.rollouts(&MountainCarContinuous::default());
        let start = |numbers: &[f64]| State::Start(numbers.try_into().unwrap());
        golden.first_steps(&MountainCarContinuous::default(), start);
        golden.episodes(&MountainCarContinuous::default(), start);
    }

    #[test]
    fn starts_fill_the_documented_range() {
        let mut stage = Fixture::new(&MountainCarContinuous::default(), 7);
        let state = |env: &MountainCarContinuousEnv| match env.now.state {
            State::Start(state) => state,
            State::Moving(_) => panic!("a start is f64"),
        };
        stage.starts_fill(state, [(START.start, START.end), (0.0, 0.0)]);
    }

    #[test]
    fn an_action_that_is_no_number_is_refused() {
        Fixture::new(&MountainCarContinuous::default(), 1).refuses_what_is_no_number();
    }
}
