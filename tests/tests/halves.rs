//! `sampler.overlap`: if set, workers step both halves of an alternating sampler at the same time; if not, never.
#![allow(missing_docs, clippy::unwrap_used)]
use rlcore::slice::ResetMode;
use rlcore::{
    CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, GlobalSteps, MakeEnv, Space,
    Step,
};
use samplers::{HostKind, SamplerKind};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tests::policies::SlicePolicy;
use tests::setups;

/// Number of environments of each half that are being stepped now. Workers are threads of this process.
static STEPPING: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
/// Whether environments of both halves were ever stepped at the same time.
static BOTH: AtomicBool = AtomicBool::new(false);

/// Half of the ten environments of these samplers.
const HALF: usize = 5;

#[derive(Serialize, Deserialize)]
struct Seen {}

struct SeenEnv {
    half: usize,
}

impl MakeEnv for Seen {
    type Env = SeenEnv;

    fn make(&self, context: &EnvContext) -> Result<SeenEnv, EnvError> {
        Ok(SeenEnv { half: context.env_rank.0 / HALF })
    }
}

impl Env for SeenEnv {
    fn spaces(&self) -> EnvSpaces {
        let nothing = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
        EnvSpaces::new(nothing, Space::Discrete { n: 2 })
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        Ok(observation.write(0, &[0f32])?)
    }

    fn step(
        &mut self,
        _action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        STEPPING[self.half].fetch_add(1, Ordering::SeqCst);
        // Long enough for others to begin in the meantime.
        for _ in 0..20 {
            if STEPPING[1 - self.half].load(Ordering::SeqCst) > 0 {
                BOTH.store(true, Ordering::SeqCst);
            }
            std::thread::yield_now();
        }
        STEPPING[self.half].fetch_sub(1, Ordering::SeqCst);
        observation.write(0, &[1f32])?;
        Ok(Step::running(0.0))
    }
}

/// Whether both halves were stepped at the same time within this many batches.
fn both(overlap: bool, batches: u64) -> bool {
    let mut serial = setups::serial(&Seen {}, &SlicePolicy::default(), 20, ResetMode::AtOnce);
    (serial.eval, serial.config.max_decorrelation_steps) = (None, 0);
    let mut setup = setups::parallel(&serial, SamplerKind::Alternating, 3, HostKind::Thread);
    setup.config.overlap = overlap;
    let mut sampler = samplers::build(setup).unwrap();
    BOTH.store(false, Ordering::SeqCst);
    for i in 0..batches {
        sampler.obtain_samples(GlobalSteps(i)).unwrap();
        if BOTH.load(Ordering::SeqCst) {
            return true;
        }
    }
    false
}

#[test]
fn halves_step_at_once_if_they_may_and_never_if_not() {
    assert!(both(true, 2000), "they never overlap");
    assert!(!both(false, 100), "they overlap");
}
