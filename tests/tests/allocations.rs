//! Our code does not allocate on the step path: all allocations of this process, in all threads, are counted while batches are
//! collected. The agents do not use libtorch, because a model's operations may allocate.
//!
//! This is the only file in `tests` with unsafe code: a counting allocator needs it.
#![allow(missing_docs)]
use agents::{AgentFactory, RandomAgentConfig};
use algos::replay::{HostLeaf, ReplaySettings, TransitionReplay, Uniform};
use libtest_mimic::Failed;
use rlcore::block::{self, AgentSchema, BlockOptions, Columns, flag};
use rlcore::checkpoint::{CheckpointReader, CheckpointWriter, Prefixed};
use rlcore::envs::{
    Acrobot, CartPole, Catch, MountainCar, MountainCarContinuous, Pendulum, TimeLimit,
};
use rlcore::seed::rng;
use rlcore::slice::ResetMode;
use rlcore::{
    BatchSpec, CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, GlobalSteps, InfoLeaf,
};
use rlcore::{LeafSpec, MakeEnv, Reduce, Space, Step};
use samplers::{HostKind, SamplerKind, Setup};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use tests::policies::SlicePolicy;
use tests::{Body, setups};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Bytes allocated so far, including those that were freed since.
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches two atomics and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise about `layout` is what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: as above, for all three; `ptr` came from `System`, since every allocation here does.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Number of counts, of which the least is used: a new thread allocates when the kernel first runs it.
const ROUNDS: usize = 5;
const BATCHES: usize = 100;

fn nothing_allocates(setup: Setup) -> Result<(), Failed> {
    let mut sampler = samplers::build(setup)?;
    let (mut episodes, mut counts) = (0, vec![]);
    for _ in 0..ROUNDS {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for i in 0..BATCHES {
            sampler.obtain_samples(GlobalSteps(i as u64))?;
        }
        counts.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
        episodes += sampler.obtain_samples(GlobalSteps(0))?.trajectories().len();
    }
    if episodes == 0 {
        return Err("no episode ended: resets are not on this path".into());
    }
    if counts.contains(&0) {
        return Ok(());
    }
    Err(format!("allocations in rounds of {BATCHES} batches: {counts:?}").into())
}

/// The counting allocator counts.
fn allocations_are_counted() -> Result<(), Failed> {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    drop(std::hint::black_box(Box::new(1)));
    let seen = ALLOCATIONS.load(Ordering::Relaxed) - before;
    if seen == 1 { Ok(()) } else { Err(format!("{seen} allocations of one").into()) }
}

/// Saving and loading a replay never hold it twice, and drawing into a batch does not allocate.
fn a_replay_is_held_once() -> Result<(), Failed> {
    let spec = BatchSpec { t: 50, b: 4 };
    let seen = Space::uniform_box(DType::F32, &[200], 0.0, 1.0);
    let spaces =
        EnvSpaces { truncates_every: Some(25), ..EnvSpaces::new(seen, Space::Discrete { n: 2 }) };
    let settings = ReplaySettings { size: 20_000, n_step: 3, discount: 0.99 };
    let replay = || TransitionReplay::new(&spaces, spec, settings, Box::new(Uniform));
    let layout =
        block::Layout::new(spec, &spaces, &AgentSchema::default(), BlockOptions::default());
    let mut block = Columns::owned(&layout);
    for t in 0..spec.t {
        for b in 0..spec.b {
            let mut flags = block.flags.cell_mut(t, b);
            flags.u8(flag::VALID)[0] = 1;
            flags.u8(flag::TRUNCATED)[0] = u8::from(t % 25 == 24);
        }
    }
    let mut one = replay()?;
    for _ in 0..101 {
        one.append(&block)?;
    }
    let whole = one.bytes();
    let beside = |what: &str, begun: u64| {
        let taken = BYTES.load(Ordering::Relaxed) - begun;
        let said = format!("{what} takes {taken} bytes beside {whole}");
        if taken < whole / 10 { Ok(()) } else { Err(Failed::from(said)) }
    };
    let root = tempfile::tempdir()?;
    let dir = root.path().join("step_000000000001");
    let begun = BYTES.load(Ordering::Relaxed);
    let (meta, arrays) = one.save("replay/");
    let mut writer = CheckpointWriter::new();
    for a in arrays {
        writer.array(&a.name, a.dtype, &a.shape, a.bytes)?;
    }
    writer.commit(&dir)?;
    beside("saving", begun)?;
    let (mut two, reader) = (replay()?, CheckpointReader::open(&dir)?);
    let begun = BYTES.load(Ordering::Relaxed);
    two.load(&meta, &Prefixed::new(&reader, "replay/"))?;
    beside("loading", begun)?;
    if one.save("") != two.save("") {
        return Err("another replay was loaded than was saved".into());
    }

    let (mut keys, mut batch) = (Vec::new(), two.batch::<HostLeaf>(32));
    let mut counts = vec![];
    for update in 0..10 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        keys.clear();
        two.draw(&mut rng(update), 32, &mut keys)?;
        two.gather(&keys, &mut batch)?;
        two.write_back(&keys, &[1.0; 32]);
        counts.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    // The first makes room for the keys; the least counts, for the reason that `ROUNDS` gives.
    if counts[1..].contains(&0) {
        return Ok(());
    }
    Err(format!("allocations in draws: {counts:?}").into())
}

fn setup(env: &impl MakeEnv, reset: ResetMode) -> Setup {
    let mut setup = setups::serial(env, &RandomAgentConfig::default(), 16, reset);
    setup.config.b = 64;
    setup.eval = None;
    setup.options = BlockOptions::default();
    setup
}

/// An environment that logs an info of its own.
#[derive(serde::Serialize, serde::Deserialize)]
struct Logging {}

struct LoggingEnv {
    steps: u32,
}

impl MakeEnv for Logging {
    type Env = LoggingEnv;

    fn make(&self, _context: &EnvContext) -> Result<LoggingEnv, EnvError> {
        Ok(LoggingEnv { steps: 0 })
    }
}

impl Env for LoggingEnv {
    fn spaces(&self) -> EnvSpaces {
        let score = LeafSpec::scalar("Score", DType::F32);
        let seen = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
        let info = vec![InfoLeaf { spec: score, log: Reduce::Sum }];
        EnvSpaces { info, ..EnvSpaces::new(seen, Space::Discrete { n: 2 }) }
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        self.steps = 0;
        Ok(observation.write(0, &[0f32])?)
    }

    fn step(
        &mut self,
        _action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        self.steps += 1;
        observation.write(0, &[1f32])?;
        info.write(0, &[2f32])?;
        Ok(if self.steps == 5 { Step::terminated(1.0) } else { Step::running(0.0) })
    }
}

fn recurrent() -> AgentFactory {
    AgentFactory::new(&SlicePolicy::default()).expect("it serialises")
}

fn cases() -> Vec<(String, Body)> {
    let mut cases: Vec<(String, Body)> = Vec::new();
    let mut add = |name: &str, setup: Setup| {
        cases.push((name.into(), Box::new(move || nothing_allocates(setup))));
    };
    let cartpole = setup(&CartPole::default(), ResetMode::AtOnce);
    add("serial_cartpole", cartpole.clone());
    // Of processes the master's side alone: workers have allocators of their own.
    for host in [HostKind::Thread, HostKind::Process] {
        for kind in [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating] {
            let mut setup = setups::parallel(&cartpole, kind, 2, host);
            add(&format!("{kind:?}_{host:?}_cartpole").to_lowercase(), setup.clone());
            // Resets that wait, recurrent state, its record and bootstrap values.
            setup.config.reset = ResetMode::Wait;
            setup.agent = recurrent();
            setup.options = BlockOptions { state_interval: 3, bootstrap_value: true };
            add(&format!("{kind:?}_{host:?}_waiting_recurrent").to_lowercase(), setup);
        }
    }
    add("serial_catch_waiting", setup(&Catch::default(), ResetMode::Wait));
    add(
        "serial_truncated",
        setup(&TimeLimit { env: CartPole::default(), max_steps: 7 }, ResetMode::AtOnce),
    );
    add("serial_acrobot", setup(&Acrobot { max_steps: 50 }, ResetMode::AtOnce));
    add("serial_mountain_car", setup(&MountainCar { max_steps: 50 }, ResetMode::AtOnce));
    let continuous = MountainCarContinuous { max_steps: 50 };
    add("serial_mountain_car_continuous", setup(&continuous, ResetMode::AtOnce));
    add("serial_pendulum", setup(&Pendulum { max_steps: 50 }, ResetMode::AtOnce));
    add("serial_logged_info", setup(&Logging {}, ResetMode::AtOnce));
    let catch = setup(&Catch::default(), ResetMode::AtOnce);
    add("serial_recurrent_state", Setup { agent: recurrent(), ..catch });
    cases.push(("counted".into(), Box::new(allocations_are_counted)));
    cases.push(("replay".into(), Box::new(a_replay_is_held_once)));
    cases
}

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    tests::main(cases())
}
