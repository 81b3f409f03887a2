//! A batch as policy-gradient algorithms use it.
//!
//! Tensors are views of the block, or copies where the model is on an accelerator. The estimators work on vectors in host memory. Steps are numbered `t * B + b`.
use crate::error::AlgoError;
use crate::requires::leaf;
use crate::steps::numbers;
use agents::model::ModelInput;
use agents::pg::VALUE;
use rlcore::block::{Columns, flag};
use rlcore::cells::Tree;
use tch::{Device, Kind, Tensor};

/// One batch of T time steps by B environments.
#[derive(Debug)]
pub struct Batch {
    /// Time steps.
    pub t: usize,
    /// Environments.
    pub b: usize,
    /// Rewards `[T * B]`.
    pub reward: Vec<f32>,
    /// `[T * B]`, 0 or 1: the episode terminated at this step.
    pub terminated: Vec<u8>,
    /// `[T * B]`, 0 or 1: the episode was truncated at this step.
    pub truncated: Vec<u8>,
    /// `[T * B]`: 1 for steps to learn from.
    pub valid: Vec<u8>,
    /// `V(s_t)` `[T * B]`, recorded while sampling.
    pub value: Vec<f32>,
    /// Advantages `[T * B]`, by which the policy's loss weighs log-likelihoods; filled in by an estimator.
    pub advantage: Vec<f64>,
    /// Targets of the value function `[T * B]`; filled in by an estimator.
    pub return_: Vec<f64>,
    pub(super) inputs: Inputs,
    /// `[T, B, ...]`: the drawn actions in the form that the distribution's likelihood takes.
    pub(super) drawn: Tensor,
    /// `[T, B]`: log-likelihoods of the actions when they were taken.
    pub(super) old_log_likelihood: Tensor,
}

/// Inputs of a model: leaves `[T, B, ...]`, and the state before the first row `[B, ...]`. A model without a state has the observation
/// alone, `[N, ...]` in minibatches.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) observation: Vec<Tensor>,
    /// The further inputs of a recurrent model.
    pub(super) past: Option<Past>,
}

#[derive(Debug)]
pub(super) struct Past {
    pub(super) prev_action: Vec<Tensor>,
    pub(super) prev_reward: Tensor,
    pub(super) state: Vec<Tensor>,
    /// `[T, B]`: 1 where the state is zeroed before the step.
    pub(super) reset: Tensor,
}

impl Inputs {
    /// The inputs in the form that models take. `nothing`: an empty tensor, in place of what a feed-forward model does not take.
    pub(super) fn lend<'a>(&'a self, nothing: &'a Tensor) -> ModelInput<'a> {
        match &self.past {
            None => ModelInput::of(&self.observation, nothing),
            Some(past) => ModelInput {
                observation: &self.observation,
                prev_action: &past.prev_action,
                prev_reward: &past.prev_reward,
                state: &past.state,
                reset: Some(&past.reset),
            },
        }
    }
}

impl Batch {
    /// `drawn` and `old_log_likelihood` come from the distribution, see the fields. `recurrent`: the model has a state.
    pub(super) fn new(
        samples: &Columns,
        drawn: Tensor,
        old_log_likelihood: Tensor,
        recurrent: bool,
        device: Device,
    ) -> Result<Self, AlgoError> {
        let (t, b) = (samples.reward.rows(), samples.reward.columns());
        let flags = |leaf| numbers::<u8>(&samples.flags, leaf);
        let (terminated, truncated) = (flags(flag::TERMINATED), flags(flag::TRUNCATED));
        let steps = |tree: &Tree| -> Vec<Tensor> {
            let leaves = tree.tensors();
            leaves.iter().map(|leaf| leaf.narrow(0, 0, t as i64).to_device(device)).collect()
        };
        let past = recurrent.then(|| {
            let done = |i: usize| f32::from(terminated[i] | truncated[i]);
            // Not in row 0: its recorded state has been zeroed already.
            let reset: Vec<f32> =
                (0..t * b).map(|i| if i < b { 0.0 } else { done(i - b) }).collect();
            let states = samples.agent_state.tensors();
            Past {
                prev_action: steps(&samples.prev_action),
                prev_reward: steps(&samples.prev_reward).remove(0).to_kind(Kind::Float),
                state: states.iter().map(|s| s.get(0).to_device(device)).collect(),
                reset: Tensor::from_slice(&reset).view([t as i64, b as i64]).to_device(device),
            }
        });
        let value = leaf(&samples.agent_info, VALUE)?;
        Ok(Self {
            inputs: Inputs { observation: steps(&samples.observation), past },
            reward: numbers(&samples.reward, 0),
            valid: flags(flag::VALID),
            value: numbers(&samples.agent_info, value),
            advantage: vec![0.0; t * b],
            return_: vec![0.0; t * b],
            t,
            b,
            terminated,
            truncated,
            drawn,
            old_log_likelihood,
        })
    }

    /// Sets the targets of the value function to `advantage + value`.
    pub fn returns_from_advantages(&mut self) {
        let sums = self.advantage.iter().zip(&self.value).map(|(a, v)| a + f64::from(*v));
        self.return_ = sums.collect();
    }
}
