//! Models: what they see, and values of actions as a pure function of parameters.
//!
//! Q-models ([`QModel`], here) and policy models ([`crate::pg::PgModel`]) are shown the same ([`ModelInput`]), for acting and
//! for learning.
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

/// What a model sees, on the device of the parameters.
///
/// A model without a state gets leading dimension `[N]`, and the observation alone: the other fields are empty. A recurrent
/// model gets `[T, N]`; T is 1 when acting.
#[derive(Clone, Copy, Debug)]
pub struct ModelInput<'a> {
    /// `[N, ...]` or `[T, N, ...]` for each leaf.
    pub observation: &'a [Tensor],
    /// The actions before, null at an episode's start; `[T, N, ...]` for each leaf.
    pub prev_action: &'a [Tensor],
    /// The rewards before, zero at an episode's start; `[T, N] f32`.
    pub prev_reward: &'a Tensor,
    /// Memory before row 0, `[N, ...]` for each leaf.
    pub state: &'a [Tensor],
    /// `[T, N] f32`: 1 where memory is zeroed before that row (the step before was `done`). None: nowhere.
    pub reset: Option<&'a Tensor>,
}

impl<'a> ModelInput<'a> {
    /// The input of a model without a state. `nothing`: an empty tensor.
    pub fn of(observation: &'a [Tensor], nothing: &'a Tensor) -> Self {
        Self { observation, prev_action: &[], prev_reward: nothing, state: &[], reset: None }
    }
}

/// What a Q-model computes.
#[derive(Debug)]
pub struct QOutput {
    /// `[N, A] f32`, or `[N, A, P]` for a model with [`QModel::atoms`]; a recurrent model has `[T, N]` in place of `[N]`.
    pub q: Tensor,
    /// Memory after the last row, `[N, ...]` for each leaf; empty for a model without a state.
    pub state: Vec<Tensor>,
}

impl From<Tensor> for QOutput {
    /// Of a model without a state.
    fn from(q: Tensor) -> Self {
        Self { q, state: vec![] }
    }
}

/// Values of actions.
pub trait QModel: Send {
    /// Memory of one environment; none for feed-forward models.
    fn state(&self) -> Vec<LeafSpec> {
        Vec::new()
    }

    /// P, the numbers that describe the return of each action (atoms, quantiles); none where its expectation alone is computed.
    fn atoms(&self) -> Option<usize> {
        None
    }

    /// See [`ModelInput`] and [`QOutput`].
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput;

    /// The same as PyTorch source, for `experiments export`; none where nobody has written it.
    fn torch(&self) -> Option<TorchModel> {
        None
    }

    /// The expected return of each action, `[..., A]`, from [`QOutput::q`]. Default: the mean over atoms, as of quantiles.
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

/// Number of actions, or an error that says why a Q-model does not fit.
pub fn action_count(spaces: &EnvSpaces) -> Result<usize, AgentError> {
    spaces.action.discrete_n().ok_or_else(|| {
        AgentError::new(format!(
            "a Q-model needs a discrete action space, the environment has {:?}",
            spaces.action
        ))
    })
}
