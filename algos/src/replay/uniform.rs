//! Uniform draws of n-step transitions.
//!
//! After rlpyt's `replays/non_sequence/uniform.py` and the index rule of `replays/n_step.py`:
//! around the cursor, the newest n steps lack their future and the oldest its predecessor.
//! Differences: skipped steps are never drawn, a draw is uniform over what remains, and the
//! transition carries its own bootstrap factor, so that the algorithm needs neither n nor `done_n`.
use super::ReplayError;
use super::column::Column;
use super::n_step::{NStep, Window};
use super::ring::{Outcome, Ring};
use super::state::RingMeta;
use rand::RngExt;
use rlcore::block::Columns;
use rlcore::checkpoint::NamedArray;
use rlcore::seed::Rng;
use rlcore::tensor::slice_mut;
use rlcore::{BatchSpec, LeafSpec};
use tch::{Device, Kind, Tensor};

/// Misses in a row after which a draw counts through all valid steps instead. Reached only where
/// most are skipped.
const TRIES: usize = 32;

/// How much is remembered, and over how many steps rewards are summed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplaySettings {
    /// Transitions, rounded up to a whole number of time steps over all environments.
    pub size: usize,
    /// Length of the return, time steps, at least 1.
    pub n_step: usize,
    /// Discount per time step.
    pub discount: f64,
}

/// N transitions, in host tensors that the next draw overwrites: finish with them (backward
/// included) before it.
#[derive(Debug)]
pub struct Batch {
    /// `[N, shape...]` for each observation leaf.
    pub observation: Vec<Tensor>,
    /// `[N, shape...]` for each action leaf.
    pub action: Vec<Tensor>,
    /// `[N] f32`: discounted n-step return.
    pub return_: Tensor,
    /// `[N] f32`: the factor of the next observation's value, `gamma^horizon`, zero after
    /// termination.
    pub bootstrap: Tensor,
    /// `[N, shape...]` for each observation leaf: after the window, or the final observation of the
    /// step that truncated. Some stored observation where `bootstrap` is zero.
    pub next_observation: Vec<Tensor>,
    /// Row of each transition in the ring.
    pub t: Vec<usize>,
    /// Column of each transition.
    pub b: Vec<usize>,
    windows: Vec<Window>,
}

impl Batch {
    fn new(ring: &Ring, n: usize) -> Self {
        let leaves = |columns: &[Column]| columns.iter().map(|c| c.batch(n)).collect();
        let floats = || Tensor::zeros([n as i64], (Kind::Float, Device::Cpu));
        Self {
            observation: leaves(&ring.observation),
            action: leaves(&ring.action),
            return_: floats(),
            bootstrap: floats(),
            next_observation: leaves(&ring.observation),
            t: Vec::with_capacity(n),
            b: Vec::with_capacity(n),
            windows: Vec::with_capacity(n),
        }
    }
}

/// A ring of steps from which n-step transitions are drawn uniformly, with replacement.
#[derive(Debug)]
pub struct UniformReplay {
    ring: Ring,
    n_step: NStep,
    n_valid: usize,
    batch: Batch,
    batch_size: usize,
}

impl UniformReplay {
    /// An empty replay for blocks of `spec` with these leaves.
    ///
    /// # Errors
    /// A size that cannot hold one append, or the window and what surrounds it.
    pub fn new(
        spec: BatchSpec,
        settings: ReplaySettings,
        observation: &[LeafSpec],
        action: &[LeafSpec],
    ) -> Result<Self, ReplayError> {
        let ReplaySettings { size, n_step, discount } = settings;
        if n_step == 0 || n_step > u16::MAX as usize {
            return Err(ReplayError::BadNStep(n_step));
        }
        let (rows, columns) = (size.div_ceil(spec.b), spec.b);
        let need = spec.t.max(n_step + 2);
        if rows < need {
            return Err(ReplayError::TooSmall { rows, size, columns, need, n_step, batch: spec.t });
        }
        let ring = Ring::new(observation, action, rows, columns);
        let n_step = NStep::new(n_step, discount, rows * columns);
        let batch = Batch::new(&ring, 0);
        Ok(Self { ring, n_step, n_valid: 0, batch, batch_size: 0 })
    }

    /// Copies rows `0..steps` of a block, which continue those appended before.
    ///
    /// # Errors
    /// A truncated step without final observation; then nothing was written.
    pub fn append(&mut self, samples: &Columns, steps: usize) -> Result<(), ReplayError> {
        self.ring.append(samples, steps)?;
        self.refresh(steps);
        Ok(())
    }

    /// See [`Ring::cut`].
    pub fn cut(&mut self) {
        self.ring.cut();
        self.refresh(1);
    }

    fn refresh(&mut self, appended: usize) {
        self.n_step.update(&self.ring, appended);
        let (filled, candidates) = (self.ring.filled(), self.candidates());
        self.n_valid = candidates;
        if candidates > 0 && self.ring.skipped() > 0 {
            let others = (0..self.n_step.n()).chain([filled - 1]);
            let skipped_there: usize = others.map(|age| self.ring.skipped_in(age)).sum();
            self.n_valid -= self.ring.skipped() - skipped_there;
        }
    }

    /// The steps kept.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The return that starts at a step. `done_n` of rlpyt is `end != Running`, `timeout_n` is `end
    /// == Truncated`.
    pub fn window(&self, row: usize, column: usize) -> Window {
        self.n_step.window(row * self.ring.columns() + column)
    }

    /// Transitions that can be drawn.
    pub fn n_valid(&self) -> usize {
        self.n_valid
    }

    /// The `(row, column)` of every transition that can be drawn.
    pub fn valid(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.candidates()).map(|i| self.candidate(i)).filter(|at| self.happened(*at))
    }

    /// Steps with both their predecessor and all of their window in the ring, skipped ones
    /// included: those of ages `n .. filled-1`.
    fn candidates(&self) -> usize {
        self.ring.filled().saturating_sub(self.n_step.n() + 1) * self.ring.columns()
    }

    #[inline]
    fn candidate(&self, index: usize) -> (usize, usize) {
        let oldest = if self.ring.full { self.ring.cursor() } else { 0 };
        let (after_oldest, column) = (index / self.ring.columns(), index % self.ring.columns());
        (self.ring.ahead(oldest, 1 + after_oldest), column)
    }

    #[inline]
    fn happened(&self, (row, column): (usize, usize)) -> bool {
        self.ring.skipped() == 0 || self.ring.step(row, column).outcome != Outcome::Skipped
    }

    #[inline]
    fn draw(&self, rng: &mut Rng) -> (usize, usize) {
        let all = self.candidates();
        for _ in 0..TRIES {
            let at = self.candidate(rng.random_range(0..all));
            if self.happened(at) {
                return at;
            }
        }
        let nth = rng.random_range(0..self.n_valid);
        self.valid().nth(nth).expect("n_valid counts what valid() yields")
    }

    /// Draws `batch` transitions, each uniformly from the valid ones. Allocates only where `batch`
    /// differs from the last.
    ///
    /// # Errors
    /// Nothing can be drawn yet.
    pub fn sample(&mut self, rng: &mut Rng, batch: usize) -> Result<&Batch, ReplayError> {
        if self.n_valid == 0 {
            let (filled, n_step) = (self.ring.filled(), self.n_step.n());
            return Err(ReplayError::NothingToDraw { filled, n_step });
        }
        if batch != self.batch_size {
            self.batch = Batch::new(&self.ring, batch);
            self.batch_size = batch;
        }
        self.batch.t.clear();
        self.batch.b.clear();
        for _ in 0..batch {
            let (t, b) = self.draw(rng);
            self.batch.t.push(t);
            self.batch.b.push(b);
        }
        self.gather();
        Ok(&self.batch)
    }

    // Leaf by leaf, so that the cache misses of many transitions overlap.
    fn gather(&mut self) {
        let Self { ring, n_step, batch, .. } = self;
        let columns = ring.columns();
        let Batch { t, b, windows, .. } = batch;
        windows.clear();
        windows.extend(t.iter().zip(&*b).map(|(t, b)| n_step.window(t * columns + b)));
        let returns = slice_mut::<f32>(&mut batch.return_);
        let bootstraps = slice_mut::<f32>(&mut batch.bootstrap);
        for ((window, r), g) in windows.iter().zip(returns).zip(bootstraps) {
            *r = window.return_;
            *g = n_step.bootstrap(*window);
        }
        let cells = || t.iter().zip(&*b).map(|(t, b)| t * columns + b);
        for (leaf, out) in ring.observation.iter().zip(&mut batch.observation) {
            leaf.gather(out, cells().map(|cell| leaf.cell(cell)));
        }
        for (leaf, out) in ring.action.iter().zip(&mut batch.action) {
            leaf.gather(out, cells().map(|cell| leaf.cell(cell)));
        }
        for (i, (leaf, out)) in ring.observation.iter().zip(&mut batch.next_observation).enumerate()
        {
            let next = t.iter().zip(&*b).zip(&*windows).map(|((t, b), window)| {
                if window.end == Outcome::Truncated {
                    return ring.finals.cell(i, window.final_slot);
                }
                leaf.cell(ring.ahead(*t, window.horizon as usize) * columns + b)
            });
            leaf.gather(out, next);
        }
    }

    /// Everything that later draws depend on, beside the settings; arrays hold the filled part of
    /// the ring.
    pub fn save(&self) -> (RingMeta, Vec<NamedArray<'_>>) {
        self.ring.save()
    }

    /// Takes back what [`UniformReplay::save`] gave; appends and draws then go on as they would
    /// have.
    ///
    /// # Errors
    /// An array that is missing or does not fit, or a ring of another extent; this replay is then
    /// unchanged.
    pub fn load(&mut self, meta: RingMeta, arrays: &[NamedArray<'_>]) -> Result<(), ReplayError> {
        self.ring.load(meta, arrays)?;
        self.refresh(self.ring.filled());
        Ok(())
    }
}
