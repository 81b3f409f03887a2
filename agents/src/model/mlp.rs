//! A Q-model over any observation, flattened.
use super::{MakeQModel, ModelInput, QModel, QOutput, action_count};
use crate::AgentError;
use crate::nn::{Flatten, Mlp};
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::EnvSpaces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A multi-layer perceptron over all leaves of the observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QMlp {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Each hidden layer is normalised before its ReLU (Ba et al. 2016), as PQN wants it.
    pub layer_norm: bool,
}

impl Default for QMlp {
    fn default() -> Self {
        Self { hidden: vec![64, 64], layer_norm: false }
    }
}

impl MakeQModel for QMlp {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        if self.hidden.contains(&0) {
            return Err(AgentError::new(
                "a width in hidden is zero: give it at least 1, or leave it out",
            ));
        }
        let flatten = Flatten::new(&spaces.observation);
        let make = if self.layer_norm { Mlp::normalised } else { Mlp::new };
        let mlp = make(builder, flatten.features(), &self.hidden, action_count(spaces)?);
        Ok(Box::new(QMlpModel { flatten, mlp }))
    }
}

struct QMlpModel {
    flatten: Flatten,
    mlp: Mlp,
}

impl QModel for QMlpModel {
    fn forward(&self, params: &Params, input: &ModelInput<'_>) -> QOutput {
        self.mlp.forward(params, &self.flatten.forward(input.observation)).into()
    }

    fn torch(&self) -> Option<TorchModel> {
        let (layers, q) = self.mlp.torch();
        let forward = [vec![format!("x = {}", self.flatten.torch())], layers].concat();
        let forward = [forward, vec![format!("return {q}, state")]].concat();
        Some(TorchModel { forward, ..Default::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use rlcore::{DType, Space};
    use tch::{Device, Kind, Tensor};

    #[test]
    fn nested_observations_become_one_row() {
        let observation = Space::Dict(vec![
            ("image".into(), Space::uniform_box(DType::U8, &[1, 2], 0.0, 255.0)),
            ("speed".into(), Space::uniform_box(DType::F32, &[3], -1.0, 1.0)),
        ]);
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: 4 });
        let mut builder = ParamBuilder::default();
        let model =
            QMlp { hidden: vec![], ..Default::default() }.make(&spaces, &mut builder).unwrap();
        let mut params = Params::zeros(&builder.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
        let mut weights = vec![0.0; params.len()];
        weights[1] = 1.0; // action 0 <- second pixel
        weights[5 + 4] = 2.0; // action 1 <- last speed
        params.read_from(&weights);
        let image = Tensor::from_slice(&[0u8, 255, 255, 0]).reshape([2, 1, 2]);
        let speed = Tensor::arange(6, (Kind::Float, Device::Cpu)).reshape([2, 3]);
        let nothing = Tensor::zeros([0], (Kind::Float, Device::Cpu));
        let out = model.forward(&params, &ModelInput::of(&[image, speed], &nothing));
        assert_eq!(
            out.q,
            Tensor::from_slice(&[1f32, 4.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0]).reshape([2, 4])
        );
    }
}
