//! The engine of the policy-gradient algorithms: model, parameters, optimiser, observation statistics, what is logged and saved.
//!
//! Differs from rlpyt's `algos/pg/base.py`: a batch is added to the observation statistics after its updates (rlpyt: before), so that
//! new and old log-likelihoods of its actions are computed with the same statistics and ratios start at 1.
use super::batch::{Batch, Inputs};
use super::log::{Log, Ratio};
use super::loss::{Losses, Outputs};
use super::minibatch::Minibatch;
use super::moments::Moments;
use crate::algo::{OptInfo, Restored, Saved};
use crate::context::LearnContext;
use crate::error::AlgoError;
use crate::requires::{Requires, leaf};
use crate::saved::{exact_array, exact_values};
use crate::steps::{largest_return, numbers};
use crate::trained::{Trained, TrainedSettings};
use agents::dist::Distribution;
use agents::params::{ParamBuilder, Params};
use agents::pg::{MakePgModel, PgModel, PgOutput, VALUE};
use rlcore::block::{Columns, flag};
use rlcore::seed::{Rng, Role, rng, seed_of};
use rlcore::{DType, GlobalSteps, LeafSpec, World};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad_guard};

/// See the module documentation.
pub struct Learner {
    model: Box<dyn PgModel>,
    distribution: Box<dyn Distribution>,
    trained: Trained,
    world: World,
    entropy_loss_coeff: f64,
    moments: Option<Moments>,
    device: Device,
    recurrent: bool,
    /// The observation's leaf that says which actions are allowed.
    mask: Option<usize>,
    seed: u64,
    updates: u64,
    /// Batches that this process has added to the statistics.
    observed: u64,
    /// Environment steps of all replicas, the current batch included.
    env_steps: GlobalSteps,
    log: Log,
    nothing: Tensor,
}

impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Learner({} weights, {} updates)", self.params().len(), self.updates)
    }
}

/// Name of the parameters in a checkpoint.
const PARAMS: &str = "params";

#[derive(Serialize, Deserialize)]
struct Counters {
    updates: u64,
    adam_steps: u64,
    observations: u64,
}

impl Learner {
    pub(super) fn new(
        settings: TrainedSettings,
        entropy_loss_coeff: f64,
        model: &dyn MakePgModel,
        distribution: Box<dyn Distribution>,
        context: &LearnContext<'_>,
    ) -> Result<Self, AlgoError> {
        let mut builder = ParamBuilder::default();
        let model = model.make(context.spaces, &*distribution, &mut builder)?;
        Ok(Self {
            trained: Trained::new(&builder.finish()?, 0, settings, context)?,
            world: context.world,
            moments: model.norm().map(|norm| Moments::new(norm.features())),
            recurrent: !model.state().is_empty(),
            mask: context.spaces.action_mask,
            device: context.device,
            seed: context.seed,
            updates: 0,
            observed: 0,
            env_steps: GlobalSteps(0),
            log: Log::default(),
            nothing: Tensor::zeros([0], (Kind::Float, context.device)),
            entropy_loss_coeff,
            model,
            distribution,
        })
    }

    /// What the samples must hold for the model and the distribution: values, the distribution's leaves, and the recurrent state before
    /// row 0.
    pub(super) fn requires(&self) -> Requires {
        let mut agent_info = vec![LeafSpec::scalar(VALUE, DType::F32)];
        agent_info.extend(self.distribution.info());
        Requires {
            agent_info,
            agent_state: self.model.state(),
            state_rows: 1,
            bootstrap_value: false,
            weights: self.params().len(),
            discount: None,
        }
    }

    pub(super) fn begin(&mut self, env_steps: GlobalSteps) {
        self.env_steps = env_steps;
    }

    /// Whether the model is recurrent.
    pub(super) fn recurrent(&self) -> bool {
        self.recurrent
    }

    /// Number of updates made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The model's parameters.
    pub fn params(&self) -> &Params {
        self.trained.params()
    }

    pub(super) fn params_mut(&mut self) -> &mut Params {
        self.trained.params_mut()
    }

    /// A random stream that is a function of the run's seed and the number of updates made.
    pub fn draws(&self) -> Rng {
        rng(seed_of(self.seed, Role::Learner, self.updates))
    }

    /// Sets the learning rate to `share * settings.learning_rate` from the next update on.
    pub(super) fn scale_learning_rate(&mut self, share: f64) {
        self.trained.scale_learning_rate(share);
    }

    pub(super) fn learning_rate(&self) -> f64 {
        self.trained.learning_rate()
    }

    /// The batch of `samples`, whose advantages and returns are not filled in yet.
    ///
    /// # Errors
    /// Samples without a leaf of `agent_info` that the distribution needs.
    pub fn batch(&self, samples: &Columns) -> Result<Batch, AlgoError> {
        let _guard = no_grad_guard();
        let tree = &samples.agent_info;
        let all = tree.tensors();
        // The distribution's own leaves, in its order; the first is `dist`.
        let mut info = Vec::new();
        for spec in self.distribution.info() {
            info.push(all[leaf(tree, &spec.name)?].shallow_clone());
        }
        let drawn =
            self.distribution.drawn(&samples.action.tensors(), &info).to_device(self.device);
        let dist = info[0].to_device(self.device).flatten(0, 1);
        let old = self.distribution.log_likelihood(&dist, &drawn.flatten(0, 1));
        let old = old.view(&drawn.size()[..2]);
        Batch::new(samples, drawn, old, self.recurrent, self.device)
    }

    pub(super) fn forward(&self, inputs: &Inputs) -> PgOutput {
        self.model.forward(self.trained.params(), &inputs.lend(&self.nothing))
    }

    /// Values of observations, copied to the host.
    pub(super) fn values(&self, inputs: &Inputs) -> Vec<f32> {
        let value = self.forward(inputs).value.to_device(Device::Cpu).contiguous();
        rlcore::tensor::slice::<f32>(&value).to_vec()
    }

    /// Log-likelihoods, entropies and values of a minibatch under the current parameters.
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
        // Without an entropy bonus the entropy is only logged, and needs no gradient.
        let _guard = (self.entropy_loss_coeff == 0.0).then(no_grad_guard);
        let entropy = self.distribution.entropy(&dist);
        Outputs { log_likelihood, entropy, value }
    }

    /// Makes one update.
    pub(super) fn step(
        &mut self,
        losses: &Losses,
        outputs: &Outputs,
        minibatch: &Minibatch,
        ratio: Option<Ratio>,
    ) -> Result<(), AlgoError> {
        let norm = self.trained.descend(&losses.descent)?;
        self.updates += 1;
        self.log.add(losses, &norm, outputs, ratio, minibatch.targets.valid.as_ref());
        Ok(())
    }

    /// Reads the logged values of the updates since the last reading. A value that is not finite is an error, which ends the run.
    pub(super) fn read(&mut self, batch: &Batch) -> Result<(), AlgoError> {
        self.log.read().map_err(|bad| AlgoError::NotFinite {
            what: bad.found.what,
            update: self.updates - self.log.len() as u64 + bad.update as u64,
            value: bad.found.value,
            batch: batch.t * batch.b,
            env_steps: self.env_steps,
            worst: largest_return(&batch.return_, batch.b),
        })
    }

    /// The values read since the last call.
    pub(super) fn take_log(&mut self) -> OptInfo {
        self.log.take()
    }

    /// The mean of a number over the replicas.
    pub(super) fn mean(&self, value: f64) -> Result<f64, AlgoError> {
        Ok(self.trained.mean(&[value])?[0])
    }

    /// Adds the observations of a batch, those of all replicas, to the statistics that the model normalises by.
    ///
    /// # Errors
    /// The replicas cannot average.
    pub(super) fn observe(&mut self, samples: &Columns) -> Result<(), AlgoError> {
        let Self { model, moments, trained, world, .. } = self;
        let (Some(norm), Some(moments)) = (model.norm(), moments) else { return Ok(()) };
        let t = samples.reward.rows() as i64;
        let leaves: Vec<Tensor> =
            samples.observation.tensors().iter().map(|l| l.narrow(0, 0, t).flatten(0, 1)).collect();
        let rows = norm.flatten(&leaves).contiguous();
        let valid: Vec<u8> = numbers(&samples.flags, flag::VALID);
        let sum = |own: Vec<f64>| -> Result<Vec<f64>, AlgoError> {
            let mean = trained.mean(&own)?;
            Ok(mean.into_iter().map(|x| x * world.size as f64).collect())
        };
        moments.merge(rlcore::tensor::slice::<f32>(&rows), &valid, sum)?;
        norm.set(trained.params_mut(), &moments.mean, &moments.var);
        self.observed += 1;
        Ok(())
    }

    /// Number of updates and of changes of the statistics.
    pub(super) fn version(&self) -> u64 {
        self.updates + self.observed
    }

    pub(super) fn save(&self) -> Result<Saved<'static>, AlgoError> {
        let mut arrays = Vec::new();
        self.trained.save(PARAMS, &mut arrays);
        if let Some(m) = &self.moments {
            arrays.push(exact_array("observation_mean", &m.mean));
            arrays.push(exact_array("observation_var", &m.var));
        }
        let counters = Counters {
            updates: self.updates,
            adam_steps: self.trained.steps(),
            observations: self.moments.as_ref().map_or(0, |m| m.count),
        };
        let values = serde_json::to_value(counters).map_err(|e| AlgoError::State(e.to_string()))?;
        Ok(Saved { arrays, values })
    }

    /// Everything is read before anything is changed.
    pub(super) fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError> {
        let counters: Counters = serde_json::from_value(saved.values.clone())
            .map_err(|e| AlgoError::State(e.to_string()))?;
        let state = self.trained.read(saved, PARAMS, counters.adam_steps)?;
        let moments = match &self.moments {
            Some(m) => Some(Moments {
                count: counters.observations,
                mean: exact_values(saved, "observation_mean", m.mean.len())?,
                var: exact_values(saved, "observation_var", m.var.len())?,
            }),
            None => None,
        };
        self.trained.restore(&state);
        self.moments = moments;
        self.updates = counters.updates;
        Ok(())
    }
}
