//! Parameters together with the optimiser that trains them. An algorithm has one or several (actor, critics, temperature).
//!
//! An update: the gradient of a loss, averaged over the replicas, clipped, and one step of Adam. All of it works on the flat
//! vector of the trained parameters; buffers keep their values.
use crate::algo::Restored;
use crate::context::{Average, LearnContext};
use crate::error::AlgoError;
use crate::optim::{Adam, AdamConfig, AdamKind, AdamState, clip_grad_norm};
use crate::saved::{flat_array, flat_values};
use agents::params::{Grad, ParamSpec, Params};
use rlcore::checkpoint::NamedArray;
use rlcore::seed::{Role, seed_of};
use rlcore::tensor::slice;
use std::sync::Arc;
use tch::{Device, Tensor};

/// The name of the learning rate in the log: see [`Algo::schedules`](crate::Algo::schedules).
pub const LEARNING_RATE: &str = "learningRate";

/// Settings of an optimiser; the names are those of the algorithms' settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainedSettings {
    /// Plain Adam, or `RAdam`.
    pub kind: AdamKind,
    /// Adam's step size, before any schedule.
    pub learning_rate: f64,
    /// Adam's epsilon.
    pub adam_eps: f64,
    /// Largest 2-norm of the gradient: a longer gradient is scaled down to it. Infinity switches clipping off.
    pub clip_grad_norm: f64,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Trained {
    params: Params,
    adam: Adam,
    settings: TrainedSettings,
    average: Arc<dyn Average>,
}

/// A gradient that is ready for the optimiser: averaged over the replicas and clipped.
#[derive(Debug)]
pub struct Gradient {
    /// `[P] f32`.
    pub flat: Tensor,
    /// 2-norm before clipping, 0-d. Reading it waits for a device other than the CPU.
    pub norm: Tensor,
}

/// A saved state that was read and found to fit, not yet restored.
#[derive(Debug)]
pub struct TrainedState {
    params: Vec<f32>,
    adam: AdamState,
}

/// A loss or a gradient norm that is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotFinite {
    /// Which of the two: `loss` or `gradient norm`.
    pub what: &'static str,
    /// NaN or an infinity.
    pub value: f64,
}

/// Checks the loss and the gradient norm of an update. A value that is not finite would destroy the parameters, or already has.
pub fn finite(loss: f64, norm: f64) -> Result<(), NotFinite> {
    let named = [("loss", loss), ("gradient norm", norm)];
    match named.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((what, value)) => Err(NotFinite { what, value }),
        None => Ok(()),
    }
}

impl Trained {
    /// Initialises the parameters from the run's seed. `index`: number of this optimiser within the algorithm, so that several start
    /// with different values.
    ///
    /// # Errors
    /// Too little memory for the parameters.
    pub fn new(
        specs: &Arc<[ParamSpec]>,
        index: u64,
        settings: TrainedSettings,
        context: &LearnContext<'_>,
    ) -> Result<Self, AlgoError> {
        let init = seed_of(context.seed, Role::Init, index);
        let mut params = Params::init(specs, init, context.device, Grad::On)?;
        let adam = AdamConfig {
            kind: settings.kind,
            learning_rate: settings.learning_rate,
            eps: settings.adam_eps,
            ..Default::default()
        };
        let adam = Adam::new(adam, &params.trained_mut());
        Ok(Self { params, adam, settings, average: context.average.clone() })
    }

    /// The parameters, buffers included.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// [`Trained::params`], mutable: to set buffers, or to start from given values.
    pub fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    /// Sets the learning rate to `share * settings.learning_rate` from the next step on.
    pub fn scale_learning_rate(&mut self, share: f64) {
        self.adam.set_learning_rate(self.settings.learning_rate * share);
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.adam.config().learning_rate
    }

    /// The gradient of `loss` (0-d), averaged over the replicas and clipped.
    ///
    /// # Errors
    /// libtorch cannot differentiate the loss, or the replicas cannot average.
    pub fn gradient(&self, loss: &Tensor) -> Result<Gradient, AlgoError> {
        self.ready(self.params.gradient(loss)?)
    }

    /// A gradient `[P] f32` of this replica's loss, however it was computed, averaged over the replicas and clipped.
    ///
    /// # Errors
    /// The replicas cannot average.
    pub fn ready(&self, mut flat: Tensor) -> Result<Gradient, AlgoError> {
        self.average.mean(&mut flat)?;
        let norm = clip_grad_norm(&mut flat, self.settings.clip_grad_norm);
        Ok(Gradient { flat, norm })
    }

    /// Means of some numbers over the replicas: what all of them must agree on.
    ///
    /// # Errors
    /// The replicas cannot average.
    pub fn mean(&self, values: &[f64]) -> Result<Vec<f64>, AlgoError> {
        let mut all = Tensor::from_slice(values).to_device(self.params.device());
        self.average.mean(&mut all)?;
        let all = all.to_device(Device::Cpu);
        Ok(slice::<f64>(&all).to_vec())
    }

    /// Makes one optimiser step with a gradient.
    pub fn step(&mut self, gradient: &Gradient) {
        self.adam.step(&mut self.params.trained_mut(), &gradient.flat);
    }

    /// [`Trained::gradient`] of `loss` (0-d), then [`Trained::step`]. Returns the norm of the gradient before clipping, 0-d, which is
    /// not yet checked to be finite.
    ///
    /// # Errors
    /// As [`Trained::gradient`].
    pub fn descend(&mut self, loss: &Tensor) -> Result<Tensor, AlgoError> {
        let gradient = self.gradient(loss)?;
        self.step(&gradient);
        Ok(gradient.norm)
    }

    /// Steps that the optimiser has made; an algorithm saves it among its counters.
    pub fn steps(&self) -> u64 {
        self.adam.state().steps
    }

    /// Appends the arrays `<name>` `[len]`, `<name>.adam_first_moment` `[P]` and `<name>.adam_second_moment` `[P]`, all f32.
    pub fn save(&self, name: &str, arrays: &mut Vec<NamedArray<'_>>) {
        let state = self.adam.state();
        arrays.push(flat_array(name, self.params.flat()));
        arrays.push(flat_array(&format!("{name}.{FIRST}"), &state.first_moment));
        arrays.push(flat_array(&format!("{name}.{SECOND}"), &state.second_moment));
    }

    /// Reads what [`Trained::save`] appended, and changes nothing. `steps`: what [`Trained::steps`] was.
    ///
    /// # Errors
    /// Arrays that are missing or of another length.
    pub fn read(
        &self,
        saved: &Restored<'_>,
        name: &str,
        steps: u64,
    ) -> Result<TrainedState, AlgoError> {
        let moment = |part| -> Result<Tensor, AlgoError> {
            let name = format!("{name}.{part}");
            let values = flat_values(saved, &name, self.params.trained_len())?;
            Ok(Tensor::from_slice(&values).to_device(self.params.device()))
        };
        Ok(TrainedState {
            params: flat_values(saved, name, self.params.len())?,
            adam: AdamState { steps, first_moment: moment(FIRST)?, second_moment: moment(SECOND)? },
        })
    }

    /// Restores a state that [`Trained::read`] has read.
    pub fn restore(&mut self, state: &TrainedState) {
        self.params.read_from(&state.params);
        self.adam.load(&state.adam).expect("`read` made moments of the length of the parameters");
    }
}

const FIRST: &str = "adam_first_moment";
const SECOND: &str = "adam_second_moment";
