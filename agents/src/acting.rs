//! Turns the rows of one time step into the input of a model, for all agents that have a model.
use crate::model::ModelInput;
use crate::staging::Staging;
use tch::{Device, Kind, Tensor};

/// Copies rows to the model's device and gives them the shapes of [`ModelInput`].
#[derive(Debug)]
pub(crate) struct Acting {
    /// None where the model is on the CPU, and reads the sample block directly.
    staging: Option<Staging>,
    recurrent: bool,
    nothing: Tensor,
}

impl Acting {
    /// `recurrent`: the model has a state.
    pub(crate) fn new(device: Device, recurrent: bool) -> Self {
        let nothing = Tensor::zeros([0], (Kind::Float, device));
        Self { staging: Staging::unless_cpu(device), recurrent, nothing }
    }

    /// Whether the model is on another device than the CPU.
    pub(crate) fn is_staged(&self) -> bool {
        self.staging.is_some()
    }

    /// Calls `model` with `rows`, whose leaves are `[N, ...]` on the CPU.
    pub(crate) fn run<R>(
        &mut self,
        rows: &ModelInput<'_>,
        model: impl FnOnce(&ModelInput<'_>) -> R,
    ) -> R {
        let Some(staging) = &mut self.staging else {
            return shaped(self.recurrent, rows, &self.nothing, model);
        };
        let mut leaves: Vec<&Tensor> = rows.observation.iter().collect();
        if self.recurrent {
            leaves.extend(rows.prev_action);
            leaves.push(rows.prev_reward);
            leaves.extend(rows.state);
        }
        let sent = staging.send(&leaves);
        let (observation, rest) = sent.split_at(rows.observation.len());
        let there = if self.recurrent {
            let (prev_action, rest) = rest.split_at(rows.prev_action.len());
            let (prev_reward, state) = (&rest[0], &rest[1..]);
            ModelInput { observation, prev_action, prev_reward, state, reset: None }
        } else {
            ModelInput::of(observation, &self.nothing)
        };
        shaped(self.recurrent, &there, &self.nothing, model)
    }

    #[cfg(test)]
    pub(crate) fn stage_on_cpu(&mut self) {
        self.staging = Some(Staging::new(Device::Cpu));
    }
}

/// Calls `model` with leading dimension `[N]` for feed-forward models and `[1, N]` for recurrent ones.
fn shaped<R>(
    recurrent: bool,
    rows: &ModelInput<'_>,
    nothing: &Tensor,
    model: impl FnOnce(&ModelInput<'_>) -> R,
) -> R {
    if !recurrent {
        return model(&ModelInput::of(rows.observation, nothing));
    }
    let row =
        |leaves: &[Tensor]| -> Vec<Tensor> { leaves.iter().map(|l| l.unsqueeze(0)).collect() };
    model(&ModelInput {
        observation: &row(rows.observation),
        prev_action: &row(rows.prev_action),
        prev_reward: &rows.prev_reward.unsqueeze(0),
        state: rows.state,
        reset: None,
    })
}
