//! The whole replay against a stream that is kept.
use super::testing::*;
use super::*;
use proptest::prelude::*;
use rand::RngExt;
use rlcore::BatchSpec;
use rlcore::seed::rng;
use rlcore::tensor::slice;
use std::collections::BTreeSet;

const DISCOUNT: f64 = 0.9;

fn replay(t: usize, b: usize, rows: usize, n_step: usize) -> Result<UniformReplay, ReplayError> {
    let settings = ReplaySettings { size: rows * b, n_step, discount: DISCOUNT };
    UniformReplay::new(BatchSpec { t, b }, settings, &observation_specs(), &action_specs())
}

/// Everything that the replay says, from the stream that it was fed.
fn check(replay: &mut UniformReplay, stream: &Stream, cuts: &BTreeSet<usize>, n: usize, seed: u64) {
    let (rows, columns) = (replay.ring().rows(), replay.ring().columns());
    let head = stream.steps.len();
    let oldest = head.saturating_sub(rows);
    assert_eq!((replay.ring().filled(), replay.ring().cursor()), (head - oldest, head % rows));
    let mut valid = BTreeSet::new();
    for s in oldest..head {
        for column in 0..columns {
            let (row, expected) = (s % rows, stream.window(s, column, n, DISCOUNT));
            let skipped = stream.steps[s][column].outcome == Outcome::Skipped;
            let got = replay.window(row, column);
            assert!((got.return_ as f64 - expected.0).abs() <= 1e-5 * (1.0 + expected.0.abs()));
            let end = if skipped { Outcome::Skipped } else { expected.2 };
            assert_eq!((got.horizon as usize, got.end), (expected.1, end));
            // A window meets a skipped step only where the stream was cut.
            let next = s + expected.1;
            let meets = expected.2 == Outcome::Running && next < head && !skipped && expected.1 < n;
            assert!(!meets || cuts.contains(&next));
            if s > oldest {
                let before = stream.steps[s - 1][column].outcome == Outcome::Running;
                assert_eq!(replay.ring().previous(row, column), before.then(|| (s - 1) % rows));
            }
            if s > oldest && s + n < head && !skipped {
                valid.insert((row, column));
            }
        }
    }
    assert_eq!(replay.n_valid(), valid.len());
    assert_eq!(replay.valid().collect::<BTreeSet<_>>(), valid);

    let drawn = match replay.sample(&mut rng(seed), 16) {
        Ok(batch) => batch,
        Err(error) => {
            assert!(valid.is_empty() && matches!(error, ReplayError::NothingToDraw { .. }));
            return;
        }
    };
    for i in 0..16 {
        let (row, column) = (drawn.t[i], drawn.b[i]);
        assert!(valid.contains(&(row, column)));
        let s = (oldest..head).find(|s| s % rows == row).unwrap();
        let (return_, horizon, end) = stream.window(s, column, n, DISCOUNT);
        let discount = if end == Outcome::Terminated { 0.0 } else { DISCOUNT.powi(horizon as i32) };
        assert!(
            (slice::<f32>(&drawn.return_)[i] as f64 - return_).abs()
                <= 1e-5 * (1.0 + return_.abs())
        );
        assert_eq!(slice::<f32>(&drawn.bootstrap)[i], discount as f32);
        assert_eq!(slice::<f32>(&drawn.observation[0])[i * 2..][..2], place(s, column));
        assert_eq!(slice::<u8>(&drawn.observation[1])[i * 3..][..3], image(s));
        assert_eq!(slice::<i64>(&drawn.action[0])[i], s as i64 * 10 + column as i64);
        let (next, next_image) = match end {
            Outcome::Truncated => (final_place(s + horizon - 1, column), image(s + horizon - 1)),
            _ => (place(s + horizon, column), image(s + horizon)),
        };
        assert_eq!(slice::<f32>(&drawn.next_observation[0])[i * 2..][..2], next);
        assert_eq!(slice::<u8>(&drawn.next_observation[1])[i * 3..][..3], next_image);
    }
}

proptest! {
    #[test]
    fn agrees_with_brute_force(
        seed: u64, columns in 1usize..4, n in 1usize..6, spare in 0usize..12,
        waits: bool, cutting: bool,
    ) {
        let rows = n + 2 + spare;
        let mut draws = rng(seed);
        let mut replay = replay(1, columns, rows, n).unwrap();
        let (mut stream, mut cuts) = (Stream::default(), BTreeSet::new());
        for _ in 0..12 {
            let chunk = draws.random_range(1..=rows);
            stream.extend(&mut draws, chunk, columns, waits);
            replay.append(&stream.block(chunk), chunk).unwrap();
            if cutting && draws.random_range(0..3) == 0 {
                replay.cut();
                stream.cut();
                cuts.insert(stream.steps.len() - 1);
            }
            check(&mut replay, &stream, &cuts, n, seed);
        }
    }

    #[test]
    fn a_loaded_replay_goes_on_as_the_saved_one(seed: u64, before in 1usize..40, waits: bool) {
        let (rows, columns, n) = (11, 2, 3);
        let (mut draws, mut stream) = (rng(seed), Stream::default());
        let mut one = replay(1, columns, rows, n).unwrap();
        let feed = |replays: &mut [&mut UniformReplay], stream: &mut Stream, draws: &mut _| {
            stream.extend(draws, 2, columns, waits);
            let block = stream.block(2);
            for replay in replays {
                replay.append(&block, 2).unwrap();
            }
        };
        for _ in 0..before {
            feed(&mut [&mut one], &mut stream, &mut draws);
        }
        let mut two = replay(1, columns, rows, n).unwrap();
        let (meta, arrays) = one.save();
        two.load(meta, &arrays).unwrap();
        prop_assert_eq!(one.save(), two.save());
        for _ in 0..8 {
            feed(&mut [&mut one, &mut two], &mut stream, &mut draws);
            check(&mut two, &stream, &BTreeSet::new(), n, seed);
            prop_assert_eq!(one.save(), two.save());
            if let (Ok(a), Ok(b)) = (one.sample(&mut rng(seed), 9), two.sample(&mut rng(seed), 9)) {
                prop_assert_eq!((&a.t, &a.b), (&b.t, &b.b));
                prop_assert!(a.return_ == b.return_ && a.next_observation == b.next_observation);
            }
        }
    }
}

/// Each valid transition equally often, within five standard deviations.
fn assert_uniform(replay: &mut UniformReplay) {
    let valid: Vec<_> = replay.valid().collect();
    let draws = 2000 * valid.len();
    let batch = replay.sample(&mut rng(5), draws).unwrap();
    for at in &valid {
        let count = batch.t.iter().zip(&batch.b).filter(|(t, b)| (**t, **b) == *at).count();
        assert!((count as f64 - 2000.0).abs() < 5.0 * 2000f64.sqrt(), "{at:?}: {count}");
    }
}

#[test]
fn draws_are_uniform() {
    let (mut stream, mut replay) = (Stream::default(), replay(1, 3, 9, 2).unwrap());
    stream.extend(&mut rng(1), 7, 3, true);
    replay.append(&stream.block(7), 7).unwrap();
    assert!(replay.ring().skipped() > 0, "the seed should skip steps");
    assert_uniform(&mut replay);
    stream.extend(&mut rng(2), 7, 3, false);
    replay.append(&stream.block(7), 7).unwrap();
    assert_uniform(&mut replay);
}

#[test]
fn draws_end_and_are_uniform_where_nearly_all_is_skipped() {
    let mut replay = replay(600, 1, 600, 1).unwrap();
    let mut block = empty_block(&observation_specs(), &action_specs(), 600, 1);
    assert!(matches!(replay.sample(&mut rng(1), 4), Err(ReplayError::NothingToDraw { .. })));
    replay.append(&block, 600).unwrap();
    let error = replay.sample(&mut rng(1), 4).unwrap_err().to_string();
    assert!(error.contains("600 time steps") && error.contains("min_steps_learn"), "{error}");
    for t in [17, 300, 301] {
        set_step(&mut block, t, 0, testing::Step { reward: 1.0, outcome: Outcome::Running });
    }
    replay.append(&block, 600).unwrap();
    assert_eq!(replay.n_valid(), 3);
    assert_uniform(&mut replay);
}

#[test]
fn refusals_name_the_repair() {
    let error = replay(1, 2, 6, 5).unwrap_err().to_string();
    assert!(error.contains("raise replay_size to at least 14"), "{error}");
    let error = replay(9, 2, 8, 1).unwrap_err().to_string();
    assert!(error.contains("raise replay_size to at least 18"), "{error}");
    assert!(replay(8, 2, 8, 6).is_ok());
    assert_eq!(replay(1, 1, 9, 0).unwrap_err(), ReplayError::BadNStep(0));

    let mut replay = replay(4, 1, 9, 1).unwrap();
    let mut block = empty_block(&observation_specs(), &action_specs(), 4, 1);
    let step = testing::Step { reward: 0.0, outcome: Outcome::Truncated };
    set_step(&mut block, 2, 0, step);
    block.final_observation = rlcore::Tree::owned(&[], 0, 1);
    let error = replay.append(&block, 4).unwrap_err().to_string();
    assert!(error.contains("truncates_every"), "{error}");
    assert_eq!(replay.ring().filled(), 0);
}

#[test]
fn saved_arrays_that_do_not_fit_are_refused() {
    let (mut stream, mut one) = (Stream::default(), replay(5, 2, 8, 1).unwrap());
    stream.extend(&mut rng(3), 5, 2, false);
    one.append(&stream.block(5), 5).unwrap();
    let (meta, arrays) = one.save();
    let mut other = replay(5, 2, 9, 1).unwrap();
    assert!(matches!(other.load(meta, &arrays), Err(ReplayError::BadMeta { .. })));
    for i in 0..arrays.len() {
        let mut two = replay(5, 2, 8, 1).unwrap();
        let mut less = arrays.clone();
        less.remove(i);
        assert!(matches!(two.load(meta, &less), Err(ReplayError::BadArray { .. })));
        let mut bent = arrays.clone();
        bent[i].shape[0] += 1;
        let error = two.load(meta, &bent).unwrap_err().to_string();
        assert!(error.contains(&arrays[i].name), "{error}");
        assert_eq!(two.ring().filled(), 0);
    }
    let mut bent = arrays.clone();
    bent[1].bytes.to_mut()[0] = 4;
    assert!(one.ring().filled() == 5 && bent[1].name == "outcome");
    let mut two = replay(5, 2, 8, 1).unwrap();
    assert!(two.load(meta, &bent).is_err());
}
