//! What a policy-gradient model is: observations (and memory) to a distribution and a value.
use crate::AgentError;
use crate::dist::Distribution;
use crate::model::ModelInput;
use crate::norm::ObsNorm;
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::{EnvSpaces, LeafSpec};
use tch::Tensor;

/// What a model says.
#[derive(Debug)]
pub struct PgOutput {
    /// `[N, len]` or `[T, N, len]`, as [`Distribution`] takes it.
    pub dist: Tensor,
    /// `[N]` or `[T, N]`.
    pub value: Tensor,
    /// Memory after the last row.
    pub state: Vec<Tensor>,
}

/// A policy and a value, as a pure function of parameters.
pub trait PgModel: Send {
    /// Memory of one environment; none for feed-forward models.
    fn state(&self) -> Vec<LeafSpec>;

    /// See [`ModelInput`] and [`PgOutput`].
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> PgOutput;

    /// As `forward`, for acting; `dist` may lack the last values, those of [`PgModel::tail`].
    fn act(&self, params: &Params, input: &ModelInput<'_>) -> PgOutput {
        self.forward(params, input)
    }

    /// The last values of `dist` where they are the same for every observation and `act` leaves them out; asked for once after
    /// new weights, so that acting spends no operation on them.
    fn tail(&self, _params: &Params) -> Vec<f32> {
        Vec::new()
    }

    /// The same as PyTorch source, for `experiments export`; none where nobody has written it.
    fn torch(&self) -> Option<TorchModel> {
        None
    }

    /// Statistics that the algorithm has to keep, if the model normalises observations.
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
