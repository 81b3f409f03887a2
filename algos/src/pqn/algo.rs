//! PQN: each batch is learned from in a few passes of minibatches, towards lambda returns, and then forgotten.
//!
//! Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning"; settings by `CleanRL`'s `pqn.py` and the authors'
//! `purejaxql`. The values in the targets are those that the agent recorded while it acted, computed once for all passes.
//! Give the model layer normalisation ([`agents::model::QMlp::layer_norm`]): it stands in for the target network.
//!
//! Differs: truncated episodes bootstrap from their own final observation (both take it for the end of the episode); the
//! recursion starts in the last step for every step (`purejaxql` starts one step late, so that the last but one is wrong); the
//! loss is half the squared error, as in `purejaxql` (`CleanRL` takes the whole).
use super::config::PqnConfig;
use crate::algo::{Algo, OptInfo, Restored, SaveScope, Saved};
use crate::context::{LearnContext, in_step};
use crate::dqn::loss;
use crate::error::AlgoError;
use crate::optim::AdamKind;
use crate::passes::{Cut, Passes, refuse_batch, shares, something_to_learn};
use crate::requires::{Requires, leaf};
use crate::returns::{Steps, lambda_returns};
use crate::saved::between_batches;
use crate::settings::{AlgoSettings, MakeAlgo};
use crate::steps::{finals, largest_return, numbers, progress};
use crate::trained::{LEARNING_RATE, Trained, TrainedSettings, finite};
use agents::Q;
use agents::exploration::greedy;
use agents::model::{MakeQModel, ModelInput, QModel, action_count};
use agents::params::{ParamBuilder, Params};
use rlcore::block::{Columns, Lease, flag};
use rlcore::seed::{Role, rng, seed_of};
use rlcore::table::Values;
use rlcore::tensor::slice;
use rlcore::{BatchSpec, DType, GlobalSteps, LeafSpec, World};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad_guard};

/// See the module documentation.
pub struct Pqn {
    config: PqnConfig,
    model: Box<dyn QModel>,
    trained: Trained,
    requires: Requires,
    spec: BatchSpec,
    world: World,
    n_steps: GlobalSteps,
    seed: u64,
    actions: usize,
    /// The observation's leaf that says which actions are allowed.
    mask: Option<usize>,
    device: Device,
    nothing: Tensor,
    updates: u64,
    /// Environment steps of all replicas when the last batch was taken in.
    now: GlobalSteps,
    work: Option<Work>,
}

impl std::fmt::Debug for Pqn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pqn({} weights, {} updates)", self.params().len(), self.updates)
    }
}

/// A batch that is being learned from.
#[derive(Debug)]
struct Work {
    samples: Lease,
    /// Steps that happened, `t * B + b`.
    happened: Vec<i64>,
    /// Lambda returns `[T * B]`.
    returns: Vec<f64>,
    passes: Passes<Minibatch>,
}

/// N steps of a batch.
#[derive(Debug)]
struct Minibatch {
    /// `[N, ...]` for each leaf.
    observation: Vec<Tensor>,
    /// `[N] i64`.
    action: Tensor,
    /// What the value of the action learns, `[N] f32`.
    return_: Tensor,
}

/// Name of the parameters in a checkpoint.
const PARAMS: &str = "params";

#[derive(Serialize, Deserialize)]
struct Counters {
    updates: u64,
    adam_steps: u64,
}

impl Pqn {
    /// Initial weights from the run's seed.
    ///
    /// # Errors
    /// Settings that contradict each other or the batches; a model that cannot be built, has a recurrent state, or describes
    /// returns by several numbers.
    pub fn new(
        config: PqnConfig,
        model: &dyn MakeQModel,
        context: &LearnContext<'_>,
    ) -> Result<Self, AlgoError> {
        config.check(context.spec).map_err(AlgoError::Config)?;
        let mut builder = ParamBuilder::default();
        let model = model.make(context.spaces, &mut builder)?;
        loss::check_model(&*model, "pqn")?;
        let settings = TrainedSettings {
            kind: AdamKind::Rectified,
            learning_rate: config.learning_rate,
            adam_eps: config.adam_eps,
            clip_grad_norm: config.clip_grad_norm,
        };
        let trained = Trained::new(&builder.finish()?, 0, settings, context)?;
        let actions = action_count(context.spaces)?;
        let requires = Requires {
            agent_info: vec![LeafSpec::array(Q, DType::F32, &[actions])],
            bootstrap_value: true,
            discount: Some(config.discount),
            weights: trained.params().len(),
            ..Default::default()
        };
        Ok(Self {
            requires,
            actions,
            spec: context.spec,
            world: context.world,
            n_steps: context.n_steps,
            seed: context.seed,
            mask: context.spaces.action_mask,
            device: context.device,
            nothing: Tensor::zeros([0], (Kind::Float, context.device)),
            updates: 0,
            now: GlobalSteps(0),
            work: None,
            config,
            model,
            trained,
        })
    }

    /// Values `[N, A]` of observations.
    pub(super) fn q(&self, observation: &[Tensor]) -> Tensor {
        self.model.forward(self.params(), &ModelInput::of(observation, &self.nothing)).q
    }

    /// The largest value of an allowed action in each row: `q` `[N * A]`, `mask` `[N * A]`.
    fn largest(&self, q: &[f32], mask: Option<&[u8]>) -> Vec<f32> {
        let row = |(i, q): (usize, &[f32])| {
            q[greedy(q, mask.map(|m| &m[i * self.actions..(i + 1) * self.actions]))]
        };
        q.chunks_exact(self.actions).enumerate().map(row).collect()
    }

    /// `[T * B]`: what the observations were worth when the agent acted on them.
    fn recorded_values(&self, samples: &Columns) -> Result<Vec<f32>, AlgoError> {
        let q = leaf(&samples.agent_info, Q)?;
        let row = |t: usize| {
            let observation = samples.observation.row(t);
            let mask = self.mask.map(|leaf| observation.get::<u8>(leaf));
            self.largest(samples.agent_info.row(t).get::<f32>(q), mask)
        };
        Ok((0..samples.reward.rows()).flat_map(row).collect())
    }

    /// `[T * B]`: values of final observations at truncated steps by the weights that acted, elsewhere 0.
    fn final_values(
        &self,
        samples: &Columns,
        terminated: &[u8],
        truncated: &[u8],
    ) -> Result<Vec<f32>, AlgoError> {
        let (b, tree) = (samples.reward.columns(), &samples.final_observation);
        let finals = finals(terminated, truncated, b, tree.rows())?;
        let mut values = vec![0.0; truncated.len()];
        if finals.is_empty() {
            return Ok(values);
        }
        let cells: Vec<i64> = finals.iter().map(|f| (f.slot * b + f.column) as i64).collect();
        let cells = Tensor::from_slice(&cells);
        let leaves = tree.tensors();
        let rows: Vec<Tensor> =
            leaves.iter().map(|l| l.flatten(0, 1).index_select(0, &cells)).collect();
        let mask = self.mask.map(|leaf| slice::<u8>(&rows[leaf]));
        for (i, f) in finals.iter().enumerate() {
            let allows = |m: &[u8]| m[i * self.actions..][..self.actions].iter().any(|a| *a != 0);
            if !mask.is_none_or(allows) {
                return Err(AlgoError::Samples(format!(
                    "the final observation of the episode that was truncated at step {} of environment {} has an action mask that allows no action, so it has no value: let the environment allow at least one action in the last observation of a truncated episode",
                    f.t, f.column
                )));
            }
        }
        let moved: Vec<Tensor> = rows.iter().map(|row| row.to_device(self.device)).collect();
        let q = self.q(&moved).to_device(Device::Cpu).contiguous();
        for (f, value) in finals.iter().zip(self.largest(slice(&q), mask)) {
            values[f.t * b + f.column] = value;
        }
        Ok(values)
    }

    /// What there is to learn from a batch.
    fn begin(&self, samples: Lease) -> Result<Work, AlgoError> {
        let _guard = no_grad_guard();
        let flags = |leaf| numbers::<u8>(&samples.flags, leaf);
        let (terminated, truncated) = (flags(flag::TERMINATED), flags(flag::TRUNCATED));
        let valid = flags(flag::VALID);
        let steps = Steps {
            reward: &numbers::<f32>(&samples.reward, 0),
            value: &self.recorded_values(&samples)?,
            final_value: &self.final_values(&samples, &terminated, &truncated)?,
            bootstrap_value: samples.bootstrap_value.row(0).get::<f32>(0),
            terminated: &terminated,
            truncated: &truncated,
        };
        let returns = lambda_returns(&steps, &valid, self.config.discount, self.config.lambda);
        let happened: Vec<i64> =
            (0..valid.len()).filter(|i| valid[*i] != 0).map(|i| i as i64).collect();
        let parts = self.config.minibatches.min(happened.len());
        something_to_learn(parts, self.world)?;
        let passes = Passes::new(self.config.epochs, parts);
        Ok(Work { samples, happened, returns, passes })
    }

    /// One pass over a batch.
    fn minibatches(&self, samples: &Columns, happened: &[i64], returns: &[f64]) -> Vec<Minibatch> {
        let mut draws = rng(seed_of(self.seed, Role::Learner, self.updates));
        let mut members = happened.to_vec();
        let parts = self.config.minibatches.min(members.len());
        let steps = shares(&mut members, parts, Some(&mut draws)).into_iter().map(<[i64]>::to_vec);
        let cut = Cut::new(steps.collect(), returns.len(), self.device);
        let rows = samples.reward.rows() as i64;
        let leaf = |leaf: &Tensor| cut.leaf(&leaf.narrow(0, 0, rows).to_device(self.device));
        let observation: Vec<Vec<Tensor>> =
            samples.observation.tensors().iter().map(leaf).collect();
        let action = leaf(&samples.action.tensors()[0]);
        let return_ = cut.numbers(|i| returns[i] as f32);
        let part = |m: usize| Minibatch {
            observation: observation.iter().map(|l| l[m].shallow_clone()).collect(),
            action: action[m].shallow_clone(),
            return_: return_[m].shallow_clone(),
        };
        (0..parts).map(part).collect()
    }

    /// One update. Returns loss, gradient norm and mean absolute TD error.
    fn update(&mut self, minibatch: &Minibatch, returns: &[f64]) -> Result<[f64; 3], AlgoError> {
        let q = loss::chosen(&self.q(&minibatch.observation), &minibatch.action);
        let mean = loss::mean_huber(&q, &minibatch.return_, f64::INFINITY);
        let gradient = self.trained.gradient(&mean)?;
        let values = [mean.double_value(&[]), gradient.norm.double_value(&[])];
        finite(values[0], values[1]).map_err(|found| AlgoError::NotFinite {
            what: found.what,
            update: self.updates,
            value: found.value,
            batch: self.spec.steps(),
            env_steps: self.now,
            worst: largest_return(returns, self.spec.b),
        })?;
        let error = loss::mean_distance(&q, &minibatch.return_);
        self.trained.step(&gradient);
        self.updates += 1;
        Ok([values[0], values[1], error])
    }
}

impl MakeAlgo for PqnConfig {
    type Model = Box<dyn MakeQModel>;

    fn make(
        &self,
        model: &Box<dyn MakeQModel>,
        context: &LearnContext<'_>,
    ) -> Result<Box<dyn Algo>, AlgoError> {
        Ok(Box::new(Pqn::new(self.clone(), &**model, context)?))
    }
}

impl Algo for Pqn {
    fn requires(&self) -> &Requires {
        &self.requires
    }

    fn take_in(&mut self, samples: Lease, now: GlobalSteps) -> Result<(), AlgoError> {
        refuse_batch(self.due())?;
        self.requires.check_samples(&samples)?;
        in_step(self.world, self.spec, &samples)?;
        self.now = now;
        if self.config.linear_lr_schedule {
            let before = progress(&samples, now, self.n_steps, self.world);
            self.trained.scale_learning_rate(1.0 - before);
        }
        let work = self.begin(samples)?;
        self.work = (work.passes.due() > 0).then_some(work);
        Ok(())
    }

    fn due(&self) -> u64 {
        self.work.as_ref().map_or(0, |work| work.passes.due())
    }

    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError> {
        let mut info: OptInfo = vec![("loss", vec![]), ("gradNorm", vec![]), ("tdAbsErr", vec![])];
        let Some(mut work) = self.work.take() else { return Ok(info) };
        for _ in 0..at_most {
            let Work { samples, happened, returns, passes } = &mut work;
            let begin = || self.minibatches(samples, happened, returns);
            let Some(minibatch) = passes.next(begin) else { break };
            let values = self.update(&minibatch, returns)?;
            info.iter_mut().zip(values).for_each(|((_, all), v)| all.push(v));
        }
        self.work = (work.passes.due() > 0).then_some(work);
        Ok(info)
    }

    fn schedules(&self) -> Values {
        vec![(LEARNING_RATE.into(), self.trained.learning_rate())]
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn batch_size(&self) -> usize {
        self.spec.steps() / self.config.minibatches
    }

    fn params(&self) -> &Params {
        self.trained.params()
    }

    fn params_mut(&mut self) -> &mut Params {
        self.trained.params_mut()
    }

    fn save(&self, _scope: SaveScope) -> Result<Saved<'_>, AlgoError> {
        between_batches(self.due())?;
        let mut arrays = Vec::new();
        self.trained.save(PARAMS, &mut arrays);
        let counters = Counters { updates: self.updates, adam_steps: self.trained.steps() };
        let values = serde_json::to_value(counters).map_err(|e| AlgoError::State(e.to_string()))?;
        Ok(Saved { arrays, values })
    }

    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError> {
        let counters: Counters = serde_json::from_value(saved.values.clone())
            .map_err(|e| AlgoError::State(e.to_string()))?;
        let state = self.trained.read(saved, PARAMS, counters.adam_steps)?;
        self.trained.restore(&state);
        self.updates = counters.updates;
        self.work = None;
        Ok(())
    }
}
