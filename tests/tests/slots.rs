//! Guarantees of slots and publishers other than the samples themselves, which `identity.rs` compares: calls out of order are refused
//! and change nothing, a batch acts with the right weights, and samples outlive their sampler.
#![allow(missing_docs, clippy::unwrap_used)]
use rlcore::envs::{DictToy, TimeLimit};
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use rlcore::{GlobalSteps, Tree};
use samplers::{HostKind, Sampler, SamplerError, SamplerKind, SamplerState, Samples, Setup};
use tests::policies::{grid_dqn, grid_weights};
use tests::setups;

const NOW: GlobalSteps = GlobalSteps(0);

/// One setup per kind of sampler; workers are threads.
fn setups(slots: usize) -> Vec<Setup> {
    setups_with(slots, ResetMode::Wait)
}

fn setups_with(slots: usize, reset: ResetMode) -> Vec<Setup> {
    let env = TimeLimit { env: DictToy::default(), max_steps: 9 };
    let mut serial = setups::serial(&env, &grid_dqn(), 6, reset);
    serial.slots = slots;
    let parallel = |kind| setups::parallel(&serial, kind, 2, HostKind::Thread);
    let kinds = [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating];
    std::iter::once(serial.clone()).chain(kinds.map(parallel)).collect()
}

fn rows(tree: &Tree) -> Vec<u8> {
    (0..tree.rows()).flat_map(|row| tree.row_bytes(0, row).to_vec()).collect()
}

/// Observations, actions and agent infos of a batch.
fn seen(samples: &Samples) -> [Vec<u8>; 3] {
    let c = samples.columns();
    [rows(&c.observation), rows(&c.action), rows(&c.agent_info)]
}

/// The error of a call that must fail.
fn refused<T>(out: Result<T, SamplerError>) -> SamplerError {
    out.err().expect("it is refused")
}

/// Tries all calls that are out of order while a batch is under way. Each must be refused.
fn under_way(sampler: &mut dyn Sampler) {
    let refusals = [
        refused(sampler.begin(NOW)),
        refused(sampler.evaluate(EvalSeries::Training(0), 5, NOW)),
        refused(sampler.save()),
        refused(sampler.load(SamplerState { columns: vec![] })),
    ];
    for e in refusals {
        assert!(matches!(e, SamplerError::UnderWay { .. }), "{e}");
    }
}

#[test]
fn calls_out_of_order_are_refused_and_change_nothing() {
    for (setup, plain) in setups(2).into_iter().zip(setups(1)) {
        let kind = setup.config.kind;
        let weights = grid_weights(setups::weight_count(&setup), 5);
        let mut want = samplers::build(plain).unwrap();
        let mut sampler = samplers::build(setup).unwrap();
        want.publisher().publish(&weights).unwrap();
        sampler.publisher().publish(&weights).unwrap();

        assert!(matches!(refused(sampler.finish()), SamplerError::NotBegun), "{kind:?}");
        sampler.begin(NOW).unwrap();
        under_way(&mut *sampler);
        let one = sampler.finish().unwrap();
        sampler.begin(NOW).unwrap();
        under_way(&mut *sampler);
        let two = sampler.finish().unwrap();
        assert!(matches!(refused(sampler.finish()), SamplerError::NotBegun), "{kind:?}");

        let full = refused(sampler.begin(NOW));
        assert!(matches!(full, SamplerError::NoFreeSlot { slots: 2 }), "{kind:?}: {full}");
        let state = sampler.save().unwrap();
        let leased = refused(sampler.load(state.clone()));
        assert!(matches!(leased, SamplerError::Leased), "{kind:?}: {leased}");
        let other = refused(sampler.publisher().publish(&weights[1..]));
        let text = format!(
            "the algorithm has {} weights, the agent {}: give both the same model",
            weights.len() - 1,
            weights.len()
        );
        assert_eq!(other.to_string(), text, "{kind:?}");

        for (i, got) in [one, two].into_iter().enumerate() {
            assert_eq!(seen(&want.obtain_samples(NOW).unwrap()), seen(&got), "{kind:?}, batch {i}");
        }
        let again = seen(&want.obtain_samples(NOW).unwrap());
        assert_eq!(again, seen(&sampler.obtain_samples(NOW).unwrap()), "{kind:?}, after them");
        sampler.load(state).unwrap();
        assert_eq!(again, seen(&sampler.obtain_samples(NOW).unwrap()), "{kind:?}, loaded");
    }
}

/// A sampler uses any free slot: the order in which samples are dropped does not matter.
#[test]
fn slots_are_given_back_in_any_order() {
    for setup in setups(3) {
        let kind = setup.config.kind;
        let mut want = samplers::build(Setup { slots: 1, ..setup.clone() }).unwrap();
        let mut sampler = samplers::build(setup).unwrap();
        let mut held = vec![];
        for i in 0..12 {
            if held.len() == 3 {
                held.swap_remove([0, 2, 1][i % 3]);
            }
            let samples = sampler.obtain_samples(NOW).unwrap();
            assert_eq!(
                seen(&want.obtain_samples(NOW).unwrap()),
                seen(&samples),
                "{kind:?}, batch {i}"
            );
            held.push(samples);
        }
    }
}

/// Row T of a batch equals row 0 of the next, in the same slot or another. Environments are reset at once here; under `wait`, a column
/// that waited starts with the observation of its reset.
#[test]
fn row_t_becomes_row_0_across_slots() {
    let row = |samples: &Samples, row: usize| -> Vec<Vec<u8>> {
        let c = samples.columns();
        let trees = [&c.observation, &c.prev_action, &c.prev_reward].into_iter();
        trees
            .flat_map(|t| (0..t.specs().len()).map(|leaf| t.row_bytes(leaf, row).to_vec()))
            .collect()
    };
    for slots in 1..=3 {
        for setup in setups_with(slots, ResetMode::AtOnce) {
            let (kind, t) = (setup.config.kind, setup.config.t);
            let mut sampler = samplers::build(setup).unwrap();
            let (mut held, mut last, mut different) = (vec![], None, false);
            for i in 0..12 {
                if held.len() == slots {
                    held.swap_remove(i % slots);
                }
                let samples = sampler.obtain_samples(NOW).unwrap();
                let (first, end) = (row(&samples, 0), row(&samples, t));
                different |= first.iter().zip(&end).all(|(a, b)| a != b);
                if let Some(last) = last.replace(end) {
                    assert_eq!(first, last, "{kind:?}, {slots} slots, batch {i}");
                }
                held.push(samples);
            }
            assert!(different, "{kind:?}: a leaf was the same at both ends of every batch");
        }
    }
}

#[test]
fn a_batch_acts_with_the_weights_that_were_newest_when_it_began() {
    for setup in setups(2) {
        let kind = setup.config.kind;
        let weights = grid_weights(setups::weight_count(&setup), 5);
        let zeros = vec![0.0; weights.len()];
        let mut sampler = samplers::build(setup).unwrap();
        let publisher = sampler.publisher();
        assert_eq!(publisher.version(), 0);
        assert_eq!(publisher.publish(&weights).unwrap(), 1);
        sampler.begin(NOW).unwrap();
        // From another thread, any number of times: the batch keeps its weights.
        std::thread::spawn(move || {
            (2..9).for_each(|v| assert_eq!(publisher.publish(&zeros).unwrap(), v));
        })
        .join()
        .unwrap();
        let before = sampler.finish().unwrap();
        let after = sampler.obtain_samples(NOW).unwrap();
        assert_eq!((before.weights_version(), after.weights_version()), (1, 8), "{kind:?}");
        let zero = |samples: &Samples| rows(&samples.columns().agent_info).iter().all(|b| *b == 0);
        assert!(!zero(&before) && zero(&after), "{kind:?}: values of zero weights are zero");
        let values = |e: samplers::Evaluation| e.trajectories;
        let zeros_evaluated =
            values(sampler.evaluate(EvalSeries::Training(0), 20, GlobalSteps(1 << 40)).unwrap());
        sampler.publisher().publish(&weights).unwrap();
        let evaluated =
            values(sampler.evaluate(EvalSeries::Training(0), 20, GlobalSteps(1 << 40)).unwrap());
        assert_ne!(zeros_evaluated, evaluated, "{kind:?}: the newest weights are evaluated");
    }
}

#[test]
fn samples_outlive_their_sampler_and_publishers_do_not() {
    for setup in setups(1) {
        let kind = setup.config.kind;
        let weights = grid_weights(setups::weight_count(&setup), 5);
        let mut sampler = samplers::build(setup).unwrap();
        let publisher = sampler.publisher();
        publisher.publish(&weights).unwrap();
        let samples = sampler.obtain_samples(NOW).unwrap();
        let before = seen(&samples);
        drop(sampler);
        assert!(before[2].iter().any(|b| *b != 0));
        assert_eq!(before, seen(&samples), "{kind:?}");
        assert!(publisher.publish(&weights).is_err(), "{kind:?}: nobody would act with them");
    }
}

/// The state of another model or environment is refused with the name of what differs, before any of it is loaded.
#[test]
fn a_state_of_other_widths_is_refused_and_changes_nothing() {
    type Change = fn(&mut SamplerState);
    let changes: [(Change, &str); 4] = [
        (|s| s.columns[7].env.observation[0].push(0), "the observation of environment 7"),
        (|s| s.columns[2].env.prev_action.clear(), "the previous action of environment 2"),
        (|s| s.columns[9].act.state.push(vec![0; 4]), "the recurrent state of environment 9"),
        (|s| s.columns.truncate(9), "9 environments were saved, sampler.b = 10"),
    ];
    for setup in setups(1) {
        let kind = setup.config.kind;
        let mut want = samplers::build(setup.clone()).unwrap();
        let mut sampler = samplers::build(setup).unwrap();
        let old = sampler.save().unwrap();
        for sampler in [&mut want, &mut sampler] {
            sampler.obtain_samples(NOW).unwrap();
        }
        for (change, text) in changes {
            let mut state = old.clone();
            change(&mut state);
            let error = refused(sampler.load(state)).to_string();
            assert!(error.contains(text), "{kind:?}: {error}");
        }
        let [want, got] = [want, sampler].map(|mut s| seen(&s.obtain_samples(NOW).unwrap()));
        assert_eq!(want, got, "{kind:?}");
    }
}
