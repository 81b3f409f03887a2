//! Environments side by side: the columns that one worker steps.
//!
//! [`EnvSlice`] is what a collector sees, one call for each time step; [`EnvColumns`] implements it for any [`Env`] with the
//! environment's own step inlined, so that no indirect call is paid for each environment. Slices stepped elsewhere (another
//! interpreter) implement the same trait.
use crate::cells::{Row, RowMut, StepCells, Tree};
use crate::env::{Env, EnvError, EnvSpaces, SliceError};
use crate::progress::Progress;
use crate::slice::ResetMode;

/// One time step of a slice: rows of the sample block, all columns of the slice.
#[derive(Debug)]
pub struct StepIo<'a> {
    /// Columns to step; others are left alone.
    pub running: &'a [u8],
    /// Actions chosen for this step.
    pub action: Row<'a>,
    /// Where the observations after the step go.
    pub observation: RowMut<'a>,
    /// Rewards.
    pub reward: &'a mut [f32],
    /// Value ends.
    pub terminated: &'a mut [u8],
    /// Cut off.
    pub truncated: &'a mut [u8],
    /// Must be (and under [`ResetMode::AtOnce`] was) reset.
    pub reset: &'a mut [u8],
    /// Numeric info.
    pub info: RowMut<'a>,
    /// True last observations of truncated episodes, `[slots, columns]`; empty where the environment never truncates.
    pub final_observation: &'a mut Tree,
    /// Slots used so far in this batch, by column.
    pub final_used: &'a mut [usize],
    /// Reports which column is being stepped.
    pub progress: &'a Progress,
}

/// The environments of one worker.
pub trait EnvSlice: Send {
    /// Spaces of each environment.
    fn spaces(&self) -> EnvSpaces;
    /// Seeds one environment.
    fn seed(&mut self, column: usize, seed: u64);
    /// Resets one environment into its cell of `observation`.
    fn reset(&mut self, column: usize, observation: &mut RowMut<'_>, progress: &Progress) -> Result<(), SliceError>;
    /// Steps every running environment once.
    fn step(&mut self, io: &mut StepIo<'_>, mode: ResetMode) -> Result<(), SliceError>;
    /// States of all environments, or `None` where one cannot.
    fn save_states(&self) -> Option<Vec<Vec<u8>>>;
    /// Restores one environment.
    fn load_state(&mut self, column: usize, state: &[u8]) -> Result<(), SliceError>;
    /// Free-form notes of one environment.
    fn take_notes(&mut self, column: usize) -> Vec<String>;
    /// Ends all environments in order.
    fn close(&mut self);
}

/// Environments of one type.
#[derive(Debug)]
pub struct EnvColumns<E> {
    envs: Vec<E>,
}

impl<E: Env> EnvColumns<E> {
    /// One column for each environment.
    pub fn new(envs: Vec<E>) -> Self {
        Self { envs }
    }
}

impl<E: Env> EnvSlice for EnvColumns<E> {
    fn spaces(&self) -> EnvSpaces {
        self.envs[0].spaces()
    }

    fn seed(&mut self, column: usize, seed: u64) {
        self.envs[column].seed(seed);
    }

    fn reset(&mut self, column: usize, observation: &mut RowMut<'_>, progress: &Progress) -> Result<(), SliceError> {
        progress.tick(column);
        self.envs[column].reset(&mut observation.cell(column)).map_err(|error| SliceError { column, error })
    }

    fn step(&mut self, io: &mut StepIo<'_>, mode: ResetMode) -> Result<(), SliceError> {
        let failed = |column| move |error: EnvError| SliceError { column, error };
        let n = self.envs.len();
        // One bound check for each row instead of one for each step.
        let (running, reward) = (&io.running[..n], &mut io.reward[..n]);
        let (terminated, truncated, reset) = (&mut io.terminated[..n], &mut io.truncated[..n], &mut io.reset[..n]);
        let mut cells = StepCells::new(io.action, io.observation.reborrow(), io.info.reborrow());
        for (column, env) in self.envs.iter_mut().enumerate() {
            if running[column] == 0 {
                continue;
            }
            io.progress.tick(column);
            cells.move_to(column);
            let step = env
                .step(cells.action, &mut cells.observation, &mut cells.info)
                .map_err(failed(column))?;
            reward[column] = step.reward as f32;
            terminated[column] = u8::from(step.terminated);
            truncated[column] = u8::from(step.truncated);
            reset[column] = u8::from(step.reset);
            if step.done() {
                if step.truncated && !step.terminated {
                    let slot = io.final_used[column];
                    if slot >= io.final_observation.rows() {
                        return Err(failed(column)(EnvError::new(
                            "truncated more often than its spaces declare (truncates_every)",
                        )));
                    }
                    let mut kept = io.final_observation.cell_mut(slot, column);
                    kept.copy_from(cells.observation.as_ref());
                    io.final_used[column] = slot + 1;
                }
                if step.reset && mode == ResetMode::AtOnce {
                    env.reset(&mut cells.observation).map_err(failed(column))?;
                }
            } else if step.reset {
                return Err(failed(column)(EnvError::new(
                    "asks for a reset without terminated or truncated",
                )));
            }
        }
        Ok(())
    }

    fn save_states(&self) -> Option<Vec<Vec<u8>>> {
        self.envs.iter().map(Env::save_state).collect()
    }

    fn load_state(&mut self, column: usize, state: &[u8]) -> Result<(), SliceError> {
        self.envs[column].load_state(state).map_err(|error| SliceError { column, error })
    }

    fn take_notes(&mut self, column: usize) -> Vec<String> {
        self.envs[column].take_notes()
    }

    fn close(&mut self) {
        self.envs.iter_mut().for_each(Env::close);
    }
}
