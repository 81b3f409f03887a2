//! The slice of environments of one type: steps each [`Env`] in turn, with its step inlined, so that there is no indirect call per
//! environment.
use crate::cells::StepCells;
use crate::env::{Env, EnvSpaces};
use crate::slice::{EnvSlice, ResetIo, SliceError, StepIo, Ticks};

/// Environments of one type.
#[derive(Debug)]
pub struct EnvColumns<E> {
    envs: Vec<E>,
    notes: Vec<(usize, String)>,
}

impl<E: Env> EnvColumns<E> {
    /// A slice with one column per environment.
    pub fn new(envs: Vec<E>) -> Self {
        Self { envs, notes: Vec::new() }
    }
}

impl<E: Env> EnvSlice for EnvColumns<E> {
    fn spaces(&self) -> EnvSpaces {
        self.envs[0].spaces()
    }

    fn seed(&mut self, column: usize, seed: u64) {
        self.envs[column].seed(seed);
    }

    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError> {
        io.ticks.tick(column);
        let reset = self.envs[column].reset(&mut io.observation.cell(column));
        reset.map_err(|e| SliceError::new(column, e))
    }

    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        let n = self.envs.len();
        // One bounds check per row instead of one per step.
        let (running, reward) = (&io.running[..n], &mut io.reward[..n]);
        let (terminated, truncated, reset) =
            (&mut io.terminated[..n], &mut io.truncated[..n], &mut io.reset[..n]);
        let mut cells = StepCells::new(io.action, io.observation.reborrow(), io.info.reborrow());
        let ticks = io.ticks;
        for (column, env) in self.envs.iter_mut().enumerate() {
            if running[column] == 0 {
                continue;
            }
            ticks.tick(column);
            cells.move_to(column);
            let stepped = env.step(cells.action, &mut cells.observation, &mut cells.info);
            // PERF: read by reference, field by field: moved as a whole, a step is loaded in one piece before the stores of its
            // fields have left the store buffer, and that wait was a third of a CartPole step (`experiments bench samplers --only random`).
            let step = match &stepped {
                Ok(step) => step,
                Err(error) => return Err(SliceError::new(column, error.clone())),
            };
            reward[column] = step.reward as f32;
            terminated[column] = u8::from(step.terminated);
            truncated[column] = u8::from(step.truncated);
            reset[column] = u8::from(step.reset);
            if !step.done() && !step.reset {
                continue;
            }
            let reset_now = io.ends.end(column, *step, cells.observation.as_ref())?;
            if step.reset {
                let notes = env.take_notes().into_iter();
                self.notes.extend(notes.map(|note| (column, note)));
            }
            if reset_now {
                ticks.tick(column);
                env.reset(&mut cells.observation).map_err(|e| SliceError::new(column, e))?;
            }
        }
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }

    fn save_states(&mut self, ticks: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError> {
        let save = |(column, env): (usize, &E)| {
            ticks.tick(column);
            env.save_state()
        };
        Ok(self.envs.iter().enumerate().map(save).collect())
    }

    fn load_state(
        &mut self,
        column: usize,
        state: &[u8],
        ticks: Ticks<'_>,
    ) -> Result<(), SliceError> {
        ticks.tick(column);
        self.envs[column].load_state(state).map_err(|e| SliceError::new(column, e))
    }

    fn close(&mut self) {
        self.envs.iter_mut().for_each(Env::close);
    }
}
