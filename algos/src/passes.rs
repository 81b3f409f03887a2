//! Passes over a batch, cut into minibatches, each of which is an update.
//!
//! Shared by all on-policy algorithms. [`Passes`] holds the position within a batch, so that `learn` can stop between any two updates;
//! [`shares`] assigns steps to minibatches, and [`Cut`] cuts the leaves accordingly.
use crate::error::AlgoError;
use rand::seq::SliceRandom;
use rlcore::World;
use rlcore::seed::Rng;
use std::collections::VecDeque;
use tch::{Device, Tensor};

/// The updates that remain to be made from a batch. `M` is the type of a minibatch.
#[derive(Debug)]
pub(crate) struct Passes<M> {
    /// Minibatches per pass.
    parts: usize,
    /// Passes that have not begun yet.
    epochs: usize,
    /// Minibatches that remain of the pass under way.
    minibatches: VecDeque<M>,
}

impl<M> Passes<M> {
    /// `epochs` passes of `parts` minibatches each; none at all where `parts` is 0.
    pub(crate) fn new(epochs: usize, parts: usize) -> Self {
        Self { parts, epochs: if parts == 0 { 0 } else { epochs }, minibatches: VecDeque::new() }
    }

    /// Number of updates that remain.
    pub(crate) fn due(&self) -> u64 {
        let begun = self.minibatches.len() as u64;
        (self.epochs as u64).saturating_mul(self.parts as u64).saturating_add(begun)
    }

    /// The minibatch of the next update; none after the last one. `begin` cuts the batch into minibatches for a new pass.
    pub(crate) fn next(&mut self, begin: impl FnOnce() -> Vec<M>) -> Option<M> {
        if self.minibatches.is_empty() && self.epochs > 0 {
            self.epochs -= 1;
            self.minibatches = begin().into();
        }
        self.minibatches.pop_front()
    }

    /// Whether no pass is under way.
    pub(crate) fn is_between(&self) -> bool {
        self.minibatches.is_empty()
    }

    /// Drops the updates that remain.
    pub(crate) fn stop(&mut self) {
        (self.epochs, self.minibatches) = (0, VecDeque::new());
    }
}

/// An error where a batch comes while `due` updates of the last one are left.
pub(crate) fn refuse_batch(due: u64) -> Result<(), AlgoError> {
    match due {
        0 => Ok(()),
        due => Err(AlgoError::Samples(format!(
            "a batch came while {due} updates of the last one were due: call `learn` until `due` is 0"
        ))),
    }
}

/// An error where a batch of one of several replicas holds no minibatch: the others would wait for its gradients.
pub(crate) fn something_to_learn(parts: usize, world: World) -> Result<(), AlgoError> {
    if parts > 0 || world.size == 1 {
        return Ok(());
    }
    Err(AlgoError::Samples(
        "the batch holds no step to learn from, and each of several replicas must make the same updates: raise sampler.t, so that an episode ends in every batch".into(),
    ))
}

/// Divides `members` into `parts` shares whose sizes differ by at most one, shuffled by `draws` or, without, in order. `parts` is at
/// least 1.
pub(crate) fn shares<'a>(
    members: &'a mut [i64],
    parts: usize,
    draws: Option<&mut Rng>,
) -> Vec<&'a [i64]> {
    if let Some(draws) = draws {
        members.shuffle(draws);
    }
    let members = &*members;
    let cut = |i: usize| i * members.len() / parts;
    (0..parts).map(|i| &members[cut(i)..cut(i + 1)]).collect()
}

/// The assignment of the steps (`t * B + b`) of a `[T, B]` batch to minibatches.
///
/// A leaf is permuted once for all minibatches of a pass, and each minibatch is a view of the result, so that the model is nearly all of
/// a minibatch's cost.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Steps of each minibatch.
    pub(crate) steps: Vec<Vec<i64>>,
    sizes: Vec<i64>,
    /// All steps, one minibatch after the other; none where that is the order in the batch.
    index: Option<Tensor>,
    device: Device,
}

impl Cut {
    /// `all`: number of steps of the whole batch, T * B. `device`: device of the leaves.
    pub(crate) fn new(steps: Vec<Vec<i64>>, all: usize, device: Device) -> Self {
        let order = steps.concat();
        let in_place = order.len() == all && order.is_sorted();
        let index = (!in_place).then(|| Tensor::from_slice(&order).to_device(device));
        let sizes = steps.iter().map(|s| s.len() as i64).collect();
        Self { steps, sizes, index, device }
    }

    /// A leaf `[T, B, ...]` as `[N, ...]` for each minibatch.
    pub(crate) fn leaf(&self, leaf: &Tensor) -> Vec<Tensor> {
        let all = leaf.flatten(0, 1);
        let all =
            self.index.as_ref().map_or_else(|| all.shallow_clone(), |i| all.index_select(0, i));
        all.split_with_sizes(&self.sizes, 0)
    }

    /// One number per step, as `[N] f32` for each minibatch.
    pub(crate) fn numbers(&self, of: impl Fn(usize) -> f32) -> Vec<Tensor> {
        let all: Vec<f32> = self.steps.iter().flatten().map(|step| of(*step as usize)).collect();
        Tensor::from_slice(&all).to_device(self.device).split_with_sizes(&self.sizes, 0)
    }
}
