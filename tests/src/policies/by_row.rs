//! Evaluates any model one row at a time.
use agents::AgentError;
use agents::dist::Distribution;
use agents::model::ModelInput;
use agents::params::{ParamBuilder, Params};
use agents::pg::{MakePgModel, PgModel, PgOutput};
use rlcore::{EnvSpaces, LeafSpec};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Wraps a model and evaluates its rows one after another. In a batch, the last bits of a row depend on the size of the batch (matrix
/// products, sigmoid and tanh of libtorch); evaluated alone, they do not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ByRow<M> {
    /// Settings of the model.
    pub model: M,
}

struct RowByRow(Box<dyn PgModel>);

impl<M: MakePgModel> MakePgModel for ByRow<M> {
    fn make(
        &self,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn PgModel>, AgentError> {
        Ok(Box::new(RowByRow(self.model.make(spaces, dist, builder)?)))
    }
}

/// Row `n` of the batch dimension, copied, so that its alignment does not depend on `n`.
fn pick(leaves: &[Tensor], dim: i64, n: i64) -> Vec<Tensor> {
    leaves.iter().map(|l| l.narrow(dim, n, 1).copy()).collect()
}

impl PgModel for RowByRow {
    fn state(&self) -> Vec<LeafSpec> {
        self.0.state()
    }

    fn forward(&self, _params: &Params, _input: &ModelInput<'_>) -> PgOutput {
        panic!("this model is for acting")
    }

    fn act(&self, params: &Params, input: &ModelInput<'_>) -> PgOutput {
        let recurrent = !self.0.state().is_empty();
        let dim = i64::from(recurrent);
        let one = |n: i64| {
            let reward = input.prev_reward;
            let row = ModelInput {
                observation: &pick(input.observation, dim, n),
                prev_action: &pick(input.prev_action, dim, n),
                prev_reward: &if recurrent {
                    reward.narrow(dim, n, 1)
                } else {
                    reward.shallow_clone()
                }
                .copy(),
                state: &pick(input.state, 0, n),
                reset: None,
            };
            self.0.act(params, &row)
        };
        let rows: Vec<PgOutput> = (0..input.observation[0].size()[dim as usize]).map(one).collect();
        let join = |part: fn(&PgOutput) -> &Tensor| {
            Tensor::cat(&rows.iter().map(part).collect::<Vec<_>>(), 0)
        };
        let state =
            |leaf: usize| Tensor::cat(&rows.iter().map(|r| &r.state[leaf]).collect::<Vec<_>>(), 0);
        PgOutput {
            dist: join(|r| &r.dist),
            value: join(|r| &r.value),
            state: (0..input.state.len()).map(state).collect(),
        }
    }

    fn tail(&self, params: &Params) -> Vec<f32> {
        self.0.tail(params)
    }
}
