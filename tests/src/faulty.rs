//! An environment that fails in a given way, at a given call, in the environment of a given rank.
use crate::program::{children, stat, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use rlcore::{CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Space, Step};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Text of the panics and errors.
pub const TEXT: &str = "the simulator is on fire";

/// Exit code of [`Fault::Exit`].
pub const EXIT: i32 = 7;

/// Rank of a fault in all environments.
pub const EVERY: usize = usize::MAX;

/// The way in which an environment fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The process is killed by signal 9.
    Kill,
    /// The process exits.
    Exit,
    /// Panics.
    Panic,
    /// Returns an error.
    Error,
    /// Observes NaN.
    NanObservation,
    /// Returns a reward of NaN.
    NanReward,
    /// Returns an infinite reward.
    InfiniteReward,
    /// Writes an observation of too many elements.
    WrongShape,
    /// Writes an observation of another type.
    WrongType,
    /// Never returns.
    Stall,
    /// No fault: from then on, each call takes this many milliseconds.
    Slow(u64),
    /// Kills the worker of this index once it is waiting for another process; this environment goes on.
    KillSibling(usize),
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The constructor.
    Make,
    /// `reset`.
    Reset,
    /// `step`.
    Step,
}

/// Settings of [`FaultyEnv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faulty {
    /// The fault; `None` for an environment that does not fail.
    pub fault: Option<Fault>,
    /// The call that fails.
    pub place: Place,
    /// In which environment; [`EVERY`] for all.
    pub rank: usize,
    /// Number of successful calls of that kind before it.
    pub at: usize,
}

impl Faulty {
    /// Settings of an environment that does not fail.
    pub fn sound() -> Self {
        Self { fault: None, place: Place::Step, rank: 0, at: 0 }
    }

    fn due(&self, place: Place, rank: usize, calls: usize) -> Option<Fault> {
        let now = match self.fault {
            Some(Fault::Slow(_)) => calls >= self.at,
            _ => calls == self.at,
        };
        let here = self.rank == rank || self.rank == EVERY;
        self.fault.filter(|_| now && self.place == place && here)
    }
}

impl MakeEnv for Faulty {
    type Env = FaultyEnv;

    fn make(&self, context: &EnvContext) -> Result<FaultyEnv, EnvError> {
        let rank = context.env_rank.0;
        if let Some(fault) = self.due(Place::Make, rank, 0) {
            suffer(fault)?;
        }
        Ok(FaultyEnv { settings: *self, rank, resets: 0, steps: 0, left: 0 })
    }
}

/// Faults that end the call, and those that take time.
fn suffer(fault: Fault) -> Result<(), EnvError> {
    match fault {
        Fault::Kill => {
            kill(nix::unistd::getpid(), Signal::SIGKILL).map_err(|e| EnvError::new(e.desc()))?;
            suffer(Fault::Stall)
        }
        Fault::Exit => std::process::exit(EXIT),
        Fault::Panic => panic!("{TEXT}"),
        Fault::Error => Err(EnvError::new(TEXT)),
        Fault::Stall => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
        Fault::Slow(milliseconds) => {
            std::thread::sleep(Duration::from_millis(milliseconds));
            Ok(())
        }
        Fault::KillSibling(which) => {
            let victim = children(getppid().as_raw())[which];
            // It has nothing to sleep for but the others.
            let mut sleeping = 0;
            until("a worker that waits", || {
                sleeping =
                    if stat(victim).is_some_and(|(s, _)| s == 'S') { sleeping + 1 } else { 0 };
                sleeping > 5
            });
            kill(Pid::from_raw(victim), Signal::SIGKILL).map_err(|e| EnvError::new(e.desc()))
        }
        _ => Ok(()),
    }
}

/// Observation `[3] f32`, two actions, episodes of [`EPISODE`] steps.
#[derive(Debug)]
pub struct FaultyEnv {
    settings: Faulty,
    rank: usize,
    resets: usize,
    steps: usize,
    left: usize,
}

/// Steps per episode.
pub const EPISODE: usize = 10;

impl FaultyEnv {
    fn observe(&self, fault: Option<Fault>, seen: &mut CellMut<'_>) -> Result<(), EnvError> {
        match fault {
            Some(Fault::NanObservation) => seen.f32(0).fill(f32::NAN),
            Some(Fault::WrongShape) => seen.write(0, &[0f32; 5])?,
            Some(Fault::WrongType) => seen.f64(0).fill(0.0),
            _ => seen.write(0, &[self.rank as f32, self.steps as f32, self.left as f32])?,
        }
        Ok(())
    }
}

impl Env for FaultyEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation = Space::uniform_box(DType::F32, &[3], 0.0, f64::INFINITY);
        EnvSpaces::new(observation, Space::Discrete { n: 2 })
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let fault = self.settings.due(Place::Reset, self.rank, self.resets);
        self.resets += 1;
        self.left = EPISODE;
        fault.map_or(Ok(()), suffer)?;
        self.observe(fault, observation)
    }

    fn step(
        &mut self,
        _action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let fault = self.settings.due(Place::Step, self.rank, self.steps);
        self.steps += 1;
        self.left -= 1;
        fault.map_or(Ok(()), suffer)?;
        self.observe(fault, observation)?;
        let reward = match fault {
            Some(Fault::NanReward) => f64::NAN,
            Some(Fault::InfiniteReward) => f64::INFINITY,
            _ => 1.0,
        };
        Ok(if self.left == 0 { Step::terminated(reward) } else { Step::running(reward) })
    }
}
