//! What the ready-made models share: a trunk, optionally an LSTM, and the heads.
use super::head::DistHead;
use super::model::{PgModel, PgOutput};
use super::previous::Previous;
use crate::AgentError;
use crate::dist::Distribution;
use crate::model::ModelInput;
use crate::nn::{ConvTrunk, Flatten, Linear, Lstm, MlpTrunk, Start};
use crate::norm::ObsNorm;
use crate::params::{ParamBuilder, Params};
use crate::torch::TorchModel;
use rlcore::{DType, EnvSpaces, LeafSpec};
use tch::Tensor;

/// From observations to features.
#[derive(Debug)]
pub(super) enum Trunk {
    /// Over the flattened observation, optionally normalised; the value may have its own layers.
    Mlp { flatten: Flatten, norm: Option<ObsNorm>, policy: MlpTrunk, value: Option<MlpTrunk> },
    /// Over an image.
    Conv(ConvTrunk),
}

impl Trunk {
    fn features(&self) -> (usize, usize) {
        match self {
            Self::Mlp { policy, value, .. } => {
                let own = policy.features();
                (own, value.as_ref().map_or(own, MlpTrunk::features))
            }
            Self::Conv(conv) => (conv.features(), conv.features()),
        }
    }

    /// From leaves `[N, ...]` to the features of the policy and, where they differ, those of the value, `[N, features]` each.
    fn forward(&self, p: &Params, observation: &[Tensor]) -> (Tensor, Option<Tensor>) {
        match self {
            Self::Mlp { flatten, norm, policy, value } => {
                let flat = flatten.forward(observation);
                let x =
                    norm.as_ref().map_or_else(|| flat.shallow_clone(), |n| n.normalise(p, &flat));
                (policy.forward(p, &x), value.as_ref().map(|v| v.forward(p, &x)))
            }
            Self::Conv(conv) => (conv.forward(p, observation), None),
        }
    }
}

/// An LSTM between trunk and heads, whose inputs include the previous action and reward, as in `rlpyt/models/pg/*_lstm_model.py`.
#[derive(Debug)]
struct Recurrence {
    lstm: Lstm,
    previous: Previous,
    hidden: usize,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct TrunkModel {
    trunk: Trunk,
    memory: Option<Recurrence>,
    policy: DistHead,
    value: Linear,
}

impl TrunkModel {
    /// Declares the LSTM, where `lstm` is its size, and the heads on top of a trunk.
    pub(super) fn new(
        b: &mut ParamBuilder,
        spaces: &EnvSpaces,
        dist: &dyn Distribution,
        trunk: Trunk,
        lstm: Option<usize>,
        start: Start,
    ) -> Result<Self, AgentError> {
        let (mut features, mut value_features) = trunk.features();
        let mut memory = None;
        if let Some(hidden) = lstm {
            let previous = Previous::new(spaces)?;
            let lstm =
                Lstm::new(b, "lstm", features.saturating_add(previous.width()), hidden, start);
            memory = Some(Recurrence { lstm, previous, hidden });
            (features, value_features) = (hidden, hidden);
        }
        Ok(Self {
            trunk,
            memory,
            policy: DistHead::new(b, features, dist, start),
            value: Linear::starting(b, "value", value_features, 1, start, 1.0),
        })
    }

    /// Outputs of the policy's layer `[N, outputs]` and of the value's `[N, 1]`; of a recurrent model T * N rows.
    fn heads(&self, p: &Params, input: &ModelInput<'_>) -> (Tensor, Tensor, Vec<Tensor>) {
        let Some(memory) = &self.memory else {
            let (x, own) = self.trunk.forward(p, input.observation);
            let value = self.value.forward(p, own.as_ref().unwrap_or(&x));
            return (self.policy.outputs(p, &x), value, Vec::new());
        };
        let rows: Vec<Tensor> = input.observation.iter().map(|o| o.flatten(0, 1)).collect();
        let (features, _) = self.trunk.forward(p, &rows);
        let x = memory.previous.append(&features, input.prev_action, input.prev_reward);
        let (t, n) = (input.prev_reward.size()[0], input.prev_reward.size()[1]);
        let x = x.view([t, n, -1]);
        let (out, h, c) =
            memory.lstm.forward(p, &x, (&input.state[0], &input.state[1]), input.reset);
        (self.policy.outputs(p, &out), self.value.forward(p, &out), vec![h, c])
    }
}

impl PgModel for TrunkModel {
    fn state(&self) -> Vec<LeafSpec> {
        let leaf = |name, m: &Recurrence| LeafSpec::array(name, DType::F32, &[m.hidden]);
        self.memory.iter().flat_map(|m| [leaf("h", m), leaf("c", m)]).collect()
    }

    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> PgOutput {
        let (outputs, value, state) = self.heads(p, input);
        let dist = self.policy.complete(p, outputs);
        if self.memory.is_none() {
            return PgOutput { dist, value: value.squeeze_dim(1), state };
        }
        let lead = input.prev_reward.size();
        PgOutput {
            dist: dist.view([lead[0], lead[1], -1]),
            value: value.view([lead[0], lead[1]]),
            state,
        }
    }

    fn act(&self, p: &Params, input: &ModelInput<'_>) -> PgOutput {
        let (dist, value, state) = self.heads(p, input);
        PgOutput { dist, value, state }
    }

    fn tail(&self, p: &Params) -> Vec<f32> {
        self.policy.tail(p)
    }

    /// The output is that of the policy's layer: acting needs neither the tail of `dist` nor the value.
    fn torch(&self) -> Option<TorchModel> {
        let mut torch = match &self.trunk {
            Trunk::Mlp { flatten, norm, policy, .. } => {
                let mut forward = vec![format!("x = {}", flatten.torch())];
                forward.extend(norm.as_ref().map(|_| "x = self.obs_norm(x)".to_owned()));
                forward.extend(policy.torch("trunk", "x"));
                TorchModel { forward, ..Default::default() }
            }
            Trunk::Conv(conv) => conv.torch(),
        };
        if let Some(memory) = &self.memory {
            torch.previous = Some(memory.previous.width() - 1);
            let lines = ["state = self.lstm(torch.cat([x, previous], 1), state)", "x = state[0]"];
            torch.forward.extend(lines.map(String::from));
        }
        torch.forward.push("return self.policy(x), state".into());
        Some(torch)
    }

    fn norm(&self) -> Option<&ObsNorm> {
        match &self.trunk {
            Trunk::Mlp { norm, .. } => norm.as_ref(),
            Trunk::Conv(_) => None,
        }
    }
}
