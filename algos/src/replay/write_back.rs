//! Keys and priorities against a model that remembers every step.
use super::testing::*;
use super::*;
use proptest::prelude::*;
use rand::RngExt;
use rlcore::BatchSpec;
use rlcore::checkpoint::NamedArray;
use rlcore::seed::{Rng, rng};
use std::collections::BTreeMap;

/// Priority of a cell that becomes drawable.
const NEW: f32 = 1.0;
/// Priority of a cell that cannot be drawn.
const NONE: f32 = -1.0;

/// Keeps a priority per cell, draws uniformly, and refuses to be told anything twice.
#[derive(Debug)]
struct Recorder {
    priority: Vec<f32>,
}

impl Recorder {
    fn change(&mut self, cells: Drawable<'_>, from: &[f32], to: f32) {
        assert_eq!(cells.cells().count(), cells.len());
        for cell in cells.cells() {
            let old = std::mem::replace(&mut self.priority[cell], to);
            assert!(from.is_empty() && old != NONE || from.contains(&old), "cell {cell} was {old}");
        }
    }
}

impl Draw for Recorder {
    fn ceased(&mut self, cells: Drawable<'_>) {
        self.change(cells, &[], NONE);
    }

    fn became(&mut self, cells: Drawable<'_>) {
        self.change(cells, &[NONE], NEW);
    }

    fn draw(&mut self, from: Drawable<'_>, rng: &mut Rng, n: usize, cells: &mut Vec<usize>) {
        let all: Vec<usize> =
            (0..self.priority.len()).filter(|cell| self.priority[*cell] != NONE).collect();
        let mut told: Vec<usize> = from.cells().collect();
        told.sort_unstable();
        assert_eq!(told, all);
        cells.extend((0..n).map(|_| all[rng.random_range(0..all.len())]));
    }

    fn write_back(&mut self, priorities: &[(usize, f32)]) {
        for (cell, priority) in priorities {
            assert_ne!(self.priority[*cell], NONE, "a priority for cell {cell}");
            self.priority[*cell] = *priority;
        }
    }

    fn arrays(&self, cells: usize) -> Vec<NamedArray<'_>> {
        let bytes = bytemuck::cast_slice(&self.priority[..cells]);
        vec![NamedArray {
            name: "priority".into(),
            shape: vec![cells],
            dtype: rlcore::DType::F32,
            bytes: bytes.into(),
        }]
    }

    fn places(&mut self, cells: usize) -> Vec<Place<'_>> {
        let bytes = bytemuck::cast_slice_mut(&mut self.priority[..cells]);
        vec![Place { name: "priority".into(), bytes }]
    }
}

fn recorded(columns: usize, rows: usize, n_step: usize) -> TransitionReplay {
    let settings = ReplaySettings { size: rows * columns, n_step, discount: DISCOUNT };
    let draw = Recorder { priority: vec![NONE; rows * columns] };
    let spec = BatchSpec { t: 1, b: columns };
    TransitionReplay::new(&spaces(), spec, settings, Box::new(draw)).unwrap()
}

/// The priorities that a replay has saved for its drawable cells.
fn priorities(replay: &TransitionReplay) -> BTreeMap<usize, f32> {
    let (_, arrays) = replay.save("");
    let saved = arrays.iter().find(|array| array.name == "draw/priority").unwrap();
    let values: Vec<f32> = values(&saved.bytes);
    values.into_iter().enumerate().filter(|(_, priority)| *priority != NONE).collect()
}

/// What should be so: the stream, and the priority of each step that can be drawn.
struct Model {
    stream: Stream,
    priority: BTreeMap<(usize, usize), f32>,
    rows: usize,
    columns: usize,
    n: usize,
}

impl Model {
    fn oldest(&self) -> usize {
        self.stream.steps.len().saturating_sub(self.rows)
    }

    fn drawable(&self, s: usize, column: usize) -> bool {
        let happened = self.stream.steps[s][column].outcome != Outcome::Skipped;
        happened && s > self.oldest() && s + self.n < self.stream.steps.len()
    }

    fn appended(&mut self) {
        let old = std::mem::take(&mut self.priority);
        for s in self.oldest()..self.stream.steps.len() {
            for column in 0..self.columns {
                if self.drawable(s, column) {
                    let priority = old.get(&(s, column)).copied().unwrap_or(NEW);
                    self.priority.insert((s, column), priority);
                }
            }
        }
    }

    /// The step and column that a cell holds now.
    fn step(&self, cell: usize) -> (usize, usize) {
        let (row, column) = (cell / self.columns, cell % self.columns);
        let s = (self.oldest()..self.stream.steps.len()).find(|s| s % self.rows == row);
        (s.unwrap(), column)
    }

    fn by_cell(&self) -> BTreeMap<usize, f32> {
        let cell = |(s, column): &(usize, usize)| s % self.rows * self.columns + column;
        self.priority.iter().map(|(at, priority)| (cell(at), *priority)).collect()
    }
}

/// Keys of earlier draws, with the steps that they were drawn for.
type Outstanding = Vec<(Key, (usize, usize))>;

fn write_back(
    replay: &mut TransitionReplay,
    model: &mut Model,
    late: &[(Key, (usize, usize))],
    draws: &mut Rng,
) {
    let keys: Vec<Key> = late.iter().map(|(key, _)| *key).collect();
    let new: Vec<f32> = keys.iter().map(|_| draws.random_range(2..100) as f32).collect();
    let mut given = 0;
    for ((_, at), new) in late.iter().zip(&new) {
        if let Some(priority) = model.priority.get_mut(at) {
            *priority = *new;
            given += 1;
        }
    }
    assert_eq!(replay.write_back(&keys, &new), given);
}

proptest! {
    #[test]
    fn late_priorities_are_dropped(
        seed: u64, columns in 1usize..4, n in 1usize..5, spare in 0usize..10, waits: bool,
    ) {
        let rows = n + 2 + spare;
        let mut draws = rng(seed);
        let mut replay = recorded(columns, rows, n);
        let stream = Stream::default();
        let mut model = Model { stream, priority: BTreeMap::new(), rows, columns, n };
        let mut outstanding: Outstanding = Vec::new();
        for _ in 0..40 {
            match draws.random_range(0..7) {
                0..=2 => {
                    let chunk = draws.random_range(1..=rows.min(5));
                    model.stream.extend(&mut draws, chunk, columns, waits);
                    replay.append(&model.stream.block(chunk)).unwrap();
                    model.appended();
                }
                3 => {
                    let mut keys = Vec::new();
                    let drawn = replay.draw(&mut draws, 6, &mut keys);
                    prop_assert_eq!(drawn.is_ok(), !model.priority.is_empty());
                    outstanding.extend(keys.into_iter().map(|key| (key, model.step(key.cell))));
                }
                4 => {
                    let from = draws.random_range(0..=outstanding.len());
                    let to = draws.random_range(from..=outstanding.len());
                    write_back(&mut replay, &mut model, &outstanding[from..to], &mut draws);
                }
                5 => {
                    replay.cut();
                    model.stream.cut();
                }
                _ => {
                    let mut other = recorded(columns, rows, n);
                    let (meta, arrays) = replay.save("");
                    other.load(&meta, &arrays).unwrap();
                    prop_assert_eq!(other.save(""), replay.save(""));
                    replay = other;
                }
            }
            prop_assert_eq!(priorities(&replay), model.by_cell());
            prop_assert_eq!(replay.drawable().len(), model.priority.len());
            let mut batch = replay.batch::<HostLeaf>(1);
            for (key, (s, column)) in &outstanding {
                let held = *s >= model.oldest();
                prop_assert_eq!(replay.store().holds(*key), held);
                let gathered = replay.gather(&[*key], &mut batch);
                prop_assert_eq!(gathered.is_ok(), held);
                prop_assert!(!held || batch.observation[0].get::<f32>() == place(*s, *column));
            }
        }
        write_back(&mut replay, &mut model, &outstanding, &mut draws);
        prop_assert_eq!(priorities(&replay), model.by_cell());
    }
}

#[test]
fn keys_of_nothing_are_refused() {
    let mut replay = recorded(2, 6, 1);
    let (mut batch, mut stream) = (replay.batch::<HostLeaf>(1), Stream::default());
    stream.extend(&mut rng(1), 4, 2, false);
    replay.append(&stream.block(4)).unwrap();
    for (cell, generation) in [(8, 0), (11, 0), (12, 0), (usize::MAX, 0), (4, 1), (4, u64::MAX)] {
        let key = Key { cell, generation };
        assert!(!replay.store().holds(key));
        let text = replay.gather(&[key], &mut batch).unwrap_err().to_string();
        assert!(text.contains(&format!("key {cell}, generation {generation}")), "{text}");
        assert_eq!(replay.write_back(&[key], &[3.0]), 0);
    }
    assert_eq!(replay.write_back(&[Key { cell: 4, generation: 0 }], &[3.0]), 1);
}
