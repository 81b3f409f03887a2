//! The algorithms on blocks of random steps.
use super::batch::{Inputs, Past};
use super::minibatch::Normalized;
use super::testing::{Ends, SPEC, Toy, algorithm, block, leased};
use super::{Batch, Learner, finals};
use crate::{
    A2cConfig, Algo, NormalizeAdvantage, PpoConfig, ReinforceConfig, Restored, SaveScope, Saved,
};
use rlcore::GlobalSteps;
use rlcore::block::{Lease, flag};
use tch::Tensor;

const PLAIN: Toy = Toy { remembers: false, normalises: true };
/// After the first batch.
const NOW: GlobalSteps = GlobalSteps(84);
const MEMORY: Toy = Toy { remembers: true, normalises: true };

fn ppo() -> PpoConfig {
    PpoConfig { minibatches: 3, epochs: 2, learning_rate: 0.01, ..Default::default() }
}

fn host(t: &Tensor) -> Vec<f32> {
    Vec::<f32>::try_from(t.detach().reshape([-1])).unwrap()
}

fn near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
}

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

/// Two whole runs against one that is saved and loaded in the middle, for every algorithm. Broken by any state that is not
/// saved, to the bit: moments of Adam, its step count, observation statistics, the number of updates.
#[test]
fn a_loaded_algorithm_continues_to_the_bit() {
    let minibatch = NormalizeAdvantage::Minibatch;
    let normalized = PpoConfig { normalize_advantage: minibatch, target_kl: Some(0.01), ..ppo() };
    for model in [PLAIN, MEMORY] {
        let make = || -> Vec<Box<dyn Algo>> {
            vec![
                Box::new(algorithm(ppo(), model, 1000).unwrap()),
                Box::new(algorithm(normalized.clone(), model, 1000).unwrap()),
                Box::new(algorithm(A2cConfig::default(), model, 1000).unwrap()),
                Box::new(algorithm(ReinforceConfig::default(), model, 1000).unwrap()),
            ]
        };
        for (mut straight, mut resumed) in make().into_iter().zip(make()) {
            let batch =
                |i: u64| leased(SPEC, if i.is_multiple_of(2) { Ends::GoOn } else { Ends::Wait }, i);
            let steps = |i: u64| GlobalSteps((i + 1) * SPEC.steps() as u64);
            let learn = |algo: &mut dyn Algo, i| algo.optimize(batch(i), steps(i)).unwrap();
            let begun = weights(&*straight);
            (0..3).for_each(|i| drop(learn(&mut *straight, i)));
            assert_ne!(weights(&*straight), begun);
            {
                let Saved { arrays, values } = straight.save(SaveScope::Everything).unwrap();
                // As a checkpoint does: through text.
                let values = serde_json::from_str(&values.to_string()).unwrap();
                resumed.load(&Restored { arrays: &arrays, values }).unwrap();
            }
            for i in 3..6 {
                assert_eq!(learn(&mut *straight, i), learn(&mut *resumed, i));
            }
            assert_eq!(weights(&*straight), weights(&*resumed));
            assert_eq!(straight.updates(), resumed.updates());
        }
    }
}

fn weights(algo: &dyn Algo) -> Vec<f32> {
    host(algo.params().flat())
}

#[test]
fn schedules_end_with_the_budget() {
    let run = |config: PpoConfig, env_steps: u64| {
        let mut algo = algorithm(config, PLAIN, 1000).unwrap();
        let begun = host(&algo.params_mut().trained_mut());
        let info = algo.optimize(leased(SPEC, Ends::GoOn, 3), GlobalSteps(env_steps)).unwrap();
        let ended = host(&algo.params_mut().trained_mut());
        let moved = begun.iter().zip(&ended).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        (moved, info)
    };
    // Adam's first step has the size of the learning rate.
    let one = PpoConfig { minibatches: 1, epochs: 1, ..ppo() };
    let batch = SPEC.steps() as u64;
    assert!((run(one.clone(), batch).0 - 0.01).abs() < 1e-4, "all of the budget is left");
    assert!((run(one.clone(), batch + 500).0 - 0.005).abs() < 1e-4, "half of it");
    assert_eq!(run(one.clone(), batch + 1000).0, 0.0, "nothing");
    let constant = PpoConfig { linear_lr_schedule: false, ..one };
    assert!((run(constant, batch + 1000).0 - 0.01).abs() < 1e-4);
}

/// Broken by a look after the update, or after the whole pass: with one pass there would be no limit at all.
#[test]
fn updates_end_where_the_policy_has_moved_too_far() {
    for epochs in [1, 5] {
        let kls = |target_kl| {
            let config = PpoConfig { epochs, target_kl, ..ppo() };
            let mut algo = algorithm(config, PLAIN, 1000).unwrap();
            let info = algo.optimize(leased(SPEC, Ends::GoOn, 3), NOW).unwrap();
            assert_eq!(algo.due(), 0);
            let kl = info.into_iter().find(|(name, _)| *name == "kl").map_or(vec![], |(_, v)| v);
            assert_eq!(kl.len() as u64, algo.updates());
            kl
        };
        let all = kls(None);
        assert_eq!(all.len(), 3 * epochs);
        assert_eq!(kls(Some(1e9)), all);
        // The batch was not drawn from this policy, so that even the first minibatch is some way off.
        assert_eq!(kls(Some(all[0] * 0.99)), [0.0; 0]);
        for (i, kl) in all.iter().enumerate() {
            let first = all.iter().position(|k| *k > kl * 0.999).unwrap();
            assert_eq!(kls(Some(kl * 0.999)), all[..first], "{i}");
        }
    }
}

/// Where the work stands lies in the algorithm: cut into calls of `learn`, it gives the same bits. Broken by draws that
/// depend on the call, by a log that loses an update, by a lease that is given back too early.
#[test]
fn learning_can_stop_between_any_two_updates() {
    for (model, target_kl) in [(PLAIN, None), (MEMORY, None), (PLAIN, Some(0.3))] {
        let config = PpoConfig { target_kl, ..ppo() };
        let make = || algorithm(config.clone(), model, 1000).unwrap();
        let batch = |i| leased(SPEC, if i == 0 { Ends::GoOn } else { Ends::Wait }, i);
        let (mut whole, mut cut) = (make(), make());
        for i in 0..3 {
            let now = GlobalSteps((i + 1) * SPEC.steps() as u64);
            let want = whole.optimize(batch(i), now).unwrap();
            assert_eq!(whole.due(), 0);
            cut.take_in(batch(i), now).unwrap();
            let mut got: crate::OptInfo = want.iter().map(|(name, _)| (*name, vec![])).collect();
            for at_most in [0, 1, 2, 1, 1, 1, 1] {
                let (due, before) = (cut.due(), cut.updates());
                if due > 0 {
                    assert!(cut.save(SaveScope::Everything).is_err(), "half a batch");
                    assert!(cut.take_in(batch(i), now).is_err(), "one batch at a time");
                }
                let info = cut.learn(at_most).unwrap();
                assert!(cut.updates() - before <= at_most.min(due));
                for (name, values) in info {
                    got.iter_mut().find(|(n, _)| *n == name).unwrap().1.extend(values);
                }
            }
            assert_eq!((cut.due(), cut.updates()), (0, whole.updates()));
            assert_eq!(got, want);
            assert_eq!(weights(&whole), weights(&cut));
        }
    }
}

/// The gradient is averaged before it is clipped: two replicas that average by hand move as one that has the mean gradient.
/// Broken by a mean of clipped gradients, or of none.
#[test]
fn replicas_average_their_gradients() {
    use crate::{Alone, Average, LearnContext, Trained, TrainedSettings};
    use agents::params::{Init, ParamBuilder};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Meet(Vec<f32>);
    impl Average for Meet {
        fn mean(&self, gradient: &mut Tensor) -> Result<(), crate::AlgoError> {
            *gradient = (&*gradient + Tensor::from_slice(&self.0)) / 2.0;
            Ok(())
        }
    }

    let spaces = super::testing::spaces();
    let mut builder = ParamBuilder::default();
    let id = builder.add("w", &[3], Init::Uniform(1.0));
    let specs = builder.finish().unwrap();
    let settings =
        TrainedSettings { learning_rate: 0.1, adam_eps: 1e-8, clip_grad_norm: Some(0.5) };
    let trained = |average: Arc<dyn Average>| {
        let context =
            LearnContext { average, ..LearnContext::new(&spaces, SPEC, GlobalSteps(1), 3) };
        Trained::new(&specs, 0, settings, &context).unwrap()
    };
    let slopes = [[3f32, -1.0, 0.5], [-2.5, 8.0, 0.25]];
    let loss = |t: &Trained, slope: &[f32]| t.params().get(id).dot(&Tensor::from_slice(slope));
    let meets = slopes.map(|own| {
        let other = if own == slopes[0] { slopes[1] } else { slopes[0] };
        Arc::new(Meet(other.to_vec()))
    });
    let mut replicas = meets.map(|meet| trained(meet));
    let mut one = trained(Arc::new(Alone));
    let mean: Vec<f32> = slopes[0].iter().zip(slopes[1]).map(|(a, b)| (a + b) / 2.0).collect();
    for _ in 0..5 {
        let norm = one.descend(&loss(&one, &mean)).unwrap();
        for (replica, slope) in replicas.iter_mut().zip(&slopes) {
            let own = replica.descend(&loss(replica, slope)).unwrap();
            assert_eq!(own, norm);
            assert_eq!(host(replica.params().flat()), host(one.params().flat()));
        }
    }
}

#[test]
fn nothing_to_learn_from_is_no_update() {
    let mut samples = block(SPEC, Ends::GoOn, 4);
    for t in 0..SPEC.t {
        for b in 0..SPEC.b {
            let mut flags = samples.flags.cell_mut(t, b);
            flags.u8(flag::TERMINATED)[0] = 0;
            flags.u8(flag::TRUNCATED)[0] = 0;
        }
    }
    let mut reinforce = algorithm(ReinforceConfig::default(), PLAIN, 1000).unwrap();
    let (version, seen) = (reinforce.version(), weights(&reinforce));
    reinforce.optimize(Lease::unslotted(samples), NOW).unwrap();
    assert_eq!(reinforce.updates(), 0, "no episode has ended");
    assert_ne!(weights(&reinforce), seen, "the statistics of observations move all the same");
    assert_ne!(reinforce.version(), version, "so there is something to publish");
    let mut samples = block(SPEC, Ends::GoOn, 4);
    samples.flags.zero();
    let mut ppo = algorithm(ppo(), PLAIN, 1000).unwrap();
    ppo.optimize(Lease::unslotted(samples), NOW).unwrap();
    assert_eq!(ppo.updates(), 0, "no step has happened");
}

/// Broken by a value_clip that stays while ratio_clip falls to zero.
#[test]
fn clipping_ranges_fall_with_the_learning_rate() {
    use crate::pg::loss::{Outputs, Targets};
    use crate::pg::method::Method;
    let config = PpoConfig { value_clip: Some(0.5), value_loss_coeff: 1.0, ..ppo() };
    let t = |x: f32| Tensor::from_slice(&[x]);
    let outputs = Outputs { log_likelihood: t(0.0), entropy: t(0.0), value: t(3.0) };
    let targets = Targets {
        old_log_likelihood: t(0.0),
        advantage: t(0.0),
        return_: t(10.0),
        old_value: t(1.0),
        valid: None,
    };
    for (progress, held) in [(0.0, 1.5), (0.5, 1.25), (1.0, 1.0)] {
        let (losses, ratio) = config.loss(&outputs, &targets, config.left(progress));
        let want = 0.5 * (10.0f64 - held).powi(2);
        assert!((losses.value.double_value(&[]) - want).abs() < 1e-5, "{progress}");
        assert_eq!(ratio.unwrap().clip, 0.1 * (1.0 - progress));
    }
}

/// Samples of a sampler that was told nothing, and of an agent of another model: errors, where there were panics.
#[test]
fn samples_that_lack_something_are_refused() {
    use super::testing::spaces;
    use rlcore::block::{AgentSchema, Block, BlockOptions, Layout};
    use rlcore::{DType, LeafSpec};
    let value = LeafSpec::scalar("value", DType::F32);
    let dist = |n: usize| LeafSpec::array("dist", DType::F32, &[n]);
    let h = |n: usize| LeafSpec::array("h", DType::F32, &[n]);
    let bootstrap = BlockOptions { bootstrap_value: true, state_interval: SPEC.t };
    let refused = |info: Vec<LeafSpec>, state: Vec<LeafSpec>, options, weights: usize| {
        let mut algo = algorithm(ppo(), MEMORY, 1000).unwrap();
        let layout = Layout::new(SPEC, &spaces(), &AgentSchema { info, state }, options);
        let weights = if weights == 0 { algo.params().len() } else { weights };
        let checked = algo.requires().check(&layout, weights).unwrap_err().to_string();
        if weights == algo.params().len() {
            let samples = Block::create(layout).unwrap().columns(0..SPEC.b);
            let taken = algo.take_in(Lease::unslotted(samples), NOW).unwrap_err().to_string();
            assert_eq!(checked, taken);
        }
        checked
    };
    let all = || vec![value.clone(), dist(3)];
    let text = refused(all(), vec![h(1)], BlockOptions::default(), 0);
    assert!(
        text.contains("no bootstrap_value") && text.contains("AlgoSettings::records"),
        "{text}"
    );
    let text = refused(vec![], vec![h(1)], bootstrap, 0);
    assert!(text.contains("does not record agent_info.value"), "{text}");
    let text = refused(vec![dist(5), value.clone()], vec![h(1)], bootstrap, 0);
    assert!(text.contains("agent_info.dist as F32 [5], the algorithm needs F32 [3]"), "{text}");
    let text = refused(all(), vec![h(7)], bootstrap, 0);
    assert!(text.contains("state is h F32 [7], the algorithm's model has h F32 [1]"), "{text}");
    let text = refused(all(), vec![h(1)], bootstrap, 12);
    assert!(text.contains("the agent has 12 weights"), "{text}");
    // More leaves, in another order, are none of its business.
    let algo = algorithm(ppo(), MEMORY, 1000).unwrap();
    let info = vec![LeafSpec::scalar("mu", DType::F32), dist(3), value.clone()];
    let schema = AgentSchema { info, state: vec![h(1)] };
    let layout = Layout::new(SPEC, &spaces(), &schema, bootstrap);
    algo.requires().check(&layout, algo.params().len()).unwrap();
}

#[test]
fn errors_say_what_to_change() {
    let refused =
        |config: PpoConfig, model| algorithm(config, model, 1000).unwrap_err().to_string();
    let many = PpoConfig { minibatches: 8, ..ppo() };
    assert!(refused(many.clone(), MEMORY).contains("raise sampler.b"));
    assert!(algorithm(many, PLAIN, 1000).is_ok());
    assert!(
        refused(PpoConfig { gae_lambda: 1.5, ..ppo() }, PLAIN).contains("algo.gae_lambda = 1.5")
    );
    assert!(refused(PpoConfig { target_kl: Some(0.0), ..ppo() }, PLAIN).contains("algo.target_kl"));

    for huge in
        [PpoConfig { ratio_clip: 1e308, ..ppo() }, PpoConfig { value_clip: Some(1e308), ..ppo() }]
    {
        assert!(refused(huge, PLAIN).contains("_clip = 1000"), "no tensor holds it");
    }

    let mut samples = block(SPEC, Ends::GoOn, 4);
    samples.reward.cell_mut(2, 3).f32(0)[0] = 1e30;
    let mut algo = algorithm(ppo(), PLAIN, 1000).unwrap();
    let error = algo.optimize(Lease::unslotted(samples), NOW).unwrap_err().to_string();
    assert!(error.contains("of update 0 is") && error.contains("environment 3"), "{error}");
    assert!(error.contains("84 environment steps"), "{error}");
}
