//! The engine of the policy-gradient algorithms: model, parameters, optimiser, observation statistics, what is logged and saved.
//!
//! Differs from rlpyt's `algos/pg/base.py`: observation statistics take in a batch after its updates, so that new and old
//! log-likelihoods of its actions are computed with the same statistics and ratios start at 1 (rlpyt updates them before).
use super::algo::PgContext;
use super::batch::{Batch, Inputs};
use super::finals;
use super::log::{Log, Ratio};
use super::loss::{Losses, Outputs};
use super::minibatch::Minibatch;
use super::moments::Moments;
use super::returns::{Steps, gae};
use crate::algo::{AlgoError, OptInfo, Saved};
use crate::optim::{Adam, AdamConfig, AdamState, clip_grad_norm};
use crate::saved::{exact_array, exact_values, flat_array, flat_values};
use agents::dist::Distribution;
use agents::params::{Grad, ParamBuilder, Params};
use agents::pg::{MakePgModel, PgModel, PgOutput};
use rlcore::block::{Columns, flag};
use rlcore::seed::{Rng, Role, rng, seed_of};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad_guard};

/// What a learner needs of an algorithm's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnerSettings {
    /// Adam's step size, before any schedule.
    pub learning_rate: f64,
    /// Adam's epsilon.
    pub adam_eps: f64,
    /// Gradients are scaled to at most this 2-norm.
    pub clip_grad_norm: f64,
    /// Weight of the entropy in the loss; at 0 it is computed for the log alone, without gradient.
    pub entropy_loss_coeff: f64,
}

/// See the module documentation.
pub struct Learner {
    settings: LearnerSettings,
    model: Box<dyn PgModel>,
    distribution: Box<dyn Distribution>,
    params: Params,
    adam: Adam,
    moments: Option<Moments>,
    device: Device,
    recurrent: bool,
    /// The observation's leaf that says which actions are allowed.
    mask: Option<usize>,
    seed: u64,
    updates: u64,
    /// Batches taken into the statistics by this process.
    observed: u64,
    /// Global environment steps, the current batch included.
    env_steps: u64,
    log: Log,
    nothing: Tensor,
}

impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Learner({} weights, {} updates)", self.params.len(), self.updates)
    }
}

#[derive(Serialize, Deserialize)]
struct Counters {
    updates: u64,
    adam_steps: u64,
    observations: u64,
}

impl Learner {
    pub(super) fn new(
        settings: LearnerSettings,
        model: &impl MakePgModel,
        distribution: Box<dyn Distribution>,
        context: &PgContext<'_>,
    ) -> Result<Self, AlgoError> {
        let mut builder = ParamBuilder::default();
        let model = model.make(context.spaces, &*distribution, &mut builder)?;
        let init = seed_of(context.seed, Role::Init, 0);
        let mut params = Params::init(&builder.finish()?, init, context.device, Grad::On)?;
        let adam = AdamConfig {
            learning_rate: settings.learning_rate,
            eps: settings.adam_eps,
            ..Default::default()
        };
        Ok(Self {
            adam: Adam::new(adam, &params.trained_mut()),
            moments: model.norm().map(|norm| Moments::new(norm.features())),
            recurrent: !model.state().is_empty(),
            mask: context.spaces.action_mask,
            device: context.device,
            seed: context.seed,
            updates: 0,
            observed: 0,
            env_steps: 0,
            log: Log::default(),
            nothing: Tensor::zeros([0], (Kind::Float, context.device)),
            settings,
            model,
            distribution,
            params,
        })
    }

    pub(super) fn begin(&mut self, env_steps: u64) {
        self.env_steps = env_steps;
    }

    /// Whether the model has a state.
    pub(super) fn recurrent(&self) -> bool {
        self.recurrent
    }

    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    pub(super) fn params(&self) -> &Params {
        &self.params
    }

    pub(super) fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    /// Draws of this moment: a function of the run's seed and the number of updates made.
    pub fn draws(&self) -> Rng {
        rng(seed_of(self.seed, Role::Learner, self.updates))
    }

    /// The learning rate from the next update on is this share of the one in the settings.
    pub fn scale_learning_rate(&mut self, share: f64) {
        self.adam.set_learning_rate(self.settings.learning_rate * share);
    }

    /// The batch; advantages and returns are to be filled in.
    pub fn batch(&self, samples: &Columns) -> Batch {
        let _guard = no_grad_guard();
        let info = samples.agent_info.tensors();
        let drawn =
            self.distribution.drawn(&samples.action.tensors(), &info).to_device(self.device);
        let dist = info[1].to_device(self.device).flatten(0, 1);
        let old = self.distribution.log_likelihood(&dist, &drawn.flatten(0, 1));
        let old = old.view(&drawn.size()[..2]);
        Batch::new(samples, drawn, old, self.recurrent, self.device)
    }

    /// The batch with generalised advantage estimates, and returns for the value to learn.
    pub fn estimated(
        &self,
        samples: &Columns,
        discount: f64,
        lambda: f64,
    ) -> Result<Batch, AlgoError> {
        let mut batch = self.batch(samples);
        let steps = Steps {
            reward: &batch.reward,
            terminated: &batch.terminated,
            truncated: &batch.truncated,
            value: &batch.value,
            final_value: &finals::values(self, &batch, samples)?,
            bootstrap_value: samples.bootstrap_value.row(0).get::<f32>(0),
        };
        batch.advantage = gae(&steps, &batch.valid, discount, lambda);
        batch.returns_from_advantages();
        Ok(batch)
    }

    pub(super) fn forward(&self, inputs: &Inputs) -> PgOutput {
        self.model.forward(&self.params, &inputs.lend(&self.nothing))
    }

    /// Values of observations, on the host.
    pub(super) fn values(&self, inputs: &Inputs) -> Vec<f32> {
        let value = self.forward(inputs).value.to_device(Device::Cpu).contiguous();
        rlcore::tensor::slice::<f32>(&value).to_vec()
    }

    /// What the model says of a minibatch now.
    pub fn outputs(&self, minibatch: &Minibatch) -> Outputs {
        let PgOutput { mut dist, mut value, .. } = self.forward(&minibatch.inputs);
        if self.recurrent {
            (dist, value) = (dist.flatten(0, 1), value.flatten(0, 1));
        }
        if let Some(leaf) = self.mask {
            let allowed =
                minibatch.inputs.observation[leaf].reshape([-1, self.distribution.len() as i64]);
            dist = self.distribution.mask(dist, Some(&allowed));
        }
        let log_likelihood = self.distribution.log_likelihood(&dist, &minibatch.drawn);
        // Entropy that is not rewarded is only logged.
        let _guard = (self.settings.entropy_loss_coeff == 0.0).then(no_grad_guard);
        let entropy = self.distribution.entropy(&dist);
        Outputs { log_likelihood, entropy, value }
    }

    /// One update.
    pub fn step(
        &mut self,
        losses: &Losses,
        outputs: &Outputs,
        minibatch: &Minibatch,
        ratio: Option<Ratio>,
    ) -> Result<(), AlgoError> {
        let mut grads = self.params.gradient(&losses.descent)?;
        let norm = clip_grad_norm(&mut grads, self.settings.clip_grad_norm);
        self.adam.step(&mut self.params.trained_mut(), &grads);
        self.updates += 1;
        self.log.add(losses, &norm, outputs, ratio, minibatch.targets.valid.as_ref());
        Ok(())
    }

    /// Reads what was logged of the updates since the last reading: NaN ends the run here. Returns their mean KL.
    pub fn read(&mut self, batch: &Batch) -> Result<f64, AlgoError> {
        self.log.read().map_err(|bad| {
            let largest = |(i, x): (usize, &f64), (j, y): (usize, &f64)| {
                let nearer = x.is_nan() || x.abs() > y.abs();
                if nearer { (i, *x) } else { (j, *y) }
            };
            let (step, return_) = batch
                .return_
                .iter()
                .enumerate()
                .fold((0, 0.0), |far, (i, x)| largest((i, x), (far.0, &far.1)));
            let (t, b) = (step / batch.b, step % batch.b);
            AlgoError::NotFinite {
                what: bad.what,
                update: self.updates - self.log.len() as u64 + bad.update as u64,
                value: bad.value,
                batch: batch.t * batch.b,
                env_steps: self.env_steps,
                worst: format!("largest return: {return_} at step {t} of environment {b}"),
            }
        })
    }

    /// What was logged of the batch's updates.
    pub fn finish(&mut self, batch: &Batch) -> Result<OptInfo, AlgoError> {
        self.read(batch)?;
        Ok(self.log.take())
    }

    /// Takes a batch's observations into the statistics that the model normalises by.
    pub(super) fn observe(&mut self, samples: &Columns) {
        let (Some(norm), Some(moments)) = (self.model.norm(), &mut self.moments) else { return };
        let t = samples.reward.rows() as i64;
        let leaves: Vec<Tensor> =
            samples.observation.tensors().iter().map(|l| l.narrow(0, 0, t).flatten(0, 1)).collect();
        let rows = norm.flatten(&leaves).contiguous();
        let valid: Vec<u8> = super::batch::numbers(&samples.flags, flag::VALID);
        moments.merge(rlcore::tensor::slice::<f32>(&rows), &valid);
        norm.set(&mut self.params, &moments.mean, &moments.var);
        self.observed += 1;
    }

    /// Updates and changes of the statistics.
    pub(super) fn version(&self) -> u64 {
        self.updates + self.observed
    }

    pub(super) fn save(&self) -> Result<Saved<'static>, AlgoError> {
        let state = self.adam.state();
        let mut arrays = vec![
            flat_array("params", self.params.flat()),
            flat_array("adam_first_moment", &state.first_moment),
            flat_array("adam_second_moment", &state.second_moment),
        ];
        if let Some(m) = &self.moments {
            arrays.push(exact_array("observation_mean", &m.mean));
            arrays.push(exact_array("observation_var", &m.var));
        }
        let counters = Counters {
            updates: self.updates,
            adam_steps: state.steps,
            observations: self.moments.as_ref().map_or(0, |m| m.count),
        };
        let values = serde_json::to_value(counters).map_err(|e| AlgoError::State(e.to_string()))?;
        Ok(Saved { arrays, values })
    }

    pub(super) fn load(&mut self, saved: &Saved<'_>) -> Result<(), AlgoError> {
        let counters: Counters = serde_json::from_value(saved.values.clone())
            .map_err(|e| AlgoError::State(e.to_string()))?;
        let params = flat_values(saved, "params", self.params.len())?;
        let moment = |name| -> Result<Tensor, AlgoError> {
            let values = flat_values(saved, name, self.params.trained_len())?;
            Ok(Tensor::from_slice(&values).to_device(self.device))
        };
        let state = AdamState {
            steps: counters.adam_steps,
            first_moment: moment("adam_first_moment")?,
            second_moment: moment("adam_second_moment")?,
        };
        let moments = match &self.moments {
            Some(m) => Some(Moments {
                count: counters.observations,
                mean: exact_values(saved, "observation_mean", m.mean.len())?,
                var: exact_values(saved, "observation_var", m.var.len())?,
            }),
            None => None,
        };
        self.adam.load(&state).map_err(|e| AlgoError::State(e.to_string()))?;
        self.params.read_from(&params);
        self.moments = moments;
        self.updates = counters.updates;
        Ok(())
    }
}
