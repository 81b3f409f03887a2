//! Policy-gradient models: from observations, and a recurrent state, to a distribution and a value.
use crate::AgentError;
use crate::dist::Distribution;
use crate::model::ModelInput;
use crate::norm::ObsNorm;
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::{EnvSpaces, LeafSpec};
use tch::Tensor;

/// Output of a policy-gradient model.
#[derive(Debug)]
pub struct PgOutput {
    /// Parameters of the distribution, `[N, len]` or `[T, N, len]`; see [`Distribution`].
    pub dist: Tensor,
    /// Values of the observations, `[N]` or `[T, N]`.
    pub value: Tensor,
    /// Recurrent state after the last row, `[N, ...]` for each leaf; empty for a feed-forward model.
    pub state: Vec<Tensor>,
}

/// A policy and a value, as a pure function of parameters.
pub trait PgModel: Send {
    /// Leaves of the recurrent state of one environment; empty for feed-forward models.
    fn state(&self) -> Vec<LeafSpec>;

    /// Computes distribution and value. Shapes: see [`ModelInput`] and [`PgOutput`].
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> PgOutput;

    /// [`PgModel::forward`] for acting. `dist` may lack its last values, which [`PgModel::tail`] then has.
    fn act(&self, params: &Params, input: &ModelInput<'_>) -> PgOutput {
        self.forward(params, input)
    }

    /// The last values of `dist`, where they are the same for every observation and `act` leaves them out. An agent asks for them
    /// once after it has loaded weights, so that acting costs no operation for them.
    fn tail(&self, _params: &Params) -> Vec<f32> {
        Vec::new()
    }

    /// The model as PyTorch source, for `experiments export`; none for a model without such source.
    fn torch(&self) -> Option<TorchModel> {
        None
    }

    /// The statistics that the algorithm must update, where the model normalises observations.
    fn norm(&self) -> Option<&ObsNorm> {
        None
    }
}

/// Settings that declare a model's parameters; implement it for a model of your own.
pub trait MakePgModel: Send + 'static {
    /// Declares the parameters in `builder` and returns the model over them.
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError>;
}
