//! What an update is given: values of final observations, advantages, minibatches.
use super::{MEMORY, PLAIN, host, near, ppo};
use crate::pg::batch::{Inputs, Past};
use crate::pg::minibatch::Normalized;
use crate::pg::testing::{Ends, SPEC, Toy, algorithm, block};
use crate::pg::{Batch, Learner, finals};
use rlcore::block::flag;
use tch::Tensor;

fn learner(model: Toy) -> Learner {
    algorithm(ppo(), model, 1000).unwrap().into_learner()
}

/// Each truncated step's value by walking its column one step at a time. Broken by a state that goes on over an end, by the
/// action or reward of another step, by the final observation of another episode.
#[test]
fn truncated_steps_are_worth_their_own_final_observation() {
    for (model, ends) in [(PLAIN, Ends::GoOn), (MEMORY, Ends::GoOn), (MEMORY, Ends::Wait)] {
        let (learner, samples) = (learner(model), block(SPEC, ends, 1));
        let batch = learner.batch(&samples).unwrap();
        let got = finals::values(&learner, &batch, &samples).unwrap();
        let mut seen = 0;
        for b in 0..SPEC.b {
            let mut h = samples.agent_state.tensors()[0].get(0).narrow(0, b as i64, 1);
            let mut slot = 0;
            for t in 0..SPEC.t {
                let cell =
                    |t: &Tensor, row: usize| t.narrow(0, row as i64, 1).narrow(1, b as i64, 1);
                let step = |observation: Tensor, action: Tensor, reward: Tensor, h: &Tensor| {
                    let past = Past {
                        prev_action: vec![action],
                        prev_reward: reward.shallow_clone(),
                        state: vec![h.shallow_clone()],
                        reset: reward.zeros_like(),
                    };
                    let past = model.remembers.then_some(past);
                    let observation =
                        vec![if model.remembers { observation } else { observation.get(0) }];
                    learner.forward(&Inputs { observation, past })
                };
                let out = step(
                    cell(&samples.observation.tensors()[0], t),
                    cell(&samples.prev_action.tensors()[0], t),
                    cell(&samples.prev_reward.tensors()[0], t),
                    &h,
                );
                h = out.state.first().map_or(h, Tensor::shallow_clone);
                let flags = samples.flags.cell(t, b);
                let (terminated, truncated) =
                    (flags.u8(flag::TERMINATED)[0], flags.u8(flag::TRUNCATED)[0]);
                let want = if truncated == 1 && terminated == 0 {
                    let last = step(
                        cell(&samples.final_observation.tensors()[0], slot),
                        cell(&samples.action.tensors()[0], t),
                        cell(&samples.reward.tensors()[0], t),
                        &h,
                    );
                    (slot, seen) = (slot + 1, seen + 1);
                    host(&last.value)[0]
                } else {
                    0.0
                };
                near(&[got[t * SPEC.b + b]], &[want]);
                if terminated + truncated > 0 {
                    h = h.zeros_like();
                }
            }
        }
        assert!(seen > 3, "{seen}");
    }
}

fn steps_of(batch: &Batch, part: &Tensor) -> Vec<usize> {
    // Returns are numbered below, so that a part says which steps it has.
    assert_eq!(batch.return_.len(), SPEC.steps());
    host(part).into_iter().map(|x| x as usize).collect()
}

/// Broken by shifting what did not happen along with what did: infinity times a mask of zero is NaN.
#[test]
fn steps_that_did_not_happen_have_no_advantage() {
    let (learner, samples) = (learner(MEMORY), block(SPEC, Ends::Wait, 2));
    let mut batch = learner.batch(&samples).unwrap();
    batch.advantage = (0..SPEC.steps()).map(|i| 5.0 + i as f64).collect();
    for normalized in [Normalized::Each, Normalized::No] {
        let part = batch.minibatches(1, None, normalized).remove(0);
        let valid = host(part.targets.valid.as_ref().unwrap());
        assert!(valid.contains(&0.0));
        let skipped =
            host(&part.targets.advantage).into_iter().zip(valid).filter(|(_, v)| *v == 0.0);
        assert!(skipped.into_iter().all(|(advantage, _)| advantage == 0.0));
    }
}

/// Every step that happened is in one minibatch, with its own inputs; the others are in none, or masked. Broken by a dropped
/// remainder, by leaves permuted differently.
#[test]
fn minibatches_share_out_a_batch() {
    for (model, ends) in
        [(PLAIN, Ends::GoOn), (PLAIN, Ends::Wait), (MEMORY, Ends::GoOn), (MEMORY, Ends::Wait)]
    {
        let (learner, samples) = (learner(model), block(SPEC, ends, 2));
        let mut batch = learner.batch(&samples).unwrap();
        batch.return_ = (0..SPEC.steps()).map(|i| i as f64).collect();
        let whole = batch.minibatches(1, None, Normalized::No).remove(0);
        let whole_steps = steps_of(&batch, &whole.targets.return_);
        let outputs = learner.outputs(&whole);
        let [all_values, all_likelihoods] = [&outputs.value, &outputs.log_likelihood].map(host);
        for parts in [1, 2, 3, 5] {
            let mut seen = vec![0; SPEC.steps()];
            let mut sizes = vec![];
            for part in batch.minibatches(parts, Some(&mut learner.draws()), Normalized::No) {
                let steps = steps_of(&batch, &part.targets.return_);
                sizes.push(steps.len());
                let valid = part.targets.valid.as_ref().map_or(vec![1.0; steps.len()], host);
                let of = |all: &[f32]| -> Vec<f32> {
                    let place = |s: &usize| whole_steps.iter().position(|w| w == s).unwrap();
                    steps.iter().map(|s| all[place(s)]).collect()
                };
                let outputs = learner.outputs(&part);
                near(&host(&outputs.value), &of(&all_values));
                near(&host(&outputs.log_likelihood), &of(&all_likelihoods));
                for (s, valid) in steps.iter().zip(valid) {
                    assert_eq!(valid, f32::from(batch.valid[*s]), "step {s}");
                    seen[*s] += u8::from(valid == 1.0);
                }
                let old: Vec<f32> = steps.iter().map(|s| batch.value[*s]).collect();
                assert_eq!(host(&part.targets.old_value), old);
            }
            assert_eq!(seen, batch.valid);
            assert_eq!(sizes.len(), parts);
            let unit = if model.remembers { SPEC.t } else { 1 };
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= unit, "{sizes:?}");
        }
    }
}
