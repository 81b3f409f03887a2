//! Acrobot-v1: swing two hanging links up to a height, with a motor at the joint between them only.
//!
//! Follows Gymnasium 1.4 (`envs/classic_control/acrobot.py`, after Sutton 1996, with the equations "of the book": Sutton and
//! Barto 2018, section 11.3): the state is `f64` (its start rounded to `f32`), one Runge-Kutta step of fourth order of 0.2 s,
//! then the angles are wrapped and the velocities limited. The reward is -1 on every step except the one that reaches
//! the height, which has reward 0. Every operation is Gymnasium's, in its order, so that states and observations are the same to the bit,
//! where NumPy takes sine, cosine and powers from the same C library as this program. The observation of a reset may differ by
//! one unit in the last place of `f32`: there NumPy computes in `f32`.
use super::classic::{ClassicEnv, Task, TaskStep, squared, symmetric_box};
use super::invalid_action;
use crate::cells::CellRef;
use crate::env::{EnvContext, EnvError, EnvSpaces, MakeEnv};
use crate::seed::Rng;
use crate::space::Space;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

// Both links: length 1 m, mass 1 kg, centre of mass in the middle, moment of inertia 1 kg m^2.
/// Centre of mass, m.
const CENTRE: f64 = 0.5;
const INERTIA: f64 = 1.0;
const GRAVITY: f64 = 9.8;
/// Seconds per step.
const DT: f64 = 0.2;
/// rad/s.
const MAX_SPEEDS: [f64; 2] = [4.0 * PI, 9.0 * PI];
/// Largest deviation of a start from hanging at rest, rad and rad/s.
const START: f64 = 0.1;

/// Angle of the first link from hanging, of the second from the first (rad), and their velocities (rad/s).
pub type State = [f64; 4];

/// Time derivative of the state under a torque (Nm).
#[inline]
fn derivative([theta1, theta2, dot1, dot2]: State, torque: f64) -> State {
    let (sin2, cos2) = theta2.sin_cos();
    let d1 = CENTRE * CENTRE + (1.0 + CENTRE * CENTRE + 2.0 * CENTRE * cos2) + INERTIA + INERTIA;
    let d2 = (CENTRE * CENTRE + CENTRE * cos2) + INERTIA;
    let phi2 = CENTRE * GRAVITY * (theta1 + theta2 - FRAC_PI_2).cos();
    let phi1 = -CENTRE * squared(dot2) * sin2 - 2.0 * CENTRE * dot2 * dot1 * sin2
        + (CENTRE + 1.0) * GRAVITY * (theta1 - FRAC_PI_2).cos()
        + phi2;
    let acc2 = (torque + d2 / d1 * phi1 - CENTRE * squared(dot1) * sin2 - phi2)
        / (CENTRE * CENTRE + INERTIA - squared(d2) / d1);
    let acc1 = -(d2 * acc2 + phi1) / d1;
    [dot1, dot2, acc1, acc2]
}

/// The state after this torque (Nm) has acted for 0.2 s.
#[inline]
pub fn dynamics(state: State, torque: f64) -> State {
    let ahead = |dt: f64, slope: State| std::array::from_fn(|i| state[i] + dt * slope[i]);
    let k1 = derivative(state, torque);
    let k2 = derivative(ahead(DT / 2.0, k1), torque);
    let k3 = derivative(ahead(DT / 2.0, k2), torque);
    let k4 = derivative(ahead(DT, k3), torque);
    let [theta1, theta2, dot1, dot2] =
        std::array::from_fn(|i| state[i] + DT / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]));
    let limited = |v: f64, limit: f64| v.clamp(-limit, limit);
    let dots = [limited(dot1, MAX_SPEEDS[0]), limited(dot2, MAX_SPEEDS[1])];
    [wrapped(theta1), wrapped(theta2), dots[0], dots[1]]
}

/// Wraps an angle to -pi..=pi, one turn at a time: a step makes few turns.
#[inline]
fn wrapped(mut angle: f64) -> f64 {
    while angle > PI {
        angle -= TAU;
    }
    while angle < -PI {
        angle += TAU;
    }
    angle
}

/// Whether the end of the second link is a link's length above the upper joint.
#[inline]
pub fn is_up([theta1, theta2, ..]: &State) -> bool {
    -theta1.cos() - (theta2 + theta1).cos() > 1.0
}

/// Settings of [`AcrobotEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Acrobot {
    /// Steps after which an episode is truncated, at least 1 (Gymnasium: 500).
    pub max_steps: usize,
}

impl Default for Acrobot {
    fn default() -> Self {
        Self { max_steps: 500 }
    }
}

impl MakeEnv for Acrobot {
    type Env = AcrobotEnv;

    fn make(&self, _context: &EnvContext) -> Result<AcrobotEnv, EnvError> {
        ClassicEnv::new(self.max_steps)
    }
}

/// The environment. Observation `[6] f32`: cosine and sine of the first and of the second angle, the two velocities; actions:
/// torque -1, 0, 1 Nm.
pub type AcrobotEnv = ClassicEnv<Equations>;

/// Acrobot's equations of motion.
#[derive(Debug)]
pub enum Equations {}

impl Task for Equations {
    type State = State;
    type Observation = [f32; 6];

    fn spaces() -> EnvSpaces {
        let observation = symmetric_box([1.0, 1.0, 1.0, 1.0, MAX_SPEEDS[0], MAX_SPEEDS[1]]);
        EnvSpaces::new(observation, Space::Discrete { n: 3 })
    }

    #[inline]
    fn start(rng: &mut Rng) -> State {
        std::array::from_fn(|_| f64::from(rng.random_range(-START..START) as f32))
    }

    #[inline]
    fn act(state: &State, action: CellRef<'_>) -> Result<TaskStep<State>, EnvError> {
        let action = action.discrete();
        if !(0..3).contains(&action) {
            return Err(invalid_action(action, 3));
        }
        let next = dynamics(*state, (action - 1) as f64);
        let terminated = is_up(&next);
        Ok(TaskStep { next, reward: if terminated { 0.0 } else { -1.0 }, terminated })
    }

    #[inline]
    fn observe([theta1, theta2, dot1, dot2]: &State) -> [f32; 6] {
        let ((sin1, cos1), (sin2, cos2)) = (theta1.sin_cos(), theta2.sin_cos());
        [cos1, sin1, cos2, sin2, *dot1, *dot2].map(|v| v as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::golden::Golden;
    use crate::envs::testing::Fixture;

    /// Broken by any other integrator, constant, limit, threshold or flag.
    #[test]
    fn every_golden_step_is_reproduced() {
        let golden = Golden::<Equations>::exact("env_dynamics", "Acrobot-v1", 1e-10);
        golden.transitions(&Acrobot::default(), 120);
        golden.rollouts(&Acrobot::default());
        golden.episodes(&Acrobot::default(), |numbers| numbers.try_into().unwrap());
    }

    #[test]
    fn starts_fill_the_documented_range_and_are_f32() {
        let mut stage = Fixture::new(&Acrobot::default(), 7);
        stage.starts_fill(|env| env.now.state, [(-START, START); 4]);
        assert!(stage.env.now.state.iter().all(|v| *v == f64::from(*v as f32)));
    }
}
