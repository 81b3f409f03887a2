//! Minibatches: steps for feed-forward models, whole environments for recurrent ones.
//!
//! Feed-forward models learn from steps that happened only. Recurrent models see all `[T, n]` steps of an environment, from
//! its recorded state on, and steps that did not happen are masked. Unlike rlpyt's, minibatches of a batch differ by one
//! member at most, and none is dropped.
//!
//! A leaf is permuted once for all minibatches of an epoch, and each takes a view of that: the cost of a minibatch is
//! the model's.
use super::batch::{Batch, Inputs, Past};
use super::loss::Targets;
use super::returns::normalize;
use rand::seq::SliceRandom;
use rlcore::seed::Rng;
use tch::Tensor;

/// A part of a batch. Its targets are flat, `[N]`.
#[derive(Debug)]
pub struct Minibatch {
    pub(super) inputs: Inputs,
    /// `[N, ...]`.
    pub(super) drawn: Tensor,
    /// What the loss compares with.
    pub targets: Targets,
}

/// Whether each minibatch's advantages are shifted and scaled to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalized {
    /// They are.
    Each,
    /// They stay as they are.
    No,
}

impl Batch {
    /// The number of minibatches when the batch is cut into `parts`: 0 where no step happened, fewer than `parts` where there
    /// are fewer members.
    pub fn parts(&self, parts: usize) -> usize {
        let happened = self.valid.iter().filter(|v| **v != 0).count();
        match (happened, &self.inputs.past) {
            (0, _) => 0,
            (_, Some(_)) => parts.min(self.b),
            (_, None) => parts.min(happened),
        }
    }

    /// The batch in `parts` minibatches, shuffled by `draws`, or in order. Empty where no step happened.
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
        if let Some(draws) = draws {
            members.shuffle(draws);
        }
        let cut = |i: usize| i * members.len() / parts;
        let shares: Vec<&[i64]> = (0..parts).map(|i| &members[cut(i)..cut(i + 1)]).collect();
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

/// Which steps go where.
struct Cut<'a> {
    batch: &'a Batch,
    /// Steps of each minibatch.
    steps: Vec<Vec<i64>>,
    sizes: Vec<i64>,
    /// All steps; none where every step stays in its place.
    index: Option<Tensor>,
    /// Rows of time that minibatches have.
    rows: Option<i64>,
}

impl<'a> Cut<'a> {
    fn new(batch: &'a Batch, steps: Vec<Vec<i64>>, rows: Option<i64>) -> Self {
        let all = steps.concat();
        let in_place = all.len() == batch.valid.len() && all.is_sorted();
        let index = Tensor::from_slice(&all).to_device(batch.drawn.device());
        let sizes = steps.iter().map(|s| s.len() as i64).collect();
        Self { batch, steps, sizes, index: (!in_place).then_some(index), rows }
    }

    /// A leaf `[T, B, ...]` as `[N, ...]` for each minibatch.
    fn flat(&self, leaf: &Tensor) -> Vec<Tensor> {
        let all = leaf.flatten(0, 1);
        let all =
            self.index.as_ref().map_or_else(|| all.shallow_clone(), |i| all.index_select(0, i));
        all.split_with_sizes(&self.sizes, 0)
    }

    /// A leaf `[T, B, ...]` as the model sees it.
    fn leaf(&self, leaf: &Tensor) -> Vec<Tensor> {
        let Some(t) = self.rows else { return self.flat(leaf) };
        let rows = |part: Tensor| part.view(&[&[t, -1], &part.size()[1..]].concat()[..]);
        self.flat(leaf).into_iter().map(rows).collect()
    }

    fn leaves(&self, leaves: &[Tensor]) -> Vec<Vec<Tensor>> {
        leaves.iter().map(|leaf| self.leaf(leaf)).collect()
    }

    /// One number for each step, `[N]` for each minibatch.
    fn numbers(&self, of: impl Fn(usize) -> f32) -> Vec<Tensor> {
        let all: Vec<f32> = self.steps.iter().flatten().map(|step| of(*step as usize)).collect();
        let all = Tensor::from_slice(&all).to_device(self.batch.drawn.device());
        all.split_with_sizes(&self.sizes, 0)
    }

    fn advantages(&self, normalized: Normalized) -> Vec<Tensor> {
        let Batch { advantage, valid, .. } = self.batch;
        // A step that did not happen has none, whatever the others were shifted by: zero times it must be zero.
        let of = |all: &[f64], i: usize| if valid[i] == 0 { 0.0 } else { all[i] as f32 };
        if normalized == Normalized::No {
            return self.numbers(|i| of(advantage, i));
        }
        let mut moved = advantage.clone();
        for steps in &self.steps {
            let pick = |i: &i64| (advantage[*i as usize], valid[*i as usize]);
            let (mut values, kept): (Vec<f64>, Vec<u8>) = steps.iter().map(pick).unzip();
            normalize(&mut values, &kept);
            steps.iter().zip(values).for_each(|(i, value)| moved[*i as usize] = value);
        }
        self.numbers(|i| of(&moved, i))
    }

    fn minibatches(&self, shares: &[&[i64]], normalized: Normalized) -> Vec<Minibatch> {
        let Batch { inputs, return_, value, valid, .. } = self.batch;
        let observation = self.leaves(&inputs.observation);
        let past = inputs.past.as_ref().map(|p| {
            (p, self.leaves(&p.prev_action), self.leaf(&p.prev_reward), self.leaf(&p.reset))
        });
        let drawn = self.flat(&self.batch.drawn);
        let old_log_likelihood = self.flat(&self.batch.old_log_likelihood);
        let advantage = self.advantages(normalized);
        let (return_, old_value) =
            (self.numbers(|i| return_[i] as f32), self.numbers(|i| value[i]));
        let masked = self.steps.iter().flatten().any(|i| valid[*i as usize] == 0);
        let valid = masked.then(|| self.numbers(|i| f32::from(valid[i])));

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
