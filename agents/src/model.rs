//! Inputs of models, and Q-models: values of actions as a pure function of parameters.
//!
//! Q-models ([`QModel`], here) and policy models ([`crate::pg::PgModel`]) have the same input ([`ModelInput`]), for acting and for
//! learning.
mod conv;
mod mlp;
mod nets;

pub use self::conv::QConv;
pub use self::mlp::QMlp;
pub use self::nets::QNet;
use crate::AgentError;
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::{EnvSpaces, LeafSpec};
use tch::{Kind, Tensor};

/// Input of a model, on the device of its parameters.
///
/// A feed-forward model gets leading dimension `[N]` and the observation alone; the other fields are empty. A recurrent model gets
/// leading dimensions `[T, N]`; T is 1 when acting.
#[derive(Clone, Copy, Debug)]
pub struct ModelInput<'a> {
    /// `[N, ...]` or `[T, N, ...]` for each leaf.
    pub observation: &'a [Tensor],
    /// Previous actions, null at an episode's start; `[T, N, ...]` for each leaf.
    pub prev_action: &'a [Tensor],
    /// Previous rewards, zero at an episode's start; `[T, N] f32`.
    pub prev_reward: &'a Tensor,
    /// Recurrent state before row 0, `[N, ...]` for each leaf.
    pub state: &'a [Tensor],
    /// `[T, N] f32`: 1 where the state is zeroed before that row, since the step before ended an episode. None: nowhere.
    pub reset: Option<&'a Tensor>,
}

impl<'a> ModelInput<'a> {
    /// The input of a feed-forward model. `nothing`: an empty tensor, for the fields that it does not use.
    pub fn of(observation: &'a [Tensor], nothing: &'a Tensor) -> Self {
        Self { observation, prev_action: &[], prev_reward: nothing, state: &[], reset: None }
    }
}

/// Output of a Q-model.
#[derive(Debug)]
pub struct QOutput {
    /// `[N, A] f32`, or `[N, A, P]` for a model with [`QModel::atoms`]; a recurrent model has `[T, N]` in place of `[N]`.
    pub q: Tensor,
    /// Recurrent state after the last row, `[N, ...]` for each leaf; empty for a feed-forward model.
    pub state: Vec<Tensor>,
}

impl From<Tensor> for QOutput {
    /// The output of a feed-forward model.
    fn from(q: Tensor) -> Self {
        Self { q, state: vec![] }
    }
}

/// A model of the values of actions.
pub trait QModel: Send {
    /// Leaves of the recurrent state of one environment; empty for feed-forward models.
    fn state(&self) -> Vec<LeafSpec> {
        Vec::new()
    }

    /// P, the number of values that describe the return of each action (atoms, quantiles). None: the model computes the expected
    /// return alone.
    fn atoms(&self) -> Option<usize> {
        None
    }

    /// Computes the values of the actions. Shapes: see [`ModelInput`] and [`QOutput`].
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput;

    /// The model as PyTorch source, for `experiments export`; none for a model without such source.
    fn torch(&self) -> Option<TorchModel> {
        None
    }

    /// The expected return of each action, `[..., A]`, from [`QOutput::q`]. The default takes the mean over P, which is right for
    /// quantiles.
    fn values(&self, q: &Tensor) -> Tensor {
        match self.atoms() {
            None => q.shallow_clone(),
            Some(_) => q.mean_dim([-1].as_slice(), false, None::<Kind>),
        }
    }
}

/// Settings that declare a model's parameters; implement it for a model of your own.
pub trait MakeQModel: Send + 'static {
    /// Declares the parameters in `builder` and returns the model over them.
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError>;
}

/// Number of actions of a discrete action space.
///
/// # Errors
/// Another action space: a Q-model does not fit it.
pub fn action_count(spaces: &EnvSpaces) -> Result<usize, AgentError> {
    spaces.action.discrete_n().ok_or_else(|| {
        AgentError::new(format!(
            "a Q-model needs one discrete action, the action space is {}",
            spaces.action
        ))
    })
}
