//! Settings of the runner: how long a run is, and what it logs, evaluates and saves.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest accepted `runner.threads`: more CPUs than any machine has.
const MOST_THREADS: usize = 1024;

/// See [`crate::MinibatchRl`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunnerConfig {
    /// Budget of the run, in environment steps.
    pub n_steps: u64,
    /// A row of the log (and an evaluation) every this many environment steps.
    pub log_interval_steps: u64,
    /// A checkpoint at the first log row after this many environment steps; 0 for every row.
    pub checkpoint_interval_steps: u64,
    /// The replay is written at the first checkpoint after this many environment steps; 0: at every one. Checkpoints between hold
    /// everything else, and a run continues exactly from the newest that has its replay, which is always kept. The last
    /// checkpoint of a run has it. For replays of gigabytes.
    pub replay_interval_steps: u64,
    /// Checkpoints kept, beside the best and the newest with its replay.
    pub keep_checkpoints: usize,
    /// Training stops when an evaluation (without evaluation: the last `log_traj_window` training episodes) has this mean return.
    /// None: never on a return.
    pub stop_return: Option<f64>,
    /// Before training stops on an evaluation, the same weights must hold `stop_return` over this many fresh episodes, by two
    /// standard errors of their mean; 0 for no such test. A small evaluation repeated often passes by luck.
    pub confirm_episodes: usize,
    /// Training stops after this many seconds, those before a resume included. None: no limit.
    pub stop_seconds: Option<f64>,
    /// Evaluate at every log row, before the first step too.
    pub evaluate: bool,
    /// Episodes that the online statistics look back over.
    pub log_traj_window: usize,
    /// Threads of the learner. Another number can change results in the last bits.
    pub threads: usize,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            n_steps: 1_000_000,
            log_interval_steps: 100_000,
            checkpoint_interval_steps: 0,
            replay_interval_steps: 0,
            keep_checkpoints: 2,
            stop_return: None,
            confirm_episodes: 200,
            stop_seconds: None,
            evaluate: true,
            log_traj_window: 100,
            threads: 1,
        }
    }
}

impl RunnerConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// A value out of range, with the key, the value and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("n_steps", self.n_steps),
            ("log_interval_steps", self.log_interval_steps),
            ("keep_checkpoints", self.keep_checkpoints as u64),
            ("log_traj_window", self.log_traj_window as u64),
            ("threads", self.threads as u64),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, v)| *v == 0) {
            return Err(format!("runner.{name} = 0: it must be at least 1"));
        }
        if self.threads > MOST_THREADS {
            return Err(format!(
                "runner.threads = {}: it must be at most {MOST_THREADS}, and more than the {} CPUs of this process make it slower",
                self.threads,
                rlcore::affinity::cpu_count()
            ));
        }
        if self.confirm_episodes == 1 {
            return Err(
                "runner.confirm_episodes = 1 has no standard error: give 0, or at least 2".into()
            );
        }
        if self.stop_seconds.is_some_and(|s| s.is_nan() || s <= 0.0) {
            return Err("runner.stop_seconds must be above zero, or unset".into());
        }
        if self.stop_return.is_some_and(f64::is_nan) {
            return Err("runner.stop_return must be a number, or unset".into());
        }
        Ok(())
    }
}
