//! Values of actions from the way that is left: goal minus position.
use agents::AgentError;
use agents::model::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use agents::nn::Linear;
use agents::params::{ParamBuilder, Params};
use rlcore::EnvSpaces;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Towards {
    /// Units of the hidden layer.
    width: usize,
}

impl Default for Towards {
    fn default() -> Self {
        Self { width: 64 }
    }
}

struct TowardsModel {
    leaves: [usize; 2],
    hidden: Linear,
    values: Linear,
}

impl MakeQModel for Towards {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let leaf = |key: &str| {
            let missing = || AgentError::new(format!("the observation has no leaf {key}"));
            spaces.observation.leaf_index(key).ok_or_else(missing)
        };
        Ok(Box::new(TowardsModel {
            leaves: [leaf("position")?, leaf("goal")?],
            hidden: Linear::new(builder, "hidden", 2, self.width),
            values: Linear::new(builder, "values", self.width, action_count(spaces)?),
        }))
    }
}

impl QModel for TowardsModel {
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput {
        let [position, goal] = self.leaves.map(|leaf| &input.observation[leaf]);
        let hidden = self.hidden.forward(params, &(goal - position)).relu();
        self.values.forward(params, &hidden).into()
    }
}
