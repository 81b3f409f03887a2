//! Each clause catches its fault: one environment with a switch for every way to be wrong.
use super::*;
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, InfoLeaf, Reduce, Step, from_state, to_state};
use crate::schema::{DType, LeafSpec};
use crate::seed::{self, Rng};
use crate::space::Space;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts every step of every faulty environment: what must not be looked at.
static STEPS_OF_ALL: AtomicU64 = AtomicU64::new(0);

/// Most faults show from this step of an episode on.
const LATE: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    None,
    WrongShape,
    WrongShapeByPanic,
    WrongDtype,
    NanObservation,
    NanReward,
    HugeReward,
    NanInfo,
    PartialWrite,
    ReadsItsCell,
    OutsideSpace,
    MaskAllowsNothing,
    AcceptsStepAfterEnd,
    PanicsAfterEnd,
    AcceptsInvalidAction,
    NotDeterministic,
    IgnoresItsSeed,
    LeaksIntoTheNextSeed,
    SavesHalf,
    LoadFails,
    ForgetsItsSettings,
    FailsAfterLostLife,
    ResetWithoutDone,
    TruncatedWithoutReset,
    TruncatesUndeclared,
    TruncatesTooOften,
    SpacesChange,
    SecondCloseFails,
    UpsideDownBounds,
    MaskOfAnotherLength,
    LoggedArray,
    NotesAfterTheReset,
}

#[derive(Debug, Serialize, Deserialize)]
struct Broken {
    fault: Fault,
    /// Does not travel.
    #[serde(skip)]
    bonus: f64,
}

fn broken(fault: Fault) -> Broken {
    Broken { fault, bonus: if fault == Fault::ForgetsItsSettings { 1.0 } else { 0.0 } }
}

/// A step counter with a random number beside it: 6 steps with a lost life at the third, then the end.
#[derive(Debug)]
struct BrokenEnv {
    fault: Fault,
    bonus: f64,
    steps_ever: usize,
    closed: bool,
    note: Option<String>,
    now: (usize, bool, f32, Rng),
}

impl MakeEnv for Broken {
    type Env = BrokenEnv;

    fn make(&self, _context: &EnvContext) -> Result<BrokenEnv, EnvError> {
        let now = (0, true, 0.0, seed::rng(0));
        Ok(BrokenEnv {
            fault: self.fault,
            bonus: self.bonus,
            steps_ever: 0,
            closed: false,
            note: None,
            now,
        })
    }
}

impl BrokenEnv {
    fn show(&mut self, cell: &mut CellMut<'_>) -> Result<(), EnvError> {
        let (step, _, draw, rng) = &mut self.now;
        *draw = rng.random();
        let late = *step >= LATE;
        let mut noise = [*step as f32 / 10.0, *draw];
        match self.fault {
            Fault::WrongShape if late => return Ok(cell.write(0, &[0f32; 3])?),
            Fault::WrongShapeByPanic if late => cell.f32(0).copy_from_slice(&[0.0; 3]),
            Fault::WrongDtype if late => return Ok(cell.write(0, &[0f64; 2])?),
            Fault::NanObservation if late => noise[1] = f32::NAN,
            Fault::OutsideSpace if late => noise[1] = 1.5,
            Fault::IgnoresItsSeed => noise[1] = 0.0,
            Fault::LeaksIntoTheNextSeed => noise[1] = (self.steps_ever % 97) as f32 / 97.0,
            Fault::NotDeterministic if late => {
                noise[1] = STEPS_OF_ALL.load(Ordering::Relaxed) as f32 / 1e9;
            }
            Fault::ReadsItsCell if late && cell.f32(0)[0] != 0.0 => noise[1] = 0.0,
            _ => {}
        }
        let written = if self.fault == Fault::PartialWrite && late { 1 } else { 2 };
        cell.f32(0)[..written].copy_from_slice(&noise[..written]);
        let nothing = self.fault == Fault::MaskAllowsNothing && late;
        let mask = [u8::from(!nothing), 0];
        let n = cell.u8(1).len();
        cell.u8(1).copy_from_slice(&mask[..n]);
        Ok(())
    }
}

impl Env for BrokenEnv {
    fn spaces(&self) -> EnvSpaces {
        let changed = self.fault == Fault::SpacesChange && self.steps_ever > 5;
        let high = if changed { 2.0 } else { 1.0 };
        let low = if self.fault == Fault::UpsideDownBounds { 3.0 } else { 0.0 };
        let mask = if self.fault == Fault::MaskOfAnotherLength { 1 } else { 2 };
        let observation = Space::Dict(vec![
            ("noise".into(), Space::uniform_box(DType::F32, &[2], low, high)),
            ("mask".into(), Space::uniform_box(DType::Bool, &[mask], 0.0, 1.0)),
        ]);
        let score = if self.fault == Fault::LoggedArray {
            LeafSpec::array("Score", DType::F64, &[2])
        } else {
            LeafSpec::scalar("Score", DType::F64)
        };
        EnvSpaces {
            observation,
            action: Space::Discrete { n: 2 },
            info: vec![InfoLeaf { spec: score, log: Reduce::Sum }],
            truncates_every: match self.fault {
                Fault::TruncatesUndeclared => None,
                Fault::TruncatesTooOften => Some(7),
                _ => Some(6),
            },
            action_mask: Some(1),
        }
    }

    fn seed(&mut self, seed: u64) {
        self.now.3 = seed::rng(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        if self.fault == Fault::NotesAfterTheReset && self.now.0 > 0 {
            self.note = Some(format!("{} steps", self.now.0));
        }
        (self.now.0, self.now.1) = (0, false);
        self.show(observation)
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        assert!(!(self.now.1 && self.fault == Fault::PanicsAfterEnd), "stepped after the end");
        if self.now.1 && self.fault != Fault::AcceptsStepAfterEnd {
            return Err(EnvError::new("over"));
        }
        if !(0..2).contains(&action.discrete()) && self.fault != Fault::AcceptsInvalidAction {
            return Err(EnvError::new("no such action"));
        }
        if self.fault == Fault::FailsAfterLostLife && self.now.0 == 3 {
            return Err(EnvError::new("a new life needs a reset"));
        }
        STEPS_OF_ALL.fetch_add(1, Ordering::Relaxed);
        self.steps_ever += 1;
        self.now.0 += 1;
        let late = self.now.0 >= LATE;
        info.f64(0)[0] = if late && self.fault == Fault::NanInfo { f64::NAN } else { 1.0 };
        let reward = self.bonus
            + match self.fault {
                Fault::NanReward if late => f64::NAN,
                Fault::HugeReward if late => 1e300,
                _ => f64::from(self.now.2),
            };
        let mut step = match self.now.0 {
            3 => Step::life_lost(reward),
            6 => Step::truncated(reward),
            _ => Step::running(reward),
        };
        match self.fault {
            Fault::ResetWithoutDone if step.reset => step.truncated = false,
            Fault::TruncatedWithoutReset if self.now.0 == 5 => step.truncated = true,
            Fault::IgnoresItsSeed => step.reward = 0.0,
            _ => {}
        }
        self.now.1 = step.reset;
        self.show(observation)?;
        Ok(step)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        let mut saved = self.now.clone();
        if self.fault == Fault::SavesHalf {
            saved.3 = seed::rng(0);
        }
        to_state(&saved)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        if self.fault == Fault::LoadFails {
            return Err(EnvError::new("not today"));
        }
        self.now = from_state(state)?;
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<String> {
        let ended = self.now.1 && self.fault != Fault::NotesAfterTheReset;
        let note = ended.then(|| format!("{} steps", self.now.0));
        note.into_iter().chain(self.note.take()).collect()
    }

    fn close(&mut self) {
        assert!(!(self.closed && self.fault == Fault::SecondCloseFails), "closed twice");
        self.closed = true;
    }
}

fn options() -> Options {
    Options { steps: 400, ..Options::default() }
}

#[test]
fn a_sound_environment_passes_and_everything_was_seen() {
    let seen = check(&broken(Fault::None), &options()).unwrap();
    assert_eq!((seen.steps, seen.episodes), (400, 66));
    assert_eq!((seen.truncations, seen.lives_lost), (66, 67));
    assert!(seen.restored > 5, "{seen:?}");
}

/// Broken by a clause that is no longer looked at, and by one that also fires for the fault of another.
#[test]
fn every_fault_is_caught_by_its_clause_alone() {
    let faults = [
        (Fault::WrongShape, Clause::Runs, "holds 2 elements of F32, but 3 of f32"),
        (Fault::WrongShapeByPanic, Clause::Runs, "panicked"),
        (Fault::WrongDtype, Clause::Runs, "holds 2 elements of F32, but 2 of f64"),
        (Fault::NanObservation, Clause::NanObservation, "`observation.noise`"),
        (Fault::NanReward, Clause::FiniteReward, "NaN"),
        (Fault::HugeReward, Clause::FiniteReward, "10000"),
        (Fault::NanInfo, Clause::FiniteInfo, "`Score`"),
        (Fault::PartialWrite, Clause::WholeObservation, "`observation.noise`, element 1"),
        (Fault::ReadsItsCell, Clause::WholeObservation, "`observation.noise`, element 1"),
        (Fault::OutsideSpace, Clause::InsideSpace, "observation.noise[1] = 1.5"),
        (Fault::MaskAllowsNothing, Clause::ActionMask, "step 5"),
        (Fault::AcceptsStepAfterEnd, Clause::StepAfterEnd, "accepted"),
        (Fault::PanicsAfterEnd, Clause::StepAfterEnd, "panicked"),
        (Fault::AcceptsInvalidAction, Clause::InvalidAction, "Action -1 of 0..2"),
        (Fault::NotDeterministic, Clause::Deterministic, "step 5"),
        (Fault::IgnoresItsSeed, Clause::Seeded, "400 steps"),
        (Fault::SavesHalf, Clause::SaveState, "step 2 (episode 1)"),
        (Fault::LoadFails, Clause::SaveState, "not today"),
        (Fault::ForgetsItsSettings, Clause::Settings, "step 1 (episode 1)"),
        (Fault::FailsAfterLostLife, Clause::Runs, "the first after a lost life"),
        (Fault::ResetWithoutDone, Clause::Flags, "without terminated or truncated"),
        (Fault::TruncatesUndeclared, Clause::TruncatesEvery, "never"),
        (Fault::TruncatesTooOften, Clause::TruncatesEvery, "6 steps after"),
        (Fault::SpacesChange, Clause::Spaces, "differs from before"),
        (Fault::SecondCloseFails, Clause::Close, "second"),
        (Fault::UpsideDownBounds, Clause::Spaces, "bounds 3..=1"),
        (Fault::MaskOfAnotherLength, Clause::Spaces, "shape [1], there are 2"),
        (Fault::LoggedArray, Clause::Spaces, "must be a scalar"),
    ];
    for (fault, clause, text) in faults {
        let Err(found) = check(&broken(fault), &options()) else {
            panic!("{fault:?} passes");
        };
        let clauses: Vec<Clause> = found.0.iter().map(|v| v.clause).collect();
        assert_eq!(clauses, [clause], "{fault:?}: {found}");
        assert!(found.0[0].text.contains(text), "{fault:?}: {found}");
        assert!(found.0[0].text.ends_with('.'), "a sentence: {found}");
    }
}

/// These cannot be told apart from what they entail.
#[test]
fn faults_with_consequences_are_caught_as_well() {
    let found = check(&broken(Fault::LeaksIntoTheNextSeed), &options()).unwrap_err();
    assert!(found.0.iter().any(|v| v.clause == Clause::Reseed), "{found}");
    let found = check(&broken(Fault::NotesAfterTheReset), &options()).unwrap_err();
    let late = found.0.iter().find(|v| v.clause == Clause::Notes).unwrap();
    assert!(late.text.contains("[\"6 steps\"]"), "{found}");
    let found = check(&broken(Fault::TruncatedWithoutReset), &options()).unwrap_err();
    assert!(found.0.iter().any(|v| v.clause == Clause::Flags), "{found}");
}

#[test]
fn what_needs_no_seed_says_so() {
    let without = Options { randomness: Randomness::None, ..options() };
    check(&broken(Fault::IgnoresItsSeed), &without).unwrap();
}

/// Settings with every attribute that a format without names cannot read back, as the true journey can.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Sound {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    /// Becomes another on its way.
    Lost {
        #[serde(skip)]
        limit: usize,
        #[serde(rename(deserialize = "never sent"))]
        other: usize,
    },
}

impl MakeEnv for Tagged {
    type Env = BrokenEnv;

    fn make(&self, context: &EnvContext) -> Result<BrokenEnv, EnvError> {
        broken(Fault::None).make(context)
    }
}

/// Broken by a suite that sends settings in another way than workers get them.
#[test]
fn settings_travel_as_they_do_to_workers() {
    for limit in [None, Some(3)] {
        let seen = check(&Tagged::Sound { limit }, &options()).unwrap();
        assert_eq!(seen.steps, 400);
    }
    let found = check(&Tagged::Lost { limit: 1, other: 2 }, &options()).unwrap_err();
    assert_eq!(found.0[0].clause, Clause::Settings);
    assert!(found.0[0].text.contains("never sent"), "{found}");
}

#[test]
fn a_check_that_saw_nothing_fails() {
    let found = check(&broken(Fault::None), &Options { steps: 0, ..options() }).unwrap_err();
    assert!(found.to_string().contains("No step was taken"), "{found}");
}

#[test]
#[should_panic(
    expected = "the environment breaks 1 clause of its contract:\n- InsideSpace: After step 5"
)]
fn a_failed_assertion_lists_the_clauses() {
    assert_conforms(&broken(Fault::OutsideSpace));
}
