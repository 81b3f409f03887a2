//! Pendulum-v1: swing a pendulum up with a motor too weak to lift it, and hold it there.
//!
//! Follows Gymnasium 1.4 (`envs/classic_control/pendulum.py`) operation by operation: the state is `f64` with an angle that
//! is never wrapped, the torque is clipped to [-2, 2], its two products are rounded to `f32` (the action's type, which NumPy 2
//! keeps), the cost is that of the state before the step, the new velocity moves the pendulum. Only the time limit ends an
//! episode. States, rewards and observations are Gymnasium's to the bit, where NumPy takes sine, cosine and powers
//! from the same C library as this program.
use super::classic::{ClassicEnv, Task, TaskStep, continuous, squared, symmetric_box};
use crate::cells::CellRef;
use crate::env::{EnvContext, EnvError, EnvSpaces, MakeEnv};
use crate::seed::Rng;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::{PI, TAU};

/// 3 g / 2 l, with g = 10 m/s^2 and l = 1 m.
const GRAVITY: f64 = 15.0;
/// 3 / m l^2, with m = 1 kg.
const TORQUE: f32 = 3.0;
/// Seconds per step.
const DT: f64 = 0.05;
/// Largest torque, Nm.
const MAX_TORQUE: f32 = 2.0;
/// Largest angular velocity, rad/s.
const MAX_SPEED: f64 = 8.0;
/// Largest absolute values of a start: angle (rad), angular velocity (rad/s).
const START: State = [PI, 1.0];

/// Angle from upright (rad, not wrapped), angular velocity (rad/s).
pub type State = [f64; 2];

/// The state after this torque (Nm, within the limits) has acted for 0.05 s.
#[inline]
pub fn dynamics([theta, theta_dot]: State, torque: f32) -> State {
    let theta_acc = GRAVITY * theta.sin() + f64::from(TORQUE * torque);
    let theta_dot = (theta_dot + theta_acc * DT).clamp(-MAX_SPEED, MAX_SPEED);
    [theta + theta_dot * DT, theta_dot]
}

/// The cost of a torque (Nm, within the limits) in this state.
#[inline]
pub fn cost([theta, theta_dot]: State, torque: f32) -> f64 {
    let angle = wrapped(theta);
    // NumPy's `u**2` of a `float32` is the C library's `powf`, which is not always the rounded product.
    let torque_squared = torque.powf(std::hint::black_box(2.0));
    squared(angle) + 0.1 * squared(theta_dot) + f64::from(0.001 * torque_squared)
}

/// Wraps an angle to -pi..pi.
#[inline]
fn wrapped(theta: f64) -> f64 {
    (theta + PI).rem_euclid(TAU) - PI
}

/// Settings of [`PendulumEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pendulum {
    /// Steps after which an episode is truncated, at least 1 (Gymnasium: 200).
    pub max_steps: usize,
}

impl Default for Pendulum {
    fn default() -> Self {
        Self { max_steps: 200 }
    }
}

impl MakeEnv for Pendulum {
    type Env = PendulumEnv;

    fn make(&self, _context: &EnvContext) -> Result<PendulumEnv, EnvError> {
        ClassicEnv::new(self.max_steps)
    }
}

/// The environment. Observation `[3] f32`: cosine and sine of the angle, angular velocity; action `[1] f32`: torque in
/// [-2, 2].
pub type PendulumEnv = ClassicEnv<Equations>;

/// Pendulum's equations of motion.
#[derive(Debug)]
pub enum Equations {}

impl Task for Equations {
    type State = State;
    type Observation = [f32; 3];

    fn spaces() -> EnvSpaces {
        let torque = symmetric_box([f64::from(MAX_TORQUE)]);
        EnvSpaces::new(symmetric_box([1.0, 1.0, MAX_SPEED]), torque)
    }

    #[inline]
    fn start(rng: &mut Rng) -> State {
        START.map(|high| rng.random_range(-high..high))
    }

    #[inline]
    fn act(state: &State, action: CellRef<'_>) -> Result<TaskStep<State>, EnvError> {
        let torque = continuous(action)?.clamp(-MAX_TORQUE, MAX_TORQUE);
        let next = dynamics(*state, torque);
        Ok(TaskStep { next, reward: -cost(*state, torque), terminated: false })
    }

    #[inline]
    fn observe([theta, theta_dot]: &State) -> [f32; 3] {
        let (sin, cos) = theta.sin_cos();
        [cos as f32, sin as f32, *theta_dot as f32]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::golden::Golden;
    use crate::envs::testing::Fixture;

    /// Broken by any other integrator, constant, limit, rounding or flag.
    #[test]
    fn every_golden_step_is_reproduced() {
        let golden = Golden::<Equations>::exact("env_dynamics", "Pendulum-v1", 1e-12);
        golden.transitions(&Pendulum::default(), 120);
        golden.rollouts(&Pendulum::default());
        golden.episodes(&Pendulum::default(), |numbers| numbers.try_into().unwrap());
    }

    /// Torques whose `u**2` in NumPy differs from `u * u` in the last bit.
    #[test]
    fn the_torque_is_squared_as_numpy_does() {
        if crate::envs::golden::recorded_with_this_library() {
            assert_eq!(cost([0.0, 0.0], -1.604_727_5), 0.002_575_150_690_972_805);
            assert_eq!(cost([0.0, 0.0], -1.130_227_7), 0.001_277_414_732_612_669_5);
        }
    }

    #[test]
    fn starts_fill_the_documented_range() {
        let mut stage = Fixture::new(&Pendulum::default(), 7);
        stage.starts_fill(|env| env.now.state, START.map(|high| (-high, high)));
    }

    #[test]
    fn an_action_that_is_no_number_is_refused() {
        Fixture::new(&Pendulum::default(), 1).refuses_what_is_no_number();
    }
}
