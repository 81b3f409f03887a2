//! Recorded steps of Gymnasium's classic control, against ours; the files' `doc` fields define the fields.
use super::classic::{ClassicEnv, Task};
use super::testing::Stage;
use crate::env::{Env, MakeEnv};
use serde_json::Value;
use std::marker::PhantomData;

/// Whether sine, cosine and powers come from a C library that rounds as that of the recording did: glibc from 2.28 on, with the
/// processor's fused multiply-add.
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

/// One environment's case.
pub(super) struct Golden<T> {
    case: Value,
    /// Relative to 1 + |x|; 0 for equality to the bit.
    tolerance: f64,
    task: PhantomData<T>,
}

impl<T: Task<State: Numbers>> Golden<T> {
    /// A case that is reproduced to the bit with the C library of the recording, and within `tolerance` with another.
    pub(super) fn exact(file: &str, env: &str, tolerance: f64) -> Self {
        Self::new(file, env, if recorded_with_this_library() { 0.0 } else { tolerance })
    }

    pub(super) fn new(file: &str, env: &str, tolerance: f64) -> Self {
        let path = format!("{}/../tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let case = list(&file["cases"]).iter().find(|c| c["env"] == env).unwrap().clone();
        Self { case, tolerance, task: PhantomData }
    }

    /// Every transition: next state, observation, reward, flags; the settings' time limit is Gymnasium's.
    pub(super) fn transitions<M>(&self, settings: &M, count: usize)
    where
        M: MakeEnv<Env = ClassicEnv<T>>,
    {
        let mut stage = Stage::new(settings, 1);
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
            let mut stage = Stage::new(settings, 1);
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
            let mut stage = Stage::new(settings, 1);
            stage.env.now.state = start(&numbers(&t["state"]));
            self.step(&mut stage, &t["action"], t);
        }
    }

    /// One step, compared with the fields that were recorded of it.
    fn step(&self, stage: &mut Stage<ClassicEnv<T>>, action: &Value, want: &Value) {
        let step = stage.act(action.as_f64().unwrap()).unwrap();
        let (got, next) = (stage.env.now.state.numbers(), numbers(&want["next_state"]));
        assert_eq!(got.len(), next.len());
        for (g, w) in got.iter().zip(&next) {
            assert!((g - w).abs() <= self.tolerance * (1.0 + w.abs()), "{g} is not {w}: {want}");
        }
        let reward = want["reward"].as_f64().unwrap();
        let off = (step.reward - reward).abs();
        assert!(off <= self.tolerance * (1.0 + reward.abs()), "{} is not {reward}: {want}", step.reward);
        assert_eq!(Some(u64::from(step.terminated)), want["terminated"].as_u64(), "{want}");
        if let Some(truncated) = want["truncated"].as_u64() {
            assert_eq!(u64::from(step.truncated), truncated, "{want}");
        }
        assert_eq!(step.reset, step.terminated || step.truncated);
        if let Some(seen) = want["obs"].as_array() {
            let got = stage.observation().f32(0);
            assert_eq!(got.len(), seen.len());
            for (got, want) in got.iter().zip(seen) {
                one_ulp(*got, want.as_f64().unwrap() as f32);
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Equal, or neighbours.
fn one_ulp(got: f32, want: f32) {
    let ordered = |v: f32| i64::from(v.abs().to_bits()) * if v < 0.0 { -1 } else { 1 };
    assert!((ordered(got) - ordered(want)).abs() <= 1, "{got} is not {want}");
}
