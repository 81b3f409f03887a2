//! Previous action and reward as inputs of an LSTM.
use crate::AgentError;
use rlcore::{EnvSpaces, LeafSpec, Space};
use tch::{Kind, Tensor};

/// The previous action (a discrete one as one-hot, a box as it is), then the previous reward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous {
    one_hot: Option<i64>,
    width: usize,
}

impl Previous {
    pub(super) fn new(spaces: &EnvSpaces) -> Result<Self, AgentError> {
        match &spaces.action {
            Space::Discrete { n } => {
                Ok(Self { one_hot: Some(*n as i64), width: n.saturating_add(1) })
            }
            action @ Space::Box(_) => {
                let elems: usize = action
                    .leaves("action")
                    .iter()
                    .map(LeafSpec::elems)
                    .fold(0, usize::saturating_add);
                Ok(Self { one_hot: None, width: elems.saturating_add(1) })
            }
            other => Err(AgentError::new(format!(
                "an LSTM sees the previous action, which may be discrete or a box; the action space is {other}: use a model without lstm"
            ))),
        }
    }

    /// Number of values that are appended to the features.
    pub(super) fn width(self) -> usize {
        self.width
    }

    /// Appends action `[T, N, ...]` and reward `[T, N]` to `features [T * N, F]`: `[T * N, F + width]`.
    pub(super) fn append(self, features: &Tensor, action: &[Tensor], reward: &Tensor) -> Tensor {
        let rows = features.size()[0];
        let action = match self.one_hot {
            Some(n) => {
                let numbers = Tensor::arange(n, (Kind::Int64, features.device()));
                action[0].reshape([rows, 1]).eq_tensor(&numbers).to_kind(Kind::Float)
            }
            None => action[0].reshape([rows, -1]).to_kind(Kind::Float),
        };
        Tensor::cat(&[features, &action, &reward.reshape([rows, 1])], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlcore::DType;

    fn appended(action: Space, before: Tensor) -> Vec<f32> {
        let observation = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
        let previous = Previous::new(&EnvSpaces::new(observation, action)).unwrap();
        let (features, reward) =
            (Tensor::from_slice(&[9f32, 8.0]), Tensor::from_slice(&[0.5f32, -1.0]));
        let out = previous.append(&features.reshape([2, 1]), &[before], &reward.reshape([2, 1]));
        assert_eq!(out.size()[1] as usize, 1 + previous.width());
        Vec::try_from(out.reshape([-1])).unwrap()
    }

    #[test]
    fn features_then_action_then_reward() {
        let numbers = Tensor::from_slice(&[2i64, 0]).reshape([2, 1]);
        let got = appended(Space::Discrete { n: 3 }, numbers);
        assert_eq!(got, [9.0, 0.0, 0.0, 1.0, 0.5, 8.0, 1.0, 0.0, 0.0, -1.0]);
        let values = Tensor::from_slice(&[0.1f32, 0.2, 0.3, 0.4]).reshape([2, 1, 2, 1]);
        let got = appended(Space::uniform_box(DType::F32, &[2, 1], -1.0, 1.0), values);
        assert_eq!(got, [9.0, 0.1, 0.2, 0.5, 8.0, 0.3, 0.4, -1.0]);
    }
}
