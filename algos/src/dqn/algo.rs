//! DQN: a replay with n-step returns, a target network, and optionally double Q-learning.
//!
//! Follows `rlpyt/algos/dqn/dqn.py`; differs: the target network starts equal to the online network, truncated steps
//! bootstrap from their final observation, updates keep the replay ratio exactly over time, draws are seeded by the number of
//! the update (libtorch's generator cannot be saved).
use super::config::DqnConfig;
use super::loss;
use crate::algo::{Algo, OptInfo, Restored, SaveScope, Saved};
use crate::context::{LearnContext, in_step};
use crate::error::AlgoError;
use crate::optim::{AdamKind, update_target};
use crate::replay::{Key, ReplayMeta, TensorBatch, TransitionReplay};
use crate::requires::Requires;
use crate::saved::{between_batches, flat_array, flat_values};
use crate::settings::{AlgoSettings, MakeAlgo};
use crate::trained::{LEARNING_RATE, NotFinite, Trained, TrainedSettings, finite};
use agents::model::{MakeQModel, ModelInput, QModel};
use agents::params::{Grad, ParamBuilder, Params};
use rlcore::block::Lease;
use rlcore::checkpoint::Prefixed;
use rlcore::seed::{Role, rng, seed_of};
use rlcore::table::Values;
use rlcore::tensor::slice;
use rlcore::{BatchSpec, GlobalSteps, World};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad_guard};

/// See the module documentation.
pub struct Dqn {
    config: DqnConfig,
    model: Box<dyn QModel>,
    online: Trained,
    target: Params,
    replay: TransitionReplay,
    keys: Vec<Key>,
    batch: TensorBatch,
    requires: Requires,
    device: Device,
    nothing: Tensor,
    mask: Option<usize>,
    seed: u64,
    /// Transitions in one update over all replicas.
    global_batch: f64,
    /// Environment steps of all replicas when the last batch was taken in.
    now: GlobalSteps,
    /// Environment steps that filled an empty replay anew, after loading checkpoints without a replay.
    refilled: GlobalSteps,
    world: World,
    spec: BatchSpec,
    updates: u64,
}

impl std::fmt::Debug for Dqn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dqn({} weights, {} updates)", self.params().len(), self.updates)
    }
}

/// Names of the two networks in a checkpoint.
const ONLINE: &str = "online";
const TARGET: &str = "target";
/// Prefix of the replay's arrays in a checkpoint.
const REPLAY: &str = "replay/";

#[derive(Serialize, Deserialize)]
struct Counters {
    updates: u64,
    adam_steps: u64,
    env_steps: GlobalSteps,
    refilled: GlobalSteps,
    /// None where the replay was left out.
    replay: Option<ReplayMeta>,
}

impl Dqn {
    /// A learner with initial weights from the run's seed. It keeps transitions in `replay`, such as [`DqnConfig::uniform_replay`],
    /// and draws them from there. The replay decides on the n-step return and its discount.
    ///
    /// # Errors
    /// Settings that contradict each other or the batches; a model that cannot be built.
    pub fn new(
        config: DqnConfig,
        model: &dyn MakeQModel,
        replay: TransitionReplay,
        context: &LearnContext<'_>,
    ) -> Result<Self, AlgoError> {
        config.check(context.spec).map_err(AlgoError::Config)?;
        let (spaces, device) = (context.spaces, context.device);
        let mut builder = ParamBuilder::default();
        let model = model.make(spaces, &mut builder)?;
        loss::check_model(&*model, "dqn")?;
        let specs = builder.finish()?;
        let settings = TrainedSettings {
            kind: AdamKind::Plain,
            learning_rate: config.learning_rate,
            adam_eps: config.adam_eps(),
            clip_grad_norm: config.clip_grad_norm,
        };
        let online = Trained::new(&specs, 0, settings, context)?;
        let mut target = Params::zeros(&specs, device, Grad::Off)?;
        target.copy_from(online.params());
        Ok(Self {
            keys: Vec::with_capacity(config.batch_size),
            batch: replay.batch(config.batch_size),
            replay,
            requires: Requires {
                weights: online.params().len(),
                discount: Some(config.discount),
                ..Default::default()
            },
            mask: spaces.action_mask,
            seed: context.seed,
            global_batch: config.batch_size as f64 * context.world.size as f64,
            now: GlobalSteps(0),
            refilled: GlobalSteps(0),
            world: context.world,
            spec: context.spec,
            updates: 0,
            config,
            model,
            online,
            target,
            nothing: Tensor::zeros([0], (Kind::Float, device)),
            device,
        })
    }

    /// Values `[N, A]` of observations.
    fn q(&self, params: &Params, observation: &[Tensor]) -> Tensor {
        self.model.forward(params, &ModelInput::of(observation, &self.nothing)).q
    }

    /// An error where the action mask of an observation that is bootstrapped from allows no action: its value is undefined.
    fn check_masks(&self) -> Result<(), AlgoError> {
        let Some(leaf) = self.mask else { return Ok(()) };
        let mask = slice::<u8>(&self.batch.next_observation[leaf]);
        let bootstrap = slice::<f32>(&self.batch.bootstrap);
        let rows = mask.chunks_exact(mask.len() / bootstrap.len()).zip(bootstrap);
        for (key, (allowed, factor)) in self.keys.iter().zip(rows) {
            if *factor != 0.0 && allowed.iter().all(|a| *a == 0) {
                let (row, column) = self.replay.row_and_column(*key);
                return Err(AlgoError::Samples(format!(
                    "the transition from row {row} of the replay, environment {column}, ends in an observation whose action mask allows no action: let the environment allow at least one action wherever an episode does not terminate, the last observation of a truncated episode included"
                )));
            }
        }
        Ok(())
    }

    /// Makes one update. Returns its loss, gradient norm and mean absolute TD error.
    fn update(&mut self) -> Result<[f64; 3], AlgoError> {
        let mut draws = rng(seed_of(self.seed, Role::Learner, self.updates));
        self.keys.clear();
        self.replay.draw(&mut draws, self.config.batch_size, &mut self.keys)?;
        self.replay.gather(&self.keys, &mut self.batch)?;
        self.check_masks()?;
        let batch = &self.batch;
        let moved = |leaves: &[Tensor]| -> Vec<Tensor> {
            leaves.iter().map(|t| t.to_device(self.device)).collect()
        };
        let (observation, next) = (moved(&batch.observation), moved(&batch.next_observation));
        let (return_, bootstrap) =
            (batch.return_.to_device(self.device), batch.bootstrap.to_device(self.device));
        let y = {
            let _guard = no_grad_guard();
            let allowed = |q: Tensor| match self.mask {
                Some(leaf) => q.masked_fill(&next[leaf].eq(0), f64::from(f32::MIN)),
                None => q,
            };
            let target_q = allowed(self.q(&self.target, &next));
            if self.config.double_dqn {
                let next_q = allowed(self.q(self.online.params(), &next));
                loss::double_target(&return_, &bootstrap, &target_q, &next_q)
            } else {
                loss::target(&return_, &bootstrap, &target_q)
            }
        };
        let q = loss::chosen(
            &self.q(self.online.params(), &observation),
            &batch.action[0].to_device(self.device),
        );
        let mean = loss::mean_huber(&q, &y, self.config.delta_clip);
        let gradient = self.online.gradient(&mean)?;
        let values = [mean.double_value(&[]), gradient.norm.double_value(&[])];
        if let Err(NotFinite { what, value }) = finite(values[0], values[1]) {
            let finite = loss::huber(&q, &y, self.config.delta_clip).isfinite();
            let worst = if finite.all().int64_value(&[]) != 0 {
                "every single loss is finite".to_owned()
            } else {
                let bad = finite.logical_not().to_kind(Kind::Int64);
                let row = bad.argmax(0, false).int64_value(&[]) as usize;
                let (t, b) = self.replay.row_and_column(self.keys[row]);
                format!("first bad transition: number {row}, replay row {t}, environment {b}")
            };
            return Err(AlgoError::NotFinite {
                what,
                update: self.updates,
                value,
                batch: self.config.batch_size,
                env_steps: self.now,
                worst,
            });
        }
        let error = loss::mean_distance(&q, &y);
        self.online.step(&gradient);
        self.updates += 1;
        if self.updates.is_multiple_of(self.config.target_update_interval) {
            let (online, tau) = (self.online.params().flat(), self.config.target_update_tau);
            update_target(self.target.flat_mut(), online, tau);
        }
        Ok([values[0], values[1], error])
    }
}

impl MakeAlgo for DqnConfig {
    type Model = Box<dyn MakeQModel>;

    fn make(
        &self,
        model: &Box<dyn MakeQModel>,
        context: &LearnContext<'_>,
    ) -> Result<Box<dyn Algo>, AlgoError> {
        let replay = self.uniform_replay(context)?;
        Ok(Box::new(Dqn::new(self.clone(), &**model, replay, context)?))
    }
}

impl Algo for Dqn {
    fn requires(&self) -> &Requires {
        &self.requires
    }

    fn take_in(&mut self, samples: Lease, now: GlobalSteps) -> Result<(), AlgoError> {
        in_step(self.world, self.spec, &samples)?;
        self.replay.append(&samples)?;
        self.now = now;
        Ok(())
    }

    fn due(&self) -> u64 {
        if self.replay.drawable().is_empty() {
            return 0;
        }
        let unlearned = GlobalSteps(self.config.min_steps_learn) + self.refilled;
        let learned_from = (self.now - unlearned).0 as f64;
        let all = (self.config.replay_ratio * learned_from / self.global_batch) as u64;
        all.saturating_sub(self.updates)
    }

    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError> {
        let mut info: OptInfo = vec![("loss", vec![]), ("gradNorm", vec![]), ("tdAbsErr", vec![])];
        for _ in 0..at_most.min(self.due()) {
            let values = self.update()?;
            info.iter_mut().zip(values).for_each(|((_, all), v)| all.push(v));
        }
        Ok(info)
    }

    fn schedules(&self) -> Values {
        vec![(LEARNING_RATE.into(), self.online.learning_rate())]
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    fn params(&self) -> &Params {
        self.online.params()
    }

    fn params_mut(&mut self) -> &mut Params {
        self.online.params_mut()
    }

    fn save(&self, scope: SaveScope) -> Result<Saved<'_>, AlgoError> {
        between_batches(self.due())?;
        let (replay, mut arrays) = match scope {
            SaveScope::Everything => {
                let (meta, arrays) = self.replay.save(REPLAY);
                (Some(meta), arrays)
            }
            SaveScope::WithoutReplay => (None, vec![]),
        };
        self.online.save(ONLINE, &mut arrays);
        arrays.push(flat_array(TARGET, self.target.flat()));
        let (updates, adam_steps) = (self.updates, self.online.steps());
        let (env_steps, refilled) = (self.now, self.refilled);
        let counters = Counters { updates, adam_steps, env_steps, refilled, replay };
        let values = serde_json::to_value(counters).map_err(|e| AlgoError::State(e.to_string()))?;
        Ok(Saved { arrays, values })
    }

    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError> {
        let counters: Counters = serde_json::from_value(saved.values.clone())
            .map_err(|e| AlgoError::State(e.to_string()))?;
        // The networks are read first and restored last: the replay may still refuse to load.
        let online = self.online.read(saved, ONLINE, counters.adam_steps)?;
        let target = flat_values(saved, TARGET, self.target.len())?;
        let has_replay = counters.replay.is_some();
        match counters.replay {
            Some(meta) => self.replay.load(&meta, &Prefixed::new(saved.arrays, REPLAY))?,
            None => self.replay.clear(),
        }
        self.online.restore(&online);
        self.target.read_from(&target);
        self.updates = counters.updates;
        self.now = counters.env_steps;
        self.refilled = counters.refilled;
        if !has_replay {
            // The empty replay takes as many steps as at the start of the run before it is drawn from.
            self.refilled += GlobalSteps(self.config.min_steps_learn.min(self.now.0));
        }
        Ok(())
    }

    fn cut(&mut self) {
        self.replay.cut();
    }
}

#[cfg(test)]
mod tests;
