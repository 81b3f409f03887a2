//! Q-models: observations to one value for each action, as a pure function of parameters.
mod conv;

pub use self::conv::QConv;
use crate::AgentError;
use crate::nn::{Mlp, flatten};
use crate::params::{ParamBuilder, Params};
use rlcore::EnvSpaces;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tch::Tensor;

/// Values of actions.
pub trait QModel: Send {
    /// `observation`: `[N, ...]` a leaf, on the device of the parameters. Returns `[N, A] f32`.
    fn forward(&self, params: &Params, observation: &[Tensor]) -> Tensor;
}

/// Settings that declare a model's parameters; implement it for a model of your own.
pub trait MakeQModel: Serialize + DeserializeOwned + Clone + Send + 'static {
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

/// Multi-layer perceptron over all leaves of the observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QMlp {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
}

impl Default for QMlp {
    fn default() -> Self {
        Self { hidden: vec![64, 64] }
    }
}

impl MakeQModel for QMlp {
    fn make(
        &self,
        spaces: &EnvSpaces,
        builder: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let inputs = spaces
            .observation
            .leaves("observation")
            .iter()
            .map(rlcore::LeafSpec::elems)
            .fold(0, usize::saturating_add);
        let mlp = Mlp::new(builder, inputs, &self.hidden, action_count(spaces)?);
        Ok(Box::new(QMlpModel { mlp }))
    }
}

struct QMlpModel {
    mlp: Mlp,
}

impl QModel for QMlpModel {
    fn forward(&self, params: &Params, observation: &[Tensor]) -> Tensor {
        self.mlp.forward(params, &flatten(observation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use rlcore::{DType, Space};
    use tch::{Device, Kind};

    #[test]
    fn nested_observations_become_one_row() {
        let observation = Space::Dict(vec![
            ("image".into(), Space::uniform_box(DType::U8, &[1, 2], 0.0, 255.0)),
            ("speed".into(), Space::uniform_box(DType::F32, &[3], -1.0, 1.0)),
        ]);
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: 4 });
        let mut builder = ParamBuilder::default();
        let model = QMlp { hidden: vec![] }.make(&spaces, &mut builder).unwrap();
        let mut params = Params::zeros(&builder.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
        let mut weights = vec![0.0; params.len()];
        weights[1] = 1.0; // action 0 <- second pixel
        weights[5 + 4] = 2.0; // action 1 <- last speed
        params.read_from(&weights);
        let image = Tensor::from_slice(&[0u8, 255, 255, 0]).reshape([2, 1, 2]);
        let speed = Tensor::arange(6, (Kind::Float, Device::Cpu)).reshape([2, 3]);
        let q = model.forward(&params, &[image, speed]);
        assert_eq!(
            q,
            Tensor::from_slice(&[1f32, 4.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0]).reshape([2, 4])
        );
    }
}
