//! The whole replay against a stream that is kept.
use super::testing::*;
use super::*;
use proptest::prelude::*;
use rand::RngExt;
use rlcore::checkpoint::{ArrayInfo, ArraySource, CheckpointError, NamedArray};
use rlcore::seed::rng;
use rlcore::{BatchSpec, EnvSpaces};
use std::collections::BTreeSet;
use std::path::Path;

/// What a draw of `n` gives: keys, and the batch gathered from them.
fn sample(
    replay: &mut TransitionReplay,
    seed: u64,
    n: usize,
) -> Result<(Vec<Key>, Transitions<HostLeaf>), ReplayError> {
    let (mut keys, mut batch) = (Vec::new(), replay.batch(n));
    replay.draw(&mut rng(seed), n, &mut keys)?;
    replay.gather(&keys, &mut batch)?;
    Ok((keys, batch))
}

/// Everything that the replay says, from the stream that it was fed.
fn check(
    replay: &mut TransitionReplay,
    stream: &Stream,
    cuts: &BTreeSet<usize>,
    n: usize,
    seed: u64,
) {
    let store = replay.store();
    let (rows, columns) = (store.rows(), store.columns());
    let head = stream.steps.len();
    let oldest = head.saturating_sub(rows);
    assert_eq!((store.filled(), store.cursor()), (head - oldest, head % rows));
    assert_eq!((store.is_full(), store.head()), (head >= rows, head as u64));
    let mut valid = BTreeSet::new();
    for s in oldest..head {
        for column in 0..columns {
            let (row, expected) = (s % rows, stream.window(s, column, n, DISCOUNT));
            let skipped = stream.steps[s][column].outcome == Outcome::Skipped;
            let cell = row * columns + column;
            assert_eq!(replay.store().outcome_at(cell), stream.steps[s][column].outcome);
            assert_eq!(replay.store().reward_at(cell), stream.steps[s][column].reward);
            let got = replay.window(cell);
            assert!((got.return_ as f64 - expected.0).abs() <= 1e-5 * (1.0 + expected.0.abs()));
            let end = if skipped { Outcome::Skipped } else { expected.2 };
            assert_eq!((got.horizon as usize, got.end), (expected.1, end));
            // A window meets a skipped step only where the stream was cut.
            let next = s + expected.1;
            let meets = expected.2 == Outcome::Running && next < head && !skipped && expected.1 < n;
            assert!(!meets || cuts.contains(&next));
            if s > oldest {
                let before = stream.steps[s - 1][column].outcome == Outcome::Running;
                assert_eq!(replay.store().previous(row, column), before.then(|| (s - 1) % rows));
            }
            if s > oldest && s + n < head && !skipped {
                valid.insert(cell);
            }
        }
    }
    assert_eq!(replay.drawable().len(), valid.len());
    assert_eq!(replay.drawable().cells().collect::<BTreeSet<_>>(), valid);
    for cell in 0..rows * columns {
        assert_eq!(replay.drawable().contains(cell), valid.contains(&cell));
    }

    let (keys, drawn) = match sample(replay, seed, 16) {
        Ok(drawn) => drawn,
        Err(error) => {
            assert!(valid.is_empty() && matches!(error, ReplayError::NothingToDraw { .. }));
            return;
        }
    };
    for (i, key) in keys.iter().enumerate() {
        let (row, column) = replay.row_and_column(*key);
        assert!(valid.contains(&key.cell));
        let s = (oldest..head).find(|s| s % rows == row).unwrap();
        let (return_, horizon, end) = stream.window(s, column, n, DISCOUNT);
        let discount = if end == Outcome::Terminated { 0.0 } else { DISCOUNT.powi(horizon as i32) };
        assert!(
            (drawn.return_.get::<f32>()[i] as f64 - return_).abs() <= 1e-5 * (1.0 + return_.abs())
        );
        assert_eq!(drawn.bootstrap.get::<f32>()[i], discount as f32);
        assert_eq!(drawn.observation[0].get::<f32>()[i * 2..][..2], place(s, column));
        assert_eq!(drawn.observation[1].get::<u8>()[i * 3..][..3], image(s));
        assert_eq!(drawn.action[0].get::<i64>()[i], s as i64 * 10 + column as i64);
        let (next, next_image) = match end {
            Outcome::Truncated => (final_place(s + horizon - 1, column), image(s + horizon - 1)),
            _ => (place(s + horizon, column), image(s + horizon)),
        };
        assert_eq!(drawn.next_observation[0].get::<f32>()[i * 2..][..2], next);
        assert_eq!(drawn.next_observation[1].get::<u8>()[i * 3..][..3], next_image);
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
            replay.append(&stream.block(chunk)).unwrap();
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
        let feed = |replays: &mut [&mut TransitionReplay], stream: &mut Stream, draws: &mut _| {
            stream.extend(draws, 2, columns, waits);
            let block = stream.block(2);
            for replay in replays {
                replay.append(&block).unwrap();
            }
        };
        for _ in 0..before {
            feed(&mut [&mut one], &mut stream, &mut draws);
        }
        let mut two = replay(1, columns, rows, n).unwrap();
        let (meta, arrays) = one.save("");
        two.load(&meta, &arrays).unwrap();
        prop_assert_eq!(one.save(""), two.save(""));
        for _ in 0..8 {
            feed(&mut [&mut one, &mut two], &mut stream, &mut draws);
            check(&mut two, &stream, &BTreeSet::new(), n, seed);
            prop_assert_eq!(one.save(""), two.save(""));
            if let (Ok((a, x)), Ok((b, y))) = (sample(&mut one, seed, 9), sample(&mut two, seed, 9)) {
                prop_assert_eq!(a, b);
                prop_assert!(x.return_ == y.return_ && x.next_observation == y.next_observation);
            }
        }
    }
}

/// Each valid transition equally often, within five standard deviations.
fn assert_uniform(replay: &mut TransitionReplay) {
    let valid: Vec<_> = replay.drawable().cells().collect();
    let mut keys = Vec::new();
    replay.draw(&mut rng(5), 2000 * valid.len(), &mut keys).unwrap();
    for cell in &valid {
        let count = keys.iter().filter(|key| key.cell == *cell).count();
        assert!((count as f64 - 2000.0).abs() < 5.0 * 2000f64.sqrt(), "{cell}: {count}");
    }
}

#[test]
fn draws_are_uniform() {
    let (mut stream, mut replay) = (Stream::default(), replay(1, 3, 9, 2).unwrap());
    stream.extend(&mut rng(1), 7, 3, true);
    replay.append(&stream.block(7)).unwrap();
    assert!(replay.store().skipped() > 0, "the seed should skip steps");
    assert_uniform(&mut replay);
    stream.extend(&mut rng(2), 7, 3, false);
    replay.append(&stream.block(7)).unwrap();
    assert_uniform(&mut replay);
}

#[test]
fn draws_end_and_are_uniform_where_nearly_all_is_skipped() {
    let mut replay = replay(600, 1, 600, 1).unwrap();
    let mut block = empty_block(&spaces(), 600, 1);
    assert!(matches!(sample(&mut replay, 1, 4), Err(ReplayError::NothingToDraw { .. })));
    replay.append(&block).unwrap();
    let error = sample(&mut replay, 1, 4).unwrap_err().to_string();
    assert!(error.contains("600 time steps") && error.contains("min_steps_learn"), "{error}");
    for t in [17, 300, 301] {
        set_step(&mut block, t, 0, Step { reward: 1.0, outcome: Outcome::Running });
    }
    replay.append(&block).unwrap();
    assert_eq!(replay.drawable().len(), 3);
    assert_uniform(&mut replay);
}

#[test]
fn refusals_name_the_repair() {
    let error = replay(1, 2, 6, 5).unwrap_err().to_string();
    assert!(error.contains("raise replay_size to at least 14"), "{error}");
    let error = replay(9, 2, 8, 1).unwrap_err().to_string();
    assert!(error.contains("raise replay_size to at least 18"), "{error}");
    assert!(replay(8, 2, 8, 6).is_ok());
    assert!(matches!(replay(1, 1, 9, 0), Err(ReplayError::BadNStep(0))));

    let mut replay = replay(4, 1, 9, 1).unwrap();
    let mut block = empty_block(&spaces(), 4, 1);
    let step = Step { reward: 0.0, outcome: Outcome::Truncated };
    set_step(&mut block, 2, 0, step);
    block.final_observation = rlcore::Tree::owned(&[], 0, 1);
    let error = replay.append(&block).unwrap_err().to_string();
    assert!(error.contains("truncates_every"), "{error}");
    assert_eq!(replay.store().filled(), 0);
}

#[test]
fn saved_arrays_that_do_not_fit_are_refused() {
    let (mut stream, mut one) = (Stream::default(), replay(5, 2, 8, 1).unwrap());
    stream.extend(&mut rng(3), 5, 2, false);
    one.append(&stream.block(5)).unwrap();
    let (meta, arrays) = one.save("");
    let mut other = replay(5, 2, 9, 1).unwrap();
    assert!(matches!(other.load(&meta, &arrays), Err(ReplayError::BadMeta { .. })));
    for i in 0..arrays.len() {
        let mut two = replay(5, 2, 8, 1).unwrap();
        let mut less = arrays.clone();
        less.remove(i);
        assert!(matches!(two.load(&meta, &less), Err(ReplayError::Saved(_))));
        let mut bent = arrays.clone();
        bent[i].shape[0] += 1;
        let error = two.load(&meta, &bent).unwrap_err().to_string();
        assert!(error.contains(&arrays[i].name), "{error}");
        assert_eq!(two.store().filled(), 0);
    }
    let mut bent = arrays.clone();
    assert_eq!(bent[1].name, "outcome");
    bent[1].bytes.to_mut()[0] = 4;
    let mut two = replay(5, 2, 8, 1).unwrap();
    assert!(matches!(two.load(&meta, &bent), Err(ReplayError::BadOutcome { byte: 4 })));
}

/// A source whose array of one name cannot be read, although it is there.
struct Unreadable<'a>(&'a Vec<NamedArray<'a>>, &'a str);

impl ArraySource for Unreadable<'_> {
    fn place(&self) -> &Path {
        self.0.place()
    }
    fn names(&self) -> Vec<String> {
        self.0.names()
    }
    fn find(&self, name: &str) -> Option<ArrayInfo> {
        self.0.find(name)
    }
    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError> {
        // The error of an array that is not there stands for one of the disk.
        self.0.read(if name == self.1 { "unreadable" } else { name }, out)
    }
}

#[test]
fn a_replay_whose_arrays_cannot_be_read_is_empty_and_goes_on() {
    let (mut stream, mut one) = (Stream::default(), replay(5, 2, 8, 1).unwrap());
    for _ in 0..3 {
        stream.extend(&mut rng(4), 5, 2, true);
        one.append(&stream.block(5)).unwrap();
    }
    let (meta, arrays) = one.save("");
    for array in &arrays {
        let mut two = replay(5, 2, 8, 1).unwrap();
        let mut later = Stream::default();
        later.extend(&mut rng(5), 5, 2, true);
        two.append(&later.block(5)).unwrap();
        let source = Unreadable(&arrays, &array.name);
        assert!(matches!(two.load(&meta, &source), Err(ReplayError::Saved(_))));
        // Outcomes are read before anything is changed.
        let left = if array.name == "outcome" { 5 } else { 0 };
        assert_eq!(two.store().filled(), left, "{}", array.name);
        if left == 0 {
            assert!(two.drawable().is_empty() && two.store().skipped() == 0);
            two.append(&stream.block(5)).unwrap();
            let mut fresh = replay(5, 2, 8, 1).unwrap();
            fresh.append(&stream.block(5)).unwrap();
            assert_eq!(two.save(""), fresh.save(""));
        }
    }
}

#[test]
fn memory_is_known_before_it_is_taken() {
    let (spec, mut stream) = (BatchSpec { t: 10, b: 3 }, Stream::default());
    let settings = |size| ReplaySettings { size, n_step: 2, discount: DISCOUNT };
    let never = EnvSpaces { truncates_every: None, ..spaces() };
    for (spaces, size) in [(spaces(), 3000), (never, 3001)] {
        let draw = Box::new(Uniform);
        let mut replay = TransitionReplay::new(&spaces, spec, settings(size), draw).unwrap();
        let known = settings(size).bytes(&spaces, spec) as f64;
        if spaces.truncates_every.is_none() {
            // Per step: leaves of 8, 3 and 8 bytes, reward and outcome of 5, a window of 12.
            assert_eq!(known, 3.0 * 1001.0 * (19.0 + 5.0 + 12.0));
            assert_eq!(replay.bytes() as f64, known);
            continue;
        }
        // The largest that can happen: every step truncates, then none does.
        for outcome in [Outcome::Truncated, Outcome::Running] {
            stream.steps = vec![vec![Step { reward: 0.0, outcome }; 3]; 10];
            for _ in 0..150 {
                replay.append(&stream.block(10)).unwrap();
            }
        }
        let taken = replay.bytes() as f64;
        assert!((taken / known - 1.0).abs() < 0.05, "{taken} of {known}");
    }
    for size in [1 << 60, usize::MAX] {
        assert!(settings(size).bytes(&spaces(), spec) > 1 << 60);
        let refused = TransitionReplay::new(&spaces(), spec, settings(size), Box::new(Uniform));
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("lower replay_size"), "{text}");
    }
}

#[test]
fn only_the_tensors_of_a_batch_know_libtorch() {
    let mut files = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/replay")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Golden samples are read from tensors, and this file names what it looks for.
        if !["tensors.rs", "golden.rs", "tests.rs"].contains(&&*name) {
            let text = text.replace("batch::", "");
            let words = ["tch::", "use tch", "rlcore::tensor", "agents::"];
            assert!(!words.iter().any(|word| text.contains(word)), "{name}");
            files += 1;
        }
    }
    assert!(files > 10);
}
