//! The duration of appending a batch to the replay, and of drawing and gathering a minibatch, each beside its bound: `memcpy` of the
//! same bytes, at random places for a minibatch. The bound does not include drawing, computing returns and handling flags.
use super::measure::median;
use algos::replay::{Key, ReplaySettings, TransitionReplay, Transitions, Uniform, Window};
use anyhow::Result;
use rand::RngExt;
use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, flag};
use rlcore::seed::{Rng, rng};
use rlcore::{BatchSpec, DType, EnvSpaces, LeafSpec, Space};
use std::time::Instant;
use tch::Tensor;

const ROUNDS: usize = 5;
/// Minibatches per round.
const MINIBATCHES: usize = 500;

/// A replay that is measured.
struct Case {
    name: &'static str,
    observation: Space,
    spec: BatchSpec,
    /// Transitions in the ring.
    size: usize,
    /// Transitions in a minibatch.
    minibatch: usize,
}

fn cases() -> [Case; 2] {
    let image = Space::uniform_box(DType::U8, &[4, 84, 84], 0.0, 255.0);
    [
        Case {
            name: "[4] f32",
            observation: Space::uniform_box(DType::F32, &[4], -1.0, 1.0),
            spec: BatchSpec { t: 16, b: 16 },
            size: 100_000,
            minibatch: 128,
        },
        Case {
            name: "[4, 84, 84] u8",
            observation: image,
            spec: BatchSpec { t: 16, b: 16 },
            size: 4_096,
            minibatch: 32,
        },
    ]
}

/// One leaf of the bound: a ring of cells, a batch that is copied into it, a minibatch that is copied out of it.
struct Copied {
    /// Bytes per cell.
    cell: usize,
    ring: Vec<u8>,
    batch: Vec<u8>,
    minibatch: Vec<u8>,
    /// Distance from the drawn cell to the cell that is copied, in cells.
    ahead: usize,
    appended: bool,
}

/// `memcpy` of what a replay stores and gathers.
struct Bound {
    leaves: Vec<Copied>,
    cells: usize,
    cursor: usize,
}

impl Bound {
    fn new(case: &Case, observation: usize) -> Self {
        let (b, cells) = (case.spec.b, case.size.next_multiple_of(case.spec.steps()));
        let leaf = |cell: usize, ahead, appended| Copied {
            cell,
            ring: vec![1; cell * cells],
            batch: vec![2; cell * case.spec.steps()],
            minibatch: vec![0; cell * case.minibatch],
            ahead,
            appended,
        };
        let leaves = vec![
            leaf(observation, 0, true),
            leaf(observation, b, false), // the next one
            leaf(size_of::<i64>(), 0, true),
            leaf(size_of::<Window>(), 0, true),
        ];
        Self { leaves, cells, cursor: 0 }
    }

    fn append(&mut self, steps: usize) {
        for leaf in self.leaves.iter_mut().filter(|leaf| leaf.appended) {
            let first = self.cursor * leaf.cell;
            leaf.ring[first..first + leaf.batch.len()].copy_from_slice(&leaf.batch);
        }
        self.cursor = (self.cursor + steps) % self.cells;
    }

    fn gather(&mut self, drawn: &[usize]) {
        // The next observation lies in the ring of the first leaf.
        let (first, rest) = self.leaves.split_at_mut(1);
        let first = &mut first[0];
        copy(&mut first.minibatch, &first.ring, first.cell, drawn, 0);
        for leaf in rest {
            let ring = if leaf.appended { &leaf.ring } else { &first.ring };
            copy(&mut leaf.minibatch, ring, leaf.cell, drawn, leaf.ahead);
        }
    }
}

/// Copies the cells that lie `ahead` cells after the drawn ones.
fn copy(to: &mut [u8], ring: &[u8], cell: usize, drawn: &[usize], ahead: usize) {
    for (to, index) in to.chunks_exact_mut(cell).zip(drawn) {
        let from = (index + ahead) * cell % ring.len();
        to.copy_from_slice(&ring[from..from + cell]);
    }
}

/// A batch of steps in which no episode ends.
fn block(spaces: &EnvSpaces, spec: BatchSpec) -> Columns {
    let layout = Layout::new(spec, spaces, &AgentSchema::default(), BlockOptions::default());
    let mut block = Columns::owned(&layout);
    for t in 0..spec.t {
        block.flags.row_mut(t).get::<u8>(flag::VALID).fill(1);
        for column in 0..spec.b {
            // Written, because memory that never was is one page of zeros, which stays in the cache.
            let mut cell = block.observation.cell_mut(t, column);
            if spaces.observation.leaves("observation")[0].dtype == DType::U8 {
                cell.u8(0).fill(1);
            } else {
                cell.f32(0).fill(1.0);
            }
        }
    }
    block
}

/// A full replay, and its bound.
struct Replay {
    ring: TransitionReplay,
    block: Columns,
    keys: Vec<Key>,
    minibatch: Transitions<Tensor>,
    rng: Rng,
    bound: Bound,
    steps: usize,
}

impl Replay {
    fn new(case: &Case) -> Result<Self> {
        let spaces = EnvSpaces::new(case.observation.clone(), Space::Discrete { n: 2 });
        let settings = ReplaySettings { size: case.size, n_step: 1, discount: 0.99 };
        let ring = TransitionReplay::new(&spaces, case.spec, settings, Box::new(Uniform))?;
        let observation =
            case.observation.leaves("observation").iter().map(LeafSpec::cell_bytes).sum();
        let mut new = Self {
            minibatch: ring.batch(case.minibatch),
            block: block(&spaces, case.spec),
            keys: vec![],
            rng: rng(0),
            bound: Bound::new(case, observation),
            steps: case.spec.steps(),
            ring,
        };
        new.append(case.size.div_ceil(new.steps) + 1)?;
        Ok(new)
    }

    /// Nanoseconds per appended step: of the replay, of the bound.
    fn append(&mut self, batches: usize) -> Result<[f64; 2]> {
        let begun = Instant::now();
        for _ in 0..batches {
            self.ring.append(&self.block)?;
        }
        let ours = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        for _ in 0..batches {
            self.bound.append(self.steps);
        }
        let bound = begun.elapsed().as_secs_f64();
        Ok([ours, bound].map(|s| s / (batches * self.steps) as f64 * 1e9))
    }

    /// Microseconds per minibatch drawn and gathered: of the replay, of the bound.
    fn gather(&mut self) -> Result<[f64; 2]> {
        let n = self.minibatch.len();
        let begun = Instant::now();
        for _ in 0..MINIBATCHES {
            self.keys.clear();
            self.ring.draw(&mut self.rng, n, &mut self.keys)?;
            self.ring.gather(&self.keys, &mut self.minibatch)?;
        }
        let ours = begun.elapsed().as_secs_f64();
        let drawn: Vec<usize> =
            (0..n * MINIBATCHES).map(|_| self.rng.random_range(0..self.bound.cells)).collect();
        let begun = Instant::now();
        for drawn in drawn.chunks_exact(n) {
            self.bound.gather(drawn);
            std::hint::black_box(&self.bound.leaves);
        }
        let bound = begun.elapsed().as_secs_f64();
        Ok([ours, bound].map(|s| s / MINIBATCHES as f64 * 1e6))
    }
}

pub(super) fn run() -> Result<()> {
    for case in cases() {
        let mut replay = Replay::new(&case)?;
        let batches = (case.size / replay.steps).min(100);
        let (mut appends, mut gathers) = (vec![], vec![]);
        for round in 0..=ROUNDS {
            let (append, gather) = (replay.append(batches)?, replay.gather()?);
            if round > 0 {
                appends.push(append);
                gathers.push(gather);
            }
        }
        let append = format!("replay of {}: append, ns a step", case.name);
        let gather = format!("replay of {}: draw and gather {}, us", case.name, case.minibatch);
        for (name, rounds) in [(append, appends), (gather, gathers)] {
            let of = |i: usize| median(rounds.iter().map(|r| r[i]).collect());
            let times = median(rounds.iter().map(|r| r[0] / r[1]).collect());
            crate::say!(
                "{name}: {:.1}, {times:.1} times memcpy of the same bytes ({:.1})",
                of(0),
                of(1)
            );
        }
    }
    Ok(())
}
