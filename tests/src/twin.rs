//! The toy environment of `toy.py` in Rust, and the slice whose environments `toy.py` steps.
use rlcore::env::{from_state, to_state};
use rlcore::factory::{MakeSlice, SlicePlace};
use rlcore::foreign::{ForeignSlice, Program};
use rlcore::progress::Progress;
use rlcore::slice::{EnvSlice, ResetIo, SliceError, StepIo, Ticks};
use rlcore::{
    CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvRank, EnvSpaces, InfoLeaf, LeafSpec,
    MakeEnv, Reduce, Space, Step,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

const TRUNCATES_EVERY: usize = 7;

/// Rank of the environment whose state neither side can save.
const UNSAVED: usize = 9;

/// Settings of [`TwinEnv`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Twin {}

impl MakeEnv for Twin {
    type Env = TwinEnv;

    fn make(&self, context: &EnvContext) -> Result<TwinEnv, EnvError> {
        let now = Now { draws: 0, x: 0, steps: 0, over: true };
        Ok(TwinEnv { rank: context.env_rank.0, now })
    }
}

/// Observation: position `[2] f32`, image `[3] u8`; three actions; lost lives, ends, truncations, an info and notes.
#[derive(Debug)]
pub struct TwinEnv {
    rank: usize,
    now: Now,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Now {
    draws: u32,
    x: i64,
    steps: i64,
    over: bool,
}

impl TwinEnv {
    fn observe(&self, cell: &mut CellMut<'_>) {
        let Now { x, steps, .. } = self.now;
        cell.f32(0).copy_from_slice(&[x as f32 / 8.0, steps as f32 / 16.0]);
        for (i, byte) in cell.u8(1).iter_mut().enumerate() {
            *byte = (x * 7 + steps * 3 + i as i64).rem_euclid(256) as u8;
        }
    }
}

impl Env for TwinEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation = Space::Dict(vec![
            ("position".into(), Space::uniform_box(DType::F32, &[2], -8.0, 8.0)),
            ("image".into(), Space::uniform_box(DType::U8, &[3], 0.0, 255.0)),
        ]);
        let steps = InfoLeaf { spec: LeafSpec::scalar("steps", DType::I64), log: Reduce::Last };
        EnvSpaces {
            info: vec![steps],
            truncates_every: Some(TRUNCATES_EVERY),
            ..EnvSpaces::new(observation, Space::Discrete { n: 3 })
        }
    }

    fn seed(&mut self, seed: u64) {
        self.now.draws = seed as u32;
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let draws = self.now.draws.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.now = Now { draws, x: i64::from((draws >> 16) % 4), steps: 0, over: false };
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let now = &mut self.now;
        if now.over {
            return Err(EnvError::new("stepped after the end"));
        }
        now.x += action.discrete() - 1;
        now.steps += 1;
        let ended = now.x >= 6;
        let truncated = now.steps >= TRUNCATES_EVERY as i64;
        now.over = ended || truncated;
        let step = Step {
            reward: 0.25 * now.x.rem_euclid(5) as f64,
            terminated: ended || now.x == -2,
            truncated,
            reset: now.over,
        };
        info.i64(0)[0] = now.steps;
        self.observe(observation);
        Ok(step)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        if self.rank == UNSAVED { None } else { to_state(&self.now) }
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.now = from_state(state)?;
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<String> {
        vec![format!("{} steps to {}", self.now.steps, self.now.x)]
    }
}

/// Settings of a slice whose environments `toy.py` steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Foreign {
    /// Most columns per program.
    pub most: usize,
    /// The fault, as `toy.py` understands it.
    pub fault: Option<Fault>,
    /// Seconds that a program takes before it constructs its first environment.
    pub start: f64,
    /// Environments by rank, and the seconds that each step of theirs takes.
    pub slow: Vec<(usize, f64)>,
    /// Longest time without progress, seconds.
    pub limit: f64,
    /// An argument that the program ignores.
    pub mark: String,
}

impl Foreign {
    /// Programs of at most so many columns, without fault.
    pub fn sound(most: usize) -> Self {
        Self { most, limit: 20.0, mark: mark(), ..Self::default() }
    }
}

/// An argument by which this process recognises its programs.
pub fn mark() -> String {
    format!("--of-test-{}", std::process::id())
}

/// The fault of a program: the call, the environment and the way of failing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// `make`, `reset` or `step`.
    pub call: String,
    /// `exit`, `raise` or `hang`.
    pub how: String,
    /// Of the environment.
    pub rank: usize,
}

impl Foreign {
    fn program(
        &self,
        contexts: &[EnvContext],
        place: &SlicePlace,
        ticks: Ticks<'_>,
    ) -> Result<Program, SliceError> {
        let mut python = Command::new(crate::python::path());
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seam/toy.py")).arg(&self.mark);
        let slow: BTreeMap<_, _> =
            self.slow.iter().map(|(rank, s)| (rank.to_string(), s)).collect();
        let settings = json!({ "fault": self.fault, "start": self.start, "slow": slow });
        let limit = Duration::from_secs_f64(self.limit);
        Program::start(python, settings, contexts, place, ticks, limit)
    }
}

impl MakeSlice for Foreign {
    fn most_columns(&self) -> usize {
        self.most
    }

    fn spaces(&self) -> Result<EnvSpaces, EnvError> {
        let progress = Progress::default();
        // None of the environments that are to fail.
        let context = EnvContext { env_rank: EnvRank(usize::MAX) };
        let one = self.program(&[context], &SlicePlace::default(), Ticks::new(&progress));
        let mut one = one.map_err(|e| e.error)?;
        let spaces = one.spaces().clone();
        one.close();
        Ok(spaces)
    }

    fn make(
        &self,
        contexts: &[EnvContext],
        place: &SlicePlace,
        ticks: Ticks<'_>,
    ) -> Result<Box<dyn EnvSlice>, SliceError> {
        let program = self.program(contexts, place, ticks)?;
        Ok(Box::new(ForeignSlice::new(program, contexts.len())))
    }
}

/// The same environments as one native slice of a user's own, which steps all of them in one go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vectored {
    /// Columns of one slice.
    pub most: usize,
}

impl MakeSlice for Vectored {
    fn most_columns(&self) -> usize {
        self.most
    }

    fn spaces(&self) -> Result<EnvSpaces, EnvError> {
        Ok(Twin {}.make(&EnvContext { env_rank: EnvRank(0) })?.spaces())
    }

    fn make(
        &self,
        contexts: &[EnvContext],
        _place: &SlicePlace,
        ticks: Ticks<'_>,
    ) -> Result<Box<dyn EnvSlice>, SliceError> {
        let one = |(column, context)| {
            ticks.tick(column);
            Twin {}.make(context).map_err(|e| SliceError::new(column, e))
        };
        let twins = contexts.iter().enumerate().map(one).collect::<Result<_, _>>()?;
        Ok(Box::new(VectoredSlice { twins, notes: Vec::new() }))
    }
}

/// See [`Vectored`]: the loop of the contract in [`rlcore::slice`].
#[derive(Debug)]
struct VectoredSlice {
    twins: Vec<TwinEnv>,
    notes: Vec<(usize, String)>,
}

impl EnvSlice for VectoredSlice {
    fn spaces(&self) -> EnvSpaces {
        self.twins[0].spaces()
    }

    fn seed(&mut self, column: usize, seed: u64) {
        self.twins[column].seed(seed);
    }

    fn reset(&mut self, column: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError> {
        io.ticks.tick(column);
        let cell = &mut io.observation.cell(column);
        self.twins[column].reset(cell).map_err(|e| SliceError::new(column, e))
    }

    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        for (column, twin) in self.twins.iter_mut().enumerate() {
            if io.running[column] == 0 {
                continue;
            }
            io.ticks.tick(column);
            let failed = |e| SliceError::new(column, e);
            let (mut observation, mut info) = (io.observation.cell(column), io.info.cell(column));
            let step = twin.step(io.action.cell(column), &mut observation, &mut info);
            let step = step.map_err(failed)?;
            let reset = io.record(column, step)?;
            if step.reset {
                self.notes.extend(twin.take_notes().into_iter().map(|note| (column, note)));
            }
            if reset {
                twin.reset(&mut io.observation.cell(column)).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }

    fn save_states(&mut self, ticks: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError> {
        let one = |(column, twin): (usize, &TwinEnv)| {
            ticks.tick(column);
            twin.save_state()
        };
        Ok(self.twins.iter().enumerate().map(one).collect())
    }

    fn load_state(
        &mut self,
        column: usize,
        state: &[u8],
        ticks: Ticks<'_>,
    ) -> Result<(), SliceError> {
        ticks.tick(column);
        self.twins[column].load_state(state).map_err(|e| SliceError::new(column, e))
    }

    fn close(&mut self) {}
}
