//! For tests: a stream of steps that is kept whole, blocks cut from it, and what a replay should
//! say of it.
use super::outcome::Outcome;
use super::{ReplayError, ReplaySettings, TransitionReplay, Uniform};
use rand::RngExt;
use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, flag};
use rlcore::seed::Rng;
use rlcore::{BatchSpec, DType, EnvSpaces, Space};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) reward: f32,
    pub(crate) outcome: Outcome,
}

/// `steps[s][column]`; step s is stored at row `s % rows`.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) steps: Vec<Vec<Step>>,
}

/// What a window should be: return, horizon, end.
pub(crate) type Expected = (f64, usize, Outcome);

pub(crate) const DISCOUNT: f64 = 0.9;

/// Two observation leaves, one of them an image, and a discrete action; every step may truncate.
pub(crate) fn spaces() -> EnvSpaces {
    let observation = Space::Dict(vec![
        ("place".into(), Space::uniform_box(DType::F32, &[2], -1e9, 1e9)),
        ("image".into(), Space::uniform_box(DType::U8, &[3, 1], 0.0, 255.0)),
    ]);
    EnvSpaces {
        truncates_every: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: 1_000_000 })
    }
}

/// A uniform replay of `rows` time steps.
pub(crate) fn replay(
    t: usize,
    b: usize,
    rows: usize,
    n_step: usize,
) -> Result<TransitionReplay, ReplayError> {
    let settings = ReplaySettings { size: rows * b, n_step, discount: DISCOUNT };
    TransitionReplay::new(&spaces(), BatchSpec { t, b }, settings, Box::new(Uniform))
}

/// The float leaf of the observation at step s; the image holds the low bytes of s.
pub(crate) fn place(s: usize, column: usize) -> [f32; 2] {
    [s as f32, column as f32]
}

/// The float leaf of the final observation of step s.
pub(crate) fn final_place(s: usize, column: usize) -> [f32; 2] {
    [-(s as f32) - 0.5, column as f32]
}

pub(crate) fn image(s: usize) -> [u8; 3] {
    [s as u8, (s >> 8) as u8, 7]
}

impl Stream {
    /// Adds a batch of random steps; `waits`: a column that is done skips the rest of it.
    pub(crate) fn extend(&mut self, rng: &mut Rng, steps: usize, columns: usize, waits: bool) {
        let mut waiting = vec![false; columns];
        for _ in 0..steps {
            let row = waiting.iter_mut().map(|waiting| {
                let outcome = match rng.random_range(0..8) {
                    _ if *waiting => Outcome::Skipped,
                    0 => Outcome::Terminated,
                    1 => Outcome::Truncated,
                    _ => Outcome::Running,
                };
                *waiting = waits && outcome != Outcome::Running;
                Step { reward: rng.random_range(-64..64) as f32 / 16.0, outcome }
            });
            self.steps.push(row.collect());
        }
    }

    /// The newest step loses what followed it.
    pub(crate) fn cut(&mut self) {
        for step in self.steps.last_mut().into_iter().flatten() {
            if step.outcome == Outcome::Running {
                step.outcome = Outcome::Skipped;
            }
        }
    }

    /// The last `steps` steps as a block.
    pub(crate) fn block(&self, steps: usize) -> Columns {
        let first = self.steps.len() - steps;
        let mut block = empty_block(&spaces(), steps, self.steps[0].len());
        for t in 0..steps {
            for (column, step) in self.steps[first + t].iter().enumerate() {
                let s = first + t;
                let mut cell = block.observation.cell_mut(t, column);
                cell.f32(0).copy_from_slice(&place(s, column));
                cell.u8(1).copy_from_slice(&image(s));
                block.action.cell_mut(t, column).i64(0)[0] = s as i64 * 10 + column as i64;
                if step.outcome == Outcome::Truncated {
                    let before = (0..t)
                        .filter(|u| self.steps[first + u][column].outcome == Outcome::Truncated);
                    let mut cell = block.final_observation.cell_mut(before.count(), column);
                    cell.f32(0).copy_from_slice(&final_place(s, column));
                    cell.u8(1).copy_from_slice(&image(s));
                }
                set_step(&mut block, t, column, *step);
            }
        }
        block
    }

    /// The window of n steps from s on, over the steps there are.
    pub(crate) fn window(&self, s: usize, column: usize, n: usize, discount: f64) -> Expected {
        let mut sum = 0.0;
        for k in 0..n {
            match self.steps.get(s + k).map(|row| row[column]) {
                None | Some(Step { outcome: Outcome::Skipped, .. }) => {
                    return (sum, k, Outcome::Running);
                }
                Some(step) => sum += discount.powi(k as i32) * step.reward as f64,
            }
            let outcome = self.steps[s + k][column].outcome;
            if outcome != Outcome::Running {
                return (sum, k + 1, outcome);
            }
        }
        (sum, n, Outcome::Running)
    }
}

/// A zeroed block, with room for a final observation at every step where the environment truncates.
pub(crate) fn empty_block(spaces: &EnvSpaces, t: usize, b: usize) -> Columns {
    let (agent, options) = (AgentSchema::default(), BlockOptions::default());
    Columns::owned(&Layout::new(BatchSpec { t, b }, spaces, &agent, options))
}

pub(crate) fn set_step(block: &mut Columns, t: usize, column: usize, step: Step) {
    block.reward.cell_mut(t, column).f32(0)[0] = step.reward;
    let mut flags = block.flags.cell_mut(t, column);
    flags.u8(flag::VALID)[0] = u8::from(step.outcome != Outcome::Skipped);
    flags.u8(flag::TERMINATED)[0] = u8::from(step.outcome == Outcome::Terminated);
    // Where both are set, terminated wins: half of the terminated steps check that.
    let both = step.outcome == Outcome::Terminated && step.reward > 0.0;
    flags.u8(flag::TRUNCATED)[0] = u8::from(both || step.outcome == Outcome::Truncated);
}

/// Elements of bytes at any address.
pub(crate) fn values<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}
