//! Settings of samplers and of evaluation.
use rlcore::slice::ResetMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which processes choose actions and which step environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Everything in this process.
    Serial,
    /// Workers step environments and choose their actions.
    Cpu,
    /// Workers step environments; this process chooses the actions of all of them, in one batch per time step.
    Gpu,
    /// As `gpu`, in two halves: workers step one half of the environments while this process chooses actions for the other.
    Alternating,
}

/// What a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A process of its own, forked from the fork server.
    Process,
    /// A thread of this process: for tests and for environments that can share one.
    Thread,
}

/// Smallest `step_timeout`, seconds: below it, a process that waits for a CPU would count as stalled.
const LEAST_TIMEOUT: f64 = 0.01;

/// Settings of a sampler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerConfig {
    /// Which process chooses actions and which steps environments.
    pub kind: SamplerKind,
    /// Time steps per batch.
    pub t: usize,
    /// Environments, stepped side by side.
    pub b: usize,
    /// What an environment does when its episode ends.
    pub reset: ResetMode,
    /// Every environment starts with 1 to this many random steps, so that episodes do not end together; 0 for none.
    pub max_decorrelation_steps: usize,
    /// Alternating sampler only: whether workers may step both halves at the same time. If `false`, one half is stepped only while the
    /// other is idle.
    pub overlap: bool,
    /// Workers of parallel samplers.
    pub worker: WorkerConfig,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            kind: SamplerKind::Serial,
            t: 16,
            b: 8,
            reset: ResetMode::AtOnce,
            max_decorrelation_steps: 100,
            overlap: true,
            worker: WorkerConfig::default(),
        }
    }
}

/// How workers run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Number of workers, at most `b` (alternating: `b / 2`). 0: one per CPU that this process is allowed, minus one if this process
    /// chooses the actions.
    pub n: usize,
    /// What a worker is.
    pub host: HostKind,
    /// Worker `i` runs on CPU `cpus[i % len]`. Empty: workers run on all CPUs that this process is allowed.
    pub cpus: Vec<usize>,
    /// Longest time of one call of an environment, its constructor included, or of the agent: what takes longer is taken for
    /// something that never returns, and ends the run. Seconds; at least 0.01.
    pub step_timeout: f64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { n: 0, host: HostKind::Process, cpus: vec![], step_timeout: 60.0 }
    }
}

/// Settings of evaluation, which has its own environments and random streams and does not affect training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvalConfig {
    /// Evaluation environments, stepped side by side.
    pub n_envs: usize,
    /// Number of episodes: each environment plays a fixed quota, and every episode counts.
    pub n_episodes: usize,
    /// Most steps that one environment takes over all its episodes (rounded up to a multiple of 16); episodes that have not ended
    /// then are reported as unfinished.
    pub max_steps: usize,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self { n_envs: 20, n_episodes: 20, max_steps: 100_000 }
    }
}

impl SamplerConfig {
    /// Size of the set that is divided among the workers: `b`, or `b / 2` when alternating.
    fn shared_out(&self) -> usize {
        if self.kind == SamplerKind::Alternating { self.b / 2 } else { self.b }
    }

    /// Workers that will run: 1 for a serial sampler.
    pub fn workers(&self) -> usize {
        let cpus = rlcore::affinity::cpu_count();
        match (self.kind, self.worker.n) {
            (SamplerKind::Serial, _) => 1,
            (SamplerKind::Cpu, 0) => cpus.min(self.b),
            (_, 0) => cpus.saturating_sub(1).clamp(1, self.shared_out().max(1)),
            (_, n) => n,
        }
    }

    /// A description for log lines, such as `cpu sampler with 2 workers`.
    pub fn arrangement(&self) -> String {
        let kind = format!("{:?}", self.kind).to_lowercase();
        match (self.kind, self.workers()) {
            (SamplerKind::Serial, _) => format!("{kind} sampler"),
            (_, 1) => format!("{kind} sampler with 1 worker"),
            (_, n) => format!("{kind} sampler with {n} workers"),
        }
    }

    /// Returns an error that names the first setting that is out of range or contradicts another, with a value that works.
    pub fn check(&self) -> Result<(), String> {
        if self.t == 0 || self.b == 0 {
            return Err(format!(
                "sampler.t = {} and sampler.b = {}: both must be at least 1",
                self.t, self.b
            ));
        }
        if self.kind == SamplerKind::Alternating && !self.b.is_multiple_of(2) {
            return Err(format!(
                "sampler.kind = \"alternating\" with sampler.b = {}: two halves need an even number, such as {}",
                self.b,
                self.b + 1
            ));
        }
        let most = self.shared_out();
        if self.kind != SamplerKind::Serial && self.workers() > most {
            let (of, b) = match self.kind {
                SamplerKind::Alternating => ("half of ", 2 * self.workers()),
                _ => ("", self.workers()),
            };
            return Err(format!(
                "sampler.worker.n = {} workers for {of}sampler.b = {} environments: lower sampler.worker.n to {most} or raise sampler.b to {b}",
                self.worker.n, self.b
            ));
        }
        let allowed = rlcore::affinity::allowed_cpus();
        if let Some(cpu) = self.worker.cpus.iter().find(|c| !allowed.contains(c)) {
            return Err(format!(
                "sampler.worker.cpus names CPU {cpu}, but this process is allowed {allowed:?}"
            ));
        }
        if self.worker.step_timeout.is_nan() || self.worker.step_timeout < LEAST_TIMEOUT {
            return Err(format!(
                "sampler.worker.step_timeout = {}: it must be at least {LEAST_TIMEOUT} s, the time in which a healthy process may not run at all",
                self.worker.step_timeout
            ));
        }
        Ok(())
    }
}

impl EvalConfig {
    /// Returns an error that names the first setting that is out of range or contradicts another, with a value that works.
    pub fn check(&self) -> Result<(), String> {
        if self.n_envs == 0 || self.n_episodes < self.n_envs || self.max_steps == 0 {
            return Err(format!(
                "eval.n_envs = {}, eval.n_episodes = {}, eval.max_steps = {}: there must be at least one environment, an episode for each, and a step",
                self.n_envs, self.n_episodes, self.max_steps
            ));
        }
        Ok(())
    }
}
