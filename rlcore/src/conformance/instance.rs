//! One instance under test, with its own cells; its last results can be compared with those of another instance.
use crate::EnvRank;
use crate::cells::{CellRef, Tree};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step};
use crate::schema::LeafSpec;
use crate::seed::{self, Rng};
use rand::RngExt;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a call failed; completes a sentence that begins with the call.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Error(EnvError),
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(e) => write!(f, "failed: {e}."),
            Self::Panic(text) => write!(f, "panicked: {text}."),
        }
    }
}

/// Calls into the environment, with a panic caught.
pub(super) fn guarded<R>(call: impl FnOnce() -> Result<R, EnvError>) -> Result<R, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Failure::Error),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(Failure::Panic(text.unwrap_or_else(|| "without a message".to_owned())))
        }
    }
}

pub(super) fn build<M: MakeEnv>(settings: &M) -> Result<M::Env, Failure> {
    guarded(|| settings.make(&EnvContext { env_rank: EnvRank(0) }))
}

pub(super) fn spaces_of<E: Env>(env: &E) -> Result<EnvSpaces, Failure> {
    guarded(|| Ok(env.spaces()))
}

/// Content of the observation cell before the environment writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Zero bytes.
    Zero,
    /// Bytes 0xff: NaN, -1, 255.
    Ones,
}

/// An instance.
pub(super) struct Instance<E> {
    env: E,
    paint: Paint,
    observation: Tree,
    info: Tree,
    /// Result of the last step; `None` after a reset.
    pub(super) last: Option<Step>,
    /// Notes of the environment after the last call, if that was a reset or asked for one.
    pub(super) notes: Vec<String>,
}

impl<E: Env> Instance<E> {
    pub(super) fn new<M: MakeEnv<Env = E>>(
        settings: &M,
        declared: &EnvSpaces,
        paint: Paint,
    ) -> Result<Self, Failure> {
        let info: Vec<LeafSpec> = declared.info.iter().map(|i| i.spec.clone()).collect();
        Ok(Self {
            env: build(settings)?,
            paint,
            observation: Tree::owned(&declared.observation.leaves("observation"), 1, 1),
            info: Tree::owned(&info, 1, 1),
            last: None,
            notes: vec![],
        })
    }

    fn painted(&mut self) {
        let mut row = self.observation.row_mut(0);
        row.zero();
        if self.paint == Paint::Ones {
            (0..row.leaves()).for_each(|leaf| row.poison(leaf));
        }
    }

    pub(super) fn spaces(&self) -> Result<EnvSpaces, Failure> {
        spaces_of(&self.env)
    }

    pub(super) fn seed(&mut self, seed: u64) -> Result<(), Failure> {
        guarded(|| {
            self.env.seed(seed);
            Ok(())
        })
    }

    pub(super) fn reset(&mut self) -> Result<(), Failure> {
        self.painted();
        self.last = None;
        guarded(|| self.env.reset(&mut self.observation.cell_mut(0, 0)))?;
        // A slice takes notes before the reset: notes that exist only now would be lost, or belong to the next episode.
        self.notes = guarded(|| Ok(self.env.take_notes()))?;
        Ok(())
    }

    pub(super) fn step(&mut self, action: CellRef<'_>) -> Result<Step, Failure> {
        self.painted();
        self.info.zero();
        let step = guarded(|| {
            let (mut o, mut i) = (self.observation.cell_mut(0, 0), self.info.cell_mut(0, 0));
            self.env.step(action, &mut o, &mut i)
        })?;
        self.last = Some(step);
        self.notes = if step.reset { guarded(|| Ok(self.env.take_notes()))? } else { vec![] };
        Ok(step)
    }

    /// Performs a reset if one is due, otherwise a step.
    pub(super) fn advance(&mut self, action: Option<CellRef<'_>>) -> Result<(), Failure> {
        match action {
            Some(action) => self.step(action).map(|_| ()),
            None => self.reset(),
        }
    }

    pub(super) fn save(&self) -> Result<Option<Vec<u8>>, Failure> {
        guarded(|| Ok(self.env.save_state()))
    }

    pub(super) fn load(&mut self, state: &[u8]) -> Result<(), Failure> {
        guarded(|| self.env.load_state(state))
    }

    pub(super) fn close(&mut self) -> Result<(), Failure> {
        guarded(|| {
            self.env.close();
            Ok(())
        })
    }

    pub(super) fn observation(&self) -> CellRef<'_> {
        self.observation.cell(0, 0)
    }

    pub(super) fn info(&self) -> CellRef<'_> {
        self.info.cell(0, 0)
    }

    /// Plays some steps with its own actions, at most to the end of an episode, and takes the notes.
    pub(super) fn wear(
        &mut self,
        declared: &EnvSpaces,
        seed: u64,
        steps: usize,
    ) -> Result<(), Failure> {
        let mut actions = Actions::new(declared, seed);
        self.seed(seed)?;
        self.reset()?;
        for _ in 0..steps {
            let Some(action) = actions.draw(self.observation()) else { break };
            if self.step(action)?.reset {
                break;
            }
        }
        guarded(|| Ok(self.env.take_notes()))?;
        Ok(())
    }

    /// How the last call differed from that of `other`, or `None` if they agree to the bit; completes a sentence after "in".
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let trees = [(&self.observation, &other.observation), (&self.info, &other.info)];
        // After a reset the cell holds the info of the step before.
        for (mine, theirs) in &trees[..if self.last.is_some() { 2 } else { 1 }] {
            for (leaf, spec) in mine.specs().iter().enumerate() {
                let (a, b) = (mine.cell(0, 0).bytes(leaf), theirs.cell(0, 0).bytes(leaf));
                if let Some(at) = a.iter().zip(b).position(|(a, b)| a != b) {
                    let element = at / spec.dtype.size();
                    let value = |tree: &Tree| tree.cell(0, 0).to_f64(leaf)[element];
                    return Some(format!(
                        "`{}`, element {element} ({} and {})",
                        spec.name,
                        value(mine),
                        value(theirs)
                    ));
                }
            }
        }
        let bits =
            |s: &Option<Step>| s.map(|s| (s.reward.to_bits(), s.terminated, s.truncated, s.reset));
        if bits(&self.last) != bits(&other.last) {
            return Some(format!("what step returned ({:?} and {:?})", self.last, other.last));
        }
        (self.notes != other.notes)
            .then(|| format!("notes ({:?} and {:?})", self.notes, other.notes))
    }
}

/// Random actions that obey the mask.
pub(super) struct Actions {
    rng: Rng,
    spaces: EnvSpaces,
    cell: Tree,
}

impl Actions {
    pub(super) fn new(spaces: &EnvSpaces, seed: u64) -> Self {
        let cell = Tree::owned(&spaces.action.leaves("action"), 1, 1);
        Self { rng: seed::rng(seed), spaces: spaces.clone(), cell }
    }

    /// A uniform draw among the allowed actions; `None` if no action is allowed.
    pub(super) fn draw(&mut self, observation: CellRef<'_>) -> Option<CellRef<'_>> {
        match self.spaces.action_mask {
            None => self.spaces.action.sample(&mut self.rng, &mut self.cell.cell_mut(0, 0)),
            Some(leaf) => {
                let mask = observation.to_f64(leaf);
                let allowed: Vec<usize> = (0..mask.len()).filter(|a| mask[*a] != 0.0).collect();
                if allowed.is_empty() {
                    return None;
                }
                let choice = allowed[self.rng.random_range(0..allowed.len())];
                self.cell.cell_mut(0, 0).i64(0)[0] = choice as i64;
            }
        }
        Some(self.cell.cell(0, 0))
    }

    /// The action that was drawn last, with one changed component.
    pub(super) fn spoiled(&mut self, leaf: usize, element: usize, value: i64) -> CellRef<'_> {
        self.cell.cell_mut(0, 0).i64(leaf)[element] = value;
        self.cell.cell(0, 0)
    }
}
