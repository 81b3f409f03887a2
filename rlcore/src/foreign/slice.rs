//! The slice of a foreign program.
use super::{Program, field};
use crate::env::{EnvError, EnvSpaces};
use crate::slice::{EnvSlice, ResetIo, SliceError, StepIo, Ticks};
use serde_json::json;

/// A slice whose columns a [`Program`] steps.
#[derive(Debug)]
pub struct ForeignSlice {
    program: Program,
    /// Per column: the seed that the next reset uses.
    seeds: Vec<Option<u64>>,
    notes: Vec<(usize, String)>,
}

impl ForeignSlice {
    /// A slice of this many columns.
    pub fn new(program: Program, columns: usize) -> Self {
        Self { program, seeds: vec![None; columns], notes: Vec::new() }
    }

    /// An error in the environment that the program called last.
    fn failed(&self, error: EnvError) -> SliceError {
        let column = self.program.column();
        SliceError::new(column.min(self.seeds.len() - 1), error)
    }
}

impl EnvSlice for ForeignSlice {
    fn spaces(&self) -> EnvSpaces {
        self.program.spaces().clone()
    }

    fn seed(&mut self, column: usize, seed: u64) {
        self.seeds[column] = Some(seed);
    }

    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError> {
        io.ticks.tick(column);
        let order = json!({
            "do": "reset",
            "column": column,
            "seed": self.seeds[column].take(),
            "slot": io.at.slot,
            "row": io.at.row,
        });
        let done = self.program.ask(&order, io.ticks);
        done.map(|_| ()).map_err(|e| SliceError::new(column, e))
    }

    fn begin_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        let ends = &io.ends;
        let begun = self.program.begin_step(io.at, ends.mode(), |column| ends.used(column));
        begun.map_err(|e| self.failed(e))
    }

    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        let notes = self.program.end_step(io.ticks).map_err(|e| self.failed(e))?;
        for column in 0..self.seeds.len() {
            let step = io.recorded(column);
            if io.running[column] != 0 && (step.done() || step.reset) {
                io.ends.end_written(column, step)?;
            }
        }
        if notes > 0 {
            let answer = self.program.ask(&json!({"do": "notes"}), io.ticks);
            let notes = answer.and_then(|a| field::<Vec<(usize, String)>>("", &a, "notes"));
            self.notes.extend(notes.map_err(|e| self.failed(e))?);
        }
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }

    fn save_states(&mut self, ticks: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError> {
        let answer = self.program.ask(&json!({"do": "save"}), ticks);
        let states = answer.and_then(|a| field::<Vec<Option<String>>>("", &a, "states"));
        let states = states.map_err(|e| self.failed(e))?;
        if states.len() != self.seeds.len() {
            let (got, want) = (states.len(), self.seeds.len());
            let text = format!("the program saved {got} environments, it steps {want}");
            return Err(self.failed(EnvError::new(text)));
        }
        let bytes = |state: Option<String>| state.map(|hex| from_hex(&hex)).transpose();
        states.into_iter().map(bytes).collect::<Result<_, _>>().map_err(|e| self.failed(e))
    }

    fn load_state(
        &mut self,
        column: usize,
        state: &[u8],
        ticks: Ticks<'_>,
    ) -> Result<(), SliceError> {
        ticks.tick(column);
        let order = json!({"do": "load", "column": column, "state": hex(state)});
        let done = self.program.ask(&order, ticks);
        done.map(|_| ()).map_err(|e| SliceError::new(column, e))
    }

    fn begin_close(&mut self) {
        self.program.begin_close();
    }

    fn close(&mut self) {
        self.program.close();
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, EnvError> {
    let digit = |pair: &[u8]| -> Option<u8> {
        let pair = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digit).collect();
    bytes.ok_or_else(|| EnvError::new("the program saved a state that is not hexadecimal bytes"))
}
