//! Hyper-parameters of DQN.
use crate::context::LearnContext;
use crate::error::AlgoError;
use crate::replay::{ReplaySettings, TransitionReplay, Uniform};
use crate::settings::{AlgoNeeds, AlgoSettings, check, check_limit, pass, step_bytes, training};
use agents::params::ModelSize;
use rlcore::memory::Need;
use rlcore::{BatchSpec, EnvSpaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Settings of DQN. Names and defaults are those of rlpyt's `algos/dqn/dqn.py` (Mnih et al. 2015, with Adam).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DqnConfig {
    /// Discount per environment step.
    pub discount: f64,
    /// Transitions per update.
    pub batch_size: usize,
    /// Environment steps before the first update.
    pub min_steps_learn: u64,
    /// TD error at which the Huber loss turns from quadratic to linear. `inf` is the squared error everywhere.
    pub delta_clip: f64,
    /// Transitions that the replay holds.
    pub replay_size: usize,
    /// Transitions learned from per environment step; exact over time.
    pub replay_ratio: f64,
    /// Share of the online weights when the target network is updated: 1 copies them, less mixes them in.
    pub target_update_tau: f64,
    /// Updates between two updates of the target network.
    pub target_update_interval: u64,
    /// Rewards in the n-step return, before the value of the observation that follows them.
    pub n_step_return: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Adam's epsilon. None: `0.01 / batch_size`, as in rlpyt.
    #[serde(default)]
    pub adam_eps: Option<f64>,
    /// Largest 2-norm of the gradient: a longer gradient is scaled down to it. `inf` switches clipping off.
    pub clip_grad_norm: f64,
    /// Environment steps at which epsilon has its final value.
    pub eps_steps: u64,
    /// The online network picks the action that the target network values (van Hasselt et al. 2016).
    pub double_dqn: bool,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            discount: 0.99,
            batch_size: 32,
            min_steps_learn: 50_000,
            delta_clip: 1.0,
            replay_size: 1_000_000,
            replay_ratio: 8.0,
            target_update_tau: 1.0,
            target_update_interval: 312,
            n_step_return: 1,
            learning_rate: 2.5e-4,
            adam_eps: None,
            clip_grad_norm: 10.0,
            eps_steps: 1_000_000,
            double_dqn: false,
        }
    }
}

impl DqnConfig {
    /// The epsilon of Adam that is used: the setting, or its default.
    pub fn adam_eps(&self) -> f64 {
        self.adam_eps.unwrap_or(0.01 / self.batch_size as f64)
    }

    /// The settings of the replay that belongs to these settings.
    pub fn replay(&self) -> ReplaySettings {
        ReplaySettings {
            size: self.replay_size,
            n_step: self.n_step_return,
            discount: self.discount,
        }
    }

    /// An empty replay of [`DqnConfig::replay`] that draws uniformly.
    ///
    /// # Errors
    /// Settings that contradict each other or the batches; too little memory.
    pub fn uniform_replay(
        &self,
        context: &LearnContext<'_>,
    ) -> Result<TransitionReplay, AlgoError> {
        self.check(context.spec).map_err(AlgoError::Config)?;
        let LearnContext { spaces, spec, .. } = context;
        Ok(TransitionReplay::new(spaces, *spec, self.replay(), Box::new(Uniform))?)
    }
}

impl AlgoSettings for DqnConfig {
    fn check(&self, spec: BatchSpec) -> Result<(), String> {
        let batch_steps = spec.t.saturating_mul(spec.b);
        let positive = [
            ("batch_size", self.batch_size as f64),
            ("replay_ratio", self.replay_ratio),
            ("target_update_interval", self.target_update_interval as f64),
            ("n_step_return", self.n_step_return as f64),
            ("learning_rate", self.learning_rate),
            ("adam_eps", self.adam_eps()),
        ];
        let shares = [("discount", self.discount), ("target_update_tau", self.target_update_tau)];
        check(&positive, &shares, &[])?;
        check_limit("clip_grad_norm", self.clip_grad_norm)?;
        check_limit("delta_clip", self.delta_clip)?;
        if self.n_step_return > u16::MAX as usize {
            return Err(format!(
                "algo.n_step_return = {}: it must be at most {}",
                self.n_step_return,
                u16::MAX
            ));
        }
        if self.eps_steps < self.min_steps_learn {
            return Err(format!(
                "algo.eps_steps = {} < algo.min_steps_learn = {}: epsilon would reach its end before learning begins; raise eps_steps or lower min_steps_learn",
                self.eps_steps, self.min_steps_learn
            ));
        }
        if self.replay_size < self.batch_size {
            return Err(format!(
                "algo.replay_size = {} < algo.batch_size = {}: a replay must hold at least one batch; raise replay_size",
                self.replay_size, self.batch_size
            ));
        }
        if self.replay_size < batch_steps {
            return Err(format!(
                "algo.replay_size = {} < sampler.t * sampler.b = {batch_steps}: a replay must hold what is sampled at once; raise replay_size or lower sampler.t or sampler.b",
                self.replay_size
            ));
        }
        Ok(())
    }

    fn discount(&self) -> f64 {
        self.discount
    }

    fn annealing(&self) -> Range<u64> {
        self.min_steps_learn..self.eps_steps
    }

    fn needs(&self, spaces: &EnvSpaces, spec: BatchSpec, model: &ModelSize) -> AlgoNeeds {
        let rows = self.batch_size as u64;
        let drawn = rows.saturating_mul(step_bytes(spaces).saturating_mul(2));
        let replay = self.replay().bytes(spaces, spec);
        let what = format!("a replay of {} transitions", self.replay_size);
        AlgoNeeds {
            host: vec![
                Need::new(what, replay, "algo.replay_size"),
                Need::new("the transitions of an update", drawn, "algo.batch_size"),
            ],
            device: vec![training(model, 1), pass(model, rows, "algo.batch_size")],
        }
    }
}
