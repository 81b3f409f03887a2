//! Updates: schedules, limits, checkpoints, replicas.
use super::{MEMORY, NOW, PLAIN, host, ppo, weights};
use crate::pg::testing::{Ends, SPEC, algorithm, block, leased, spaces};
use crate::{
    A2cConfig, Algo, NormalizeAdvantage, PpoConfig, ReinforceConfig, Restored, SaveScope, Saved,
};
use rlcore::GlobalSteps;
use rlcore::block::{Lease, flag};
use tch::Tensor;

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

#[test]
fn schedules_end_with_the_budget() {
    // What is logged: the learning rate and the clipping range.
    let scheduled = std::cell::Cell::new(vec![]);
    let run = |config: PpoConfig, env_steps: u64| {
        let mut algo = algorithm(config, PLAIN, 1000).unwrap();
        let begun = host(&algo.params_mut().trained_mut());
        let info = algo.optimize(leased(SPEC, Ends::GoOn, 3), GlobalSteps(env_steps)).unwrap();
        let ended = host(&algo.params_mut().trained_mut());
        assert_eq!(algo.schedules()[0].0, "learningRate");
        scheduled.set(algo.schedules().iter().map(|s| s.1).collect());
        let moved = begun.iter().zip(&ended).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        (moved, info)
    };
    // Adam's first step has the size of the learning rate.
    let one = PpoConfig { minibatches: 1, epochs: 1, ..ppo() };
    let batch = SPEC.steps() as u64;
    assert!((run(one.clone(), batch).0 - 0.01).abs() < 1e-4, "all of the budget is left");
    assert!((run(one.clone(), batch + 500).0 - 0.005).abs() < 1e-4, "half of it");
    assert_eq!(scheduled.take(), [0.005, one.ratio_clip * 0.5]);
    assert_eq!(run(one.clone(), batch + 1000).0, 0.0, "nothing");
    assert_eq!(scheduled.take(), [0.0, 0.0]);
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

    let spaces = spaces();
    let mut builder = ParamBuilder::default();
    let id = builder.add("w", &[3], Init::Uniform(1.0));
    let specs = builder.finish().unwrap();
    let settings = TrainedSettings {
        kind: crate::optim::AdamKind::Plain,
        learning_rate: 0.1,
        adam_eps: 1e-8,
        clip_grad_norm: 0.5,
    };
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
