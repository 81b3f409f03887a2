//! Values of the final observations of truncated episodes.
//!
//! The block keeps those observations, and the learner computes their values with the weights that the batch was sampled with. A
//! recurrent model needs its state there: the state is carried through the batch up to each truncated step, whose action and reward
//! are then the previous action and reward. rlpyt treats truncated episodes as terminated.
use super::batch::{Batch, Inputs, Past};
use super::learner::Learner;
use crate::error::AlgoError;
use crate::steps::{Final, finals};
use rlcore::block::Columns;
use rlcore::cells::Tree;
use tch::{Tensor, no_grad_guard};

/// `[T * B]`: the value of the final observation at truncated steps, 0 elsewhere.
pub(super) fn values(
    learner: &Learner,
    batch: &Batch,
    samples: &Columns,
) -> Result<Vec<f32>, AlgoError> {
    let _guard = no_grad_guard();
    let mut values = vec![0.0; batch.t * batch.b];
    let capacity = samples.final_observation.rows();
    let finals = finals(&batch.terminated, &batch.truncated, batch.b, capacity)?;
    if finals.is_empty() {
        return Ok(values);
    }
    let device = learner.params().device();
    let pick = |tree: &Tree, index: Vec<i64>| -> Vec<Tensor> {
        let index = Tensor::from_slice(&index);
        let leaves = tree.tensors();
        leaves.iter().map(|l| l.flatten(0, 1).index_select(0, &index).to_device(device)).collect()
    };
    let number = |t: usize, column: usize| (t * batch.b + column) as i64;
    let observations = |finals: &[Final]| {
        pick(&samples.final_observation, finals.iter().map(|f| number(f.slot, f.column)).collect())
    };
    let mut put = |finals: &[Final], inputs: &Inputs| {
        let found = learner.values(inputs);
        for (f, value) in finals.iter().zip(found) {
            values[f.t * batch.b + f.column] = value;
        }
    };
    let Some(past) = &batch.inputs.past else {
        put(&finals, &Inputs { observation: observations(&finals), past: None });
        return Ok(values);
    };
    let mut state: Vec<Tensor> = past.state.iter().map(Tensor::shallow_clone).collect();
    let mut from = 0;
    for group in finals.chunk_by(|a, b| a.t == b.t) {
        let rows = (group[0].t + 1 - from) as i64;
        let part = |t: &Tensor| t.narrow(0, from as i64, rows);
        let parts = |leaves: &[Tensor]| leaves.iter().map(part).collect();
        let inputs = Inputs {
            observation: parts(&batch.inputs.observation),
            past: Some(Past {
                prev_action: parts(&past.prev_action),
                prev_reward: part(&past.prev_reward),
                state,
                reset: part(&past.reset),
            }),
        };
        state = learner.forward(&inputs).state;
        from = group[0].t + 1;

        let columns: Vec<i64> = group.iter().map(|f| f.column as i64).collect();
        let columns = Tensor::from_slice(&columns).to_device(device);
        let step = |tree: &Tree| pick(tree, group.iter().map(|f| number(f.t, f.column)).collect());
        let row = |leaves: Vec<Tensor>| -> Vec<Tensor> {
            leaves.iter().map(|l| l.unsqueeze(0)).collect()
        };
        let reset = past.reset.narrow(0, 0, 1).index_select(1, &columns).zeros_like();
        let inputs = Inputs {
            observation: row(observations(group)),
            past: Some(Past {
                prev_action: row(step(&samples.action)),
                prev_reward: row(step(&samples.reward)).remove(0),
                state: state.iter().map(|s| s.index_select(0, &columns)).collect(),
                reset,
            }),
        };
        put(group, &inputs);
    }
    Ok(values)
}
