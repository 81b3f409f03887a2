//! Minibatches: steps for feed-forward models, whole environments for recurrent ones.
//!
//! Feed-forward models learn from valid steps only. Recurrent models see all `[T, n]` steps of n environments, from the recorded
//! state on, and invalid steps are masked. Differs from rlpyt: the minibatches of a batch differ in size by at most one member, and no
//! member is dropped.
use super::batch::{Batch, Inputs, Past};
use super::loss::Targets;
use crate::passes::{self, shares};
use crate::returns::normalize;
use rlcore::seed::Rng;
use tch::Tensor;

/// A part of a batch. Its targets are flat, `[N]`.
#[derive(Debug)]
pub struct Minibatch {
    pub(super) inputs: Inputs,
    /// `[N, ...]`.
    pub(super) drawn: Tensor,
    /// What the loss compares the model's outputs with.
    pub targets: Targets,
}

/// Whether the advantages of each minibatch are normalised to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalized {
    /// Each minibatch by itself.
    Each,
    /// Not at all.
    No,
}

impl Batch {
    /// The number of minibatches when `parts` are asked for: 0 where no step is valid, fewer than `parts` where there are fewer members
    /// (valid steps, or environments for recurrent models).
    pub fn parts(&self, parts: usize) -> usize {
        let happened = self.valid.iter().filter(|v| **v != 0).count();
        match (happened, &self.inputs.past) {
            (0, _) => 0,
            (_, Some(_)) => parts.min(self.b),
            (_, None) => parts.min(happened),
        }
    }

    /// The batch cut into `parts` minibatches, shuffled by `draws`, or in order without. Empty where no step is valid.
    pub fn minibatches(
        &self,
        parts: usize,
        draws: Option<&mut Rng>,
        normalized: Normalized,
    ) -> Vec<Minibatch> {
        let parts = self.parts(parts);
        if parts == 0 {
            return vec![];
        }
        let mut members: Vec<i64> = match self.inputs.past {
            Some(_) => (0..self.b as i64).collect(),
            None => {
                (0..(self.t * self.b) as i64).filter(|i| self.valid[*i as usize] != 0).collect()
            }
        };
        let shares = shares(&mut members, parts, draws);
        let cut = if self.inputs.past.is_some() {
            let row = |t: usize, envs: &[i64]| -> Vec<i64> {
                envs.iter().map(|e| (t * self.b) as i64 + e).collect()
            };
            let steps = |envs: &&[i64]| (0..self.t).flat_map(|t| row(t, envs)).collect();
            Cut::new(self, shares.iter().map(steps).collect(), Some(self.t as i64))
        } else {
            Cut::new(self, shares.iter().map(|s| s.to_vec()).collect(), None)
        };
        cut.minibatches(&shares, normalized)
    }
}

/// The assignment of steps to minibatches, and how a leaf is cut by it.
struct Cut<'a> {
    batch: &'a Batch,
    cut: passes::Cut,
    /// Time steps per minibatch of a recurrent model.
    rows: Option<i64>,
}

impl<'a> Cut<'a> {
    fn new(batch: &'a Batch, steps: Vec<Vec<i64>>, rows: Option<i64>) -> Self {
        let cut = passes::Cut::new(steps, batch.valid.len(), batch.drawn.device());
        Self { batch, cut, rows }
    }

    /// A leaf `[T, B, ...]` in the model's shape: `[T, n, ...]` for recurrent models, else `[N, ...]`.
    fn leaf(&self, leaf: &Tensor) -> Vec<Tensor> {
        let Some(t) = self.rows else { return self.cut.leaf(leaf) };
        let rows = |part: Tensor| part.view(&[&[t, -1], &part.size()[1..]].concat()[..]);
        self.cut.leaf(leaf).into_iter().map(rows).collect()
    }

    fn leaves(&self, leaves: &[Tensor]) -> Vec<Vec<Tensor>> {
        leaves.iter().map(|leaf| self.leaf(leaf)).collect()
    }

    fn advantages(&self, normalized: Normalized) -> Vec<Tensor> {
        let Batch { advantage, valid, .. } = self.batch;
        // An invalid step's advantage must be finite, since it is multiplied with a mask of zero.
        let of = |all: &[f64], i: usize| if valid[i] == 0 { 0.0 } else { all[i] as f32 };
        if normalized == Normalized::No {
            return self.cut.numbers(|i| of(advantage, i));
        }
        let mut moved = advantage.clone();
        for steps in &self.cut.steps {
            let pick = |i: &i64| (advantage[*i as usize], valid[*i as usize]);
            let (mut values, kept): (Vec<f64>, Vec<u8>) = steps.iter().map(pick).unzip();
            normalize(&mut values, &kept);
            steps.iter().zip(values).for_each(|(i, value)| moved[*i as usize] = value);
        }
        self.cut.numbers(|i| of(&moved, i))
    }

    fn minibatches(&self, shares: &[&[i64]], normalized: Normalized) -> Vec<Minibatch> {
        let Batch { inputs, return_, value, valid, .. } = self.batch;
        let observation = self.leaves(&inputs.observation);
        let past = inputs.past.as_ref().map(|p| {
            (p, self.leaves(&p.prev_action), self.leaf(&p.prev_reward), self.leaf(&p.reset))
        });
        let drawn = self.cut.leaf(&self.batch.drawn);
        let old_log_likelihood = self.cut.leaf(&self.batch.old_log_likelihood);
        let advantage = self.advantages(normalized);
        let (return_, old_value) =
            (self.cut.numbers(|i| return_[i] as f32), self.cut.numbers(|i| value[i]));
        let masked = self.cut.steps.iter().flatten().any(|i| valid[*i as usize] == 0);
        let valid = masked.then(|| self.cut.numbers(|i| f32::from(valid[i])));

        let part = |m: usize| {
            let of = |parts: &[Tensor]| parts[m].shallow_clone();
            let each = |leaves: &[Vec<Tensor>]| leaves.iter().map(|l| of(l)).collect();
            let past = past.as_ref().map(|(past, prev_action, prev_reward, reset)| {
                let envs = Tensor::from_slice(shares[m]).to_device(reset[m].device());
                Past {
                    prev_action: each(prev_action),
                    prev_reward: of(prev_reward),
                    state: past.state.iter().map(|s| s.index_select(0, &envs)).collect(),
                    reset: of(reset),
                }
            });
            let targets = Targets {
                old_log_likelihood: of(&old_log_likelihood),
                advantage: of(&advantage),
                return_: of(&return_),
                old_value: of(&old_value),
                valid: valid.as_ref().map(|v| of(v)),
            };
            Minibatch {
                inputs: Inputs { observation: each(&observation), past },
                drawn: of(&drawn),
                targets,
            }
        };
        (0..shares.len()).map(part).collect()
    }
}
