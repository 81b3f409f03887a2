//! Several slices side by side are one slice; the ends of episodes.
use super::*;
use crate::batch_spec::EnvRank;
use crate::block::{AgentSchema, Block, BlockOptions, Columns, Layout, flag};
use crate::env::{Env, EnvContext, MakeEnv};
use crate::envs::columns::EnvColumns;
use crate::envs::{DictToy, TimeLimit};
use crate::seed;
use crate::{BatchSpec, Tree};
use rand::RngExt;
use std::sync::{Arc, Mutex};

const N: usize = 5;
const T: usize = 40;

fn settings() -> TimeLimit<DictToy> {
    TimeLimit { env: DictToy { lives: 2 }, max_steps: 6 }
}

fn columns(ranks: Range<usize>) -> Box<dyn EnvSlice> {
    let make = |rank| settings().make(&EnvContext { env_rank: EnvRank(rank) }).unwrap();
    Box::new(EnvColumns::new(ranks.map(make).collect()))
}

/// A batch of steps with random actions that the mask allows, and the notes after each step.
fn play(slice: &mut dyn EnvSlice, mode: ResetMode) -> (Columns, Vec<Vec<(usize, String)>>) {
    let spaces = slice.spaces();
    let agent = AgentSchema::default();
    let layout = Layout::new(BatchSpec { t: T, b: N }, &spaces, &agent, BlockOptions::default());
    let mut c = Block::create(layout).unwrap().columns(0..N);
    let progress = Progress::default();
    let ticks = Ticks::new(&progress);
    let (mut rng, mut used, mut notes) = (seed::rng(3), vec![0; N], vec![]);
    for column in 0..N {
        slice.seed(column, 10 + column as u64);
        let at = BlockRow { slot: 0, row: 0 };
        let mut io = ResetIo { at, observation: c.observation.row_mut(0), ticks };
        slice.reset(column, &mut io).unwrap();
    }
    let mut running = vec![1; N];
    for t in 0..T {
        for column in (0..N).filter(|column| running[*column] != 0) {
            let mask = c.observation.cell(t, column).u8(2).to_vec();
            let allowed: Vec<i64> = (0..4).filter(|a| mask[*a as usize] != 0).collect();
            let action = allowed[rng.random_range(0..allowed.len())];
            c.action.cell_mut(t, column).i64(0)[0] = action;
        }
        let [terminated, truncated, reset, valid] = c.flags.row_mut(t).split::<u8, 4>();
        valid.copy_from_slice(&running);
        let [reward] = c.reward.row_mut(t).split::<f32, 1>();
        let mut io = StepIo {
            at: BlockRow { slot: 0, row: t },
            running: &running,
            action: c.action.row(t),
            observation: c.observation.row_mut(t + 1),
            reward,
            terminated,
            truncated,
            reset,
            info: c.env_info.row_mut(t),
            ends: Ends::new(mode, &mut c.final_observation, &mut used),
            ticks,
        };
        slice.begin_step(&mut io).unwrap();
        slice.end_step(&mut io).unwrap();
        notes.push(slice.take_notes());
        if mode == ResetMode::Wait {
            let reset = c.flags.row(t).get::<u8>(flag::RESET);
            running.iter_mut().zip(reset).for_each(|(r, ended)| *r &= 1 - ended);
        }
    }
    if mode == ResetMode::AtOnce {
        assert_eq!(progress.column(), N - 1, "ticks count columns of the whole");
    }
    (c, notes)
}

fn bytes(tree: &Tree) -> Vec<u8> {
    let rows = 0..tree.rows();
    rows.flat_map(|row| {
        (0..tree.specs().len()).flat_map(move |leaf| tree.row_bytes(leaf, row).to_vec())
    })
    .collect()
}

/// Broken by a column that is counted from the wrong slice: cells, flags, final observations, notes, states.
#[test]
fn several_slices_are_one() {
    for mode in [ResetMode::AtOnce, ResetMode::Wait] {
        let parts = [0..2, 2..3, 3..N].map(|ranks| (ranks.clone(), columns(ranks)));
        let (mut one, mut several) = (columns(0..N), Several::new(parts.into()));
        let ((a, noted), (b, noted_too)) = (play(&mut *one, mode), play(&mut several, mode));
        for ((part, a), (_, b)) in a.parts().iter().zip(&b.parts()) {
            assert_eq!(bytes(a), bytes(b), "{part:?}");
        }
        assert!(a.final_observation.row_bytes(0, 0).iter().any(|byte| *byte != 0));
        assert_eq!(noted, noted_too);
        let progress = Progress::default();
        let states = |slice: &mut dyn EnvSlice| slice.save_states(Ticks::new(&progress)).unwrap();
        let saved = states(&mut *one);
        assert_eq!(saved, states(&mut several));
        let other = saved[0].clone().unwrap();
        several.load_state(4, &other, Ticks::new(&progress)).unwrap();
        assert_eq!(progress.column(), 4, "loading ticks the column of the whole");
        assert_eq!(states(&mut several)[4], saved[0]);
    }
}

/// Broken by notes that are taken after the reset, and by those of another column or step.
#[test]
fn notes_tell_of_the_episode_that_ended() {
    let (c, notes) = play(&mut *columns(0..N), ResetMode::AtOnce);
    let mut began = [0; N];
    let mut told = 0;
    for (t, notes) in notes.iter().enumerate() {
        let mut want = Vec::new();
        for (column, began) in began.iter_mut().enumerate() {
            if c.flags.cell(t, column).u8(flag::RESET)[0] != 0 {
                want.push((column, format!("walked {} steps", t + 1 - *began)));
                *began = t + 1;
            }
        }
        assert_eq!(notes.len(), want.len(), "step {t}");
        for ((column, note), (of, begins)) in notes.iter().zip(&want) {
            assert!(column == of && note.starts_with(begins), "step {t}: {note} of {column}");
        }
        told += notes.len();
    }
    assert!(told > 10, "{told} episodes ended");
}

#[test]
fn what_breaks_the_rules_of_an_end_is_an_error() {
    let specs = settings().make(&EnvContext { env_rank: EnvRank(0) }).unwrap().spaces();
    let specs = specs.observation.leaves("observation");
    let seen = Tree::owned(&specs, 1, 1);
    let (mut finals, mut used) = (Tree::owned(&specs, 1, 3), vec![0; 3]);
    let mut all = Ends::new(ResetMode::AtOnce, &mut finals, &mut used);
    let mut ends = all.part(1..3);
    let mut end = |step| ends.end(1, step, seen.cell(0, 0));
    let no_reason = Step { terminated: false, ..Step::terminated(0.0) };
    assert!(end(no_reason).unwrap_err().to_string().contains("without terminated or truncated"));
    assert_eq!(end(Step::life_lost(0.0)), Ok(false));
    assert_eq!(end(Step::terminated(0.0)), Ok(true));
    assert_eq!(end(Step::truncated(0.0)), Ok(true));
    let error = end(Step::truncated(0.0)).unwrap_err();
    assert!(error.column == 1 && error.to_string().contains("truncates_every"), "{error}");
    assert_eq!(used, [0, 0, 1]);
}

/// A slice that notes what it is told.
struct Logging {
    name: &'static str,
    log: Arc<Mutex<Vec<String>>>,
}

impl Logging {
    fn note(&self, call: &str) {
        self.log.lock().unwrap().push(format!("{call} {}", self.name));
    }
}

impl EnvSlice for Logging {
    fn spaces(&self) -> EnvSpaces {
        settings().make(&EnvContext { env_rank: EnvRank(0) }).unwrap().spaces()
    }
    fn seed(&mut self, _: usize, _: u64) {}
    fn reset(&mut self, _: usize, io: &mut ResetIo<'_>) -> Result<(), SliceError> {
        // Every action is allowed.
        io.observation.cell(0).u8(2).fill(1);
        Ok(())
    }
    fn begin_step(&mut self, _: &mut StepIo<'_>) -> Result<(), SliceError> {
        self.note("begin");
        Ok(())
    }
    fn end_step(&mut self, io: &mut StepIo<'_>) -> Result<(), SliceError> {
        io.observation.cell(0).u8(2).fill(1);
        self.note("end");
        Ok(())
    }
    fn take_notes(&mut self) -> Vec<(usize, String)> {
        vec![]
    }
    fn save_states(&mut self, _: Ticks<'_>) -> Result<Vec<Option<Vec<u8>>>, SliceError> {
        Ok(vec![None])
    }
    fn load_state(&mut self, _: usize, _: &[u8], _: Ticks<'_>) -> Result<(), SliceError> {
        Ok(())
    }
    fn begin_close(&mut self) {
        self.note("begin_close");
    }
    fn close(&mut self) {
        self.note("close");
    }
}

/// Broken by a step, or an end, that goes through the slices one by one: their programs would work in turn.
#[test]
fn all_slices_begin_before_one_is_waited_for() {
    let log = Arc::new(Mutex::new(vec![]));
    let part = |column: usize, name| -> (Range<usize>, Box<dyn EnvSlice>) {
        (column..column + 1, Box::new(Logging { name, log: log.clone() }))
    };
    let names = ["a", "b", "c", "d", "e"];
    let mut several =
        Several::new(names.into_iter().enumerate().map(|(i, name)| part(i, name)).collect());
    let _ = play(&mut several, ResetMode::Wait);
    let each = |call: &str| names.map(|name| format!("{call} {name}"));
    let step = [each("begin"), each("end")].concat();
    assert_eq!(log.lock().unwrap()[..2 * step.len()], [&step[..], &step].concat());
    log.lock().unwrap().clear();
    several.close();
    assert_eq!(*log.lock().unwrap(), [each("begin_close"), each("close")].concat());
}
