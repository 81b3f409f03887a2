//! Recorded steps of Gymnasium's classic control, against ours; the files' `doc` fields define the fields.
use super::classic::{ClassicEnv, Task};
use super::testing::Fixture;
use crate::env::{Env, MakeEnv};
use ::golden::{cases_with, list, numbers, size};
use serde_json::Value;
use std::marker::PhantomData;

/// Whether sine, cosine and powers come from a C library that rounds as that of the recording did: glibc from 2.28 on, with the
/// processor's fused multiply-add. Where they do, tests compare bits.
pub(super) fn recorded_with_this_library() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    return std::is_x86_feature_detected!("fma");
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
    return false;
}

/// The numbers of a state, in the order of the file.
pub(super) trait Numbers: Copy {
    fn from_numbers(numbers: &[f64]) -> Self;
    fn numbers(&self) -> Vec<f64>;
}

impl<const N: usize> Numbers for [f64; N] {
    fn from_numbers(numbers: &[f64]) -> Self {
        numbers.try_into().unwrap()
    }

    fn numbers(&self) -> Vec<f64> {
        self.to_vec()
    }
}

/// How a recorded number is compared.
#[derive(Clone, Copy, Debug)]
enum Compare {
    /// Every bit, observations included.
    Bits,
    /// Relative to 1 + |x|; observations may differ by one unit in the last place.
    Within(f64),
}

/// One environment's case.
pub(super) struct Golden<T> {
    env: &'static str,
    case: Value,
    compare: Compare,
    task: PhantomData<T>,
}

impl<T: Task<State: Numbers>> Golden<T> {
    /// A case that is reproduced to the bit with the C library of the recording, and within `tolerance` with another.
    pub(super) fn exact(topic: &str, env: &'static str, tolerance: f64) -> Self {
        let exact = recorded_with_this_library();
        let compare = if exact { Compare::Bits } else { Compare::Within(tolerance) };
        Self { compare, ..Self::near(topic, env, tolerance) }
    }

    /// A case that is reproduced within `tolerance`, with any C library.
    pub(super) fn near(topic: &str, env: &'static str, tolerance: f64) -> Self {
        let case = cases_with(topic, "env", env).remove(0);
        Self { env, case, compare: Compare::Within(tolerance), task: PhantomData }
    }

    /// Every transition: next state, observation, reward, flags; the settings' time limit is Gymnasium's.
    pub(super) fn transitions<M>(&self, settings: &M, count: usize)
    where
        M: MakeEnv<Env = ClassicEnv<T>>,
    {
        let mut stage = Fixture::new(settings, 1);
        let every = stage.env.spaces().truncates_every.map(|n| n as u64);
        assert_eq!(self.case["max_episode_steps"].as_u64(), every);
        assert_eq!(list(&self.case["transitions"]).len(), count);
        for t in list(&self.case["transitions"]) {
            stage.reset();
            stage.env.now.state = T::State::from_numbers(&numbers(&t["state"]));
            stage.env.now.elapsed = t["elapsed"].as_u64().unwrap() as usize;
            self.step(&mut stage, &t["action"], t);
        }
    }

    /// Every rollout, the state carried on.
    pub(super) fn rollouts<M: MakeEnv<Env = ClassicEnv<T>>>(&self, settings: &M) {
        assert_eq!(list(&self.case["rollouts"]).len(), 3);
        for rollout in list(&self.case["rollouts"]) {
            let mut stage = Fixture::new(settings, 1);
            stage.env.now.state = T::State::from_numbers(&numbers(&rollout["start"]));
            for (t, action) in list(&rollout["actions"]).iter().enumerate() {
                let want = ["next_state", "reward", "terminated"];
                let want = want.map(|name| (name.to_owned(), rollout[name][t].clone()));
                self.step(&mut stage, action, &want.into_iter().collect());
            }
        }
    }

    /// Every first step, from states that `start` makes of the recorded numbers.
    pub(super) fn first_steps<M: MakeEnv<Env = ClassicEnv<T>>>(
        &self,
        settings: &M,
        start: fn(&[f64]) -> T::State,
    ) {
        assert_eq!(list(&self.case["first_step"]).len(), 24);
        for t in list(&self.case["first_step"]) {
            let mut stage = Fixture::new(settings, 1);
            stage.env.now.state = start(&numbers(&t["state"]));
            self.step(&mut stage, &t["action"], t);
        }
    }

    /// Every whole episode of `classic_rollouts.json`, in which nothing is corrected on the way: in a chaotic system one other
    /// bit anywhere makes another episode. `start` makes a state of the recorded numbers.
    pub(super) fn episodes<M: MakeEnv<Env = ClassicEnv<T>>>(
        &self,
        settings: &M,
        start: fn(&[f64]) -> T::State,
    ) {
        let case = cases_with("classic_rollouts", "env", self.env).remove(0);
        for rollout in list(&case["rollouts"]) {
            let mut stage = Fixture::new(settings, 1);
            stage.env.now.state = start(&numbers(&rollout["start"]));
            let mut recorded = list(&rollout["at"]).iter();
            let (mut total, mut want) = (0.0, recorded.next());
            for (i, action) in list(&rollout["actions"]).iter().enumerate() {
                let step = stage.act(action.as_f64().unwrap()).unwrap();
                total += step.reward;
                let at = want.filter(|want| size(&want["steps"]) == i + 1);
                assert_eq!(step.reset, at.is_some() && recorded.len() == 0, "{} {i}", self.env);
                if let Some(at) = at {
                    self.state_is(&stage, &at["state"], at);
                    self.number_is(total, &at["return"], at);
                    self.observation_is(&stage, &at["obs"], at);
                    if step.reset {
                        assert_eq!(u64::from(step.terminated), rollout["terminated"], "{at}");
                    }
                    want = recorded.next();
                }
            }
            assert!(want.is_none(), "it has ended before {want:?}");
        }
    }

    fn state_is(&self, stage: &Fixture<ClassicEnv<T>>, want: &Value, of: &Value) {
        let got = stage.env.now.state.numbers();
        assert_eq!(got.len(), list(want).len());
        got.iter().zip(list(want)).for_each(|(got, want)| self.number_is(*got, want, of));
    }

    fn observation_is(&self, stage: &Fixture<ClassicEnv<T>>, want: &Value, of: &Value) {
        let (got, want) = (stage.observation().f32(0), numbers(want));
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want.into_iter().map(|w| w as f32)) {
            let ordered = |v: f32| i64::from(v.abs().to_bits()) * if v < 0.0 { -1 } else { 1 };
            let units = match self.compare {
                Compare::Bits => 0,
                Compare::Within(_) => 1,
            };
            let off = (ordered(*got) - ordered(want)).abs();
            assert!(off <= units, "{}: {got:?} is not {want:?}: {of}", self.env);
        }
    }

    fn number_is(&self, got: f64, want: &Value, of: &Value) {
        let want = want.as_f64().unwrap();
        let same = match self.compare {
            // `==`, and not the bits: the recordings may write -0.0 as 0.
            Compare::Bits => got == want,
            Compare::Within(tolerance) => (got - want).abs() <= tolerance * (1.0 + want.abs()),
        };
        assert!(same, "{}: {got:?} is not {want:?}: {of}", self.env);
    }

    /// One step, compared with the fields that were recorded of it.
    fn step(&self, stage: &mut Fixture<ClassicEnv<T>>, action: &Value, want: &Value) {
        let step = stage.act(action.as_f64().unwrap()).unwrap();
        self.state_is(stage, &want["next_state"], want);
        self.number_is(step.reward, &want["reward"], want);
        assert_eq!(Some(u64::from(step.terminated)), want["terminated"].as_u64(), "{want}");
        if let Some(truncated) = want["truncated"].as_u64() {
            assert_eq!(u64::from(step.truncated), truncated, "{want}");
        }
        assert_eq!(step.reset, step.terminated || step.truncated);
        if want["obs"].is_array() {
            self.observation_is(stage, &want["obs"], want);
        }
    }
}
