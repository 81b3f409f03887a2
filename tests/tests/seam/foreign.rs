//! A Python program steps the toy environments through the shared segment, with the same samples as its Rust twin to the bit; and
//! programs that fail.
use libtest_mimic::Failed;
use rlcore::slice::ResetMode;
use rlcore::{EnvFactory, GlobalSteps, MakeSlice};
use samplers::{HostKind, SamplerError, SamplerKind, Setup};
use std::time::{Duration, Instant};
use tests::policies::{SlicePolicy, grid_weights};
use tests::program::{stat, until};
use tests::record::{bytes, compare, record};
use tests::twin::{Fault, Foreign, Twin, Vectored, mark};
use tests::{Body, setups};

const SOON: Duration = Duration::from_secs(2);

fn twins(reset: ResetMode) -> Setup {
    setups::serial(&Twin {}, &SlicePolicy {}, 16, reset)
}

/// The same setup with slices that step the environments.
fn stepped_by(setup: &Setup, slices: &impl MakeSlice) -> Result<Setup, Failed> {
    let env = EnvFactory::slice(slices)?;
    let eval = setup.eval.as_ref().map(|(_, config)| (env.clone(), *config));
    Ok(Setup { env, eval, ..setup.clone() })
}

/// Each sampler twice: with one program per worker, and with several.
fn same_samples(
    kind: SamplerKind,
    host: HostKind,
    reset: ResetMode,
    most: usize,
    slots: usize,
) -> Result<(), Failed> {
    let twins = twins(reset);
    let weights = grid_weights(setups::weight_count(&twins), 5);
    let want = record(&twins, &weights, true)?;
    if want.notes.concat().is_empty() {
        return Err("no episode ended: the test shows nothing".into());
    }
    let mut setup = stepped_by(&twins, &Foreign::sound(most))?;
    setup.slots = slots;
    if kind != SamplerKind::Serial {
        setup = setups::parallel(&setup, kind, 2, host);
    }
    compare(&want, &record(&setup, &weights, true)?, "stepped by Python")
}

/// A slice of the user's own in Rust, given to the public factory: all columns of a worker in one, and several in every worker.
fn native_slices(kind: SamplerKind, reset: ResetMode, most: usize) -> Result<(), Failed> {
    let twins = twins(reset);
    let weights = grid_weights(setups::weight_count(&twins), 5);
    let want = record(&twins, &weights, true)?;
    let mut setup = stepped_by(&twins, &Vectored { most })?;
    if kind != SamplerKind::Serial {
        setup = setups::parallel(&setup, kind, 2, HostKind::Process);
    }
    compare(&want, &record(&setup, &weights, true)?, "stepped by native slices")
}

/// One worker with programs that are healthy, and slow in a way that a watcher must not take for a stall.
fn healthy(foreign: Foreign, limit: f64) -> Result<(), Failed> {
    let mut setup = stepped_by(&twins(ResetMode::AtOnce), &foreign)?;
    setup.eval = None;
    setup.config.max_decorrelation_steps = 0;
    (setup.config.t, setup.config.b) = (1, 6);
    setup.config.worker.step_timeout = limit;
    let setup = setups::parallel(&setup, SamplerKind::Gpu, 1, HostKind::Process);
    samplers::build(setup)?.obtain_samples(GlobalSteps(0))?;
    Ok(())
}

/// Programs that import for a while and then construct and answer at once, one after another. Broken by a start that ticks only
/// when a look finds the program's progress: three starts together take longer than the limit.
fn slow_starts() -> Result<(), Failed> {
    healthy(Foreign { start: 0.8, ..Foreign::sound(2) }, 2.0)
}

/// The second program goes on to its next environment while the worker waits for the first. Broken by a wait that takes the
/// progress that it finds at its beginning for old: the second wait sees none until its end.
fn progress_while_another_is_waited_for() -> Result<(), Failed> {
    let slow = vec![(0, 1.0), (2, 0.9), (3, 1.0)];
    healthy(Foreign { slow, ..Foreign::sound(2) }, 1.6)
}

/// Broken by programs that die with the thread that started them: a sampler may go to another thread.
fn built_in_a_thread_that_ends() -> Result<(), Failed> {
    let setup = stepped_by(&twins(ResetMode::AtOnce), &Foreign::sound(4))?;
    let built = std::thread::spawn(move || samplers::build(setup));
    let mut sampler = built.join().map_err(|_| "the thread panicked")??;
    sampler.obtain_samples(GlobalSteps(0))?;
    drop(sampler);
    nobody_is_left();
    Ok(())
}

/// Environments continue from a saved state, except the one that cannot save its state, which starts a new episode.
fn continues(foreign: Option<&Foreign>) -> Result<(), Failed> {
    let twins = twins(ResetMode::AtOnce);
    let setup = foreign.map_or_else(|| Ok(twins.clone()), |f| stepped_by(&twins, f))?;
    let setup = setups::parallel(&setup, SamplerKind::Gpu, 2, HostKind::Process);
    let mut whole = samplers::build(setup.clone())?;
    whole.obtain_samples(GlobalSteps(0))?;
    let state = whole.save()?;
    let lost: Vec<usize> =
        (0..10).filter(|column| state.columns[*column].env.env.is_none()).collect();
    if lost != [9] {
        return Err(format!("the columns {lost:?} were not saved, not [9] alone").into());
    }
    let mut resumed = samplers::build(setup)?;
    resumed.load(state)?;
    let (a, b) =
        (whole.obtain_samples(GlobalSteps(160))?, resumed.obtain_samples(GlobalSteps(160))?);
    let column = |samples: &samplers::Samples, column: usize| -> Vec<u8> {
        let rows = 0..samples.columns().observation.rows();
        rows.flat_map(|t| samples.columns().observation.cell(t, column).bytes(1).to_vec()).collect()
    };
    if let Some(differs) = (0..9).find(|c| column(&a, *c) != column(&b, *c)) {
        return Err(format!("column {differs} does not continue").into());
    }
    if bytes(&a) == bytes(&b) {
        return Err("column 9 continues, though it was not saved".into());
    }
    Ok(())
}

/// A program that fails in this call leads to an error with worker, environment and reason within the limit, and leaves nothing behind.
fn fails(kind: SamplerKind, call: &str, how: &str, text: &str) -> Result<(), Failed> {
    let fault = Fault { call: call.into(), how: how.into(), rank: 7 };
    let limit = if how == "hang" { 0.5 } else { 20.0 };
    let foreign = Foreign { fault: Some(fault), limit, ..Foreign::sound(2) };
    let mut setup = stepped_by(&twins(ResetMode::AtOnce), &foreign)?;
    // Rank 7 of the evaluation would be another.
    setup.eval = None;
    if kind != SamplerKind::Serial {
        setup = setups::parallel(&setup, kind, 2, HostKind::Process);
    }
    let plan = Setup::check(setup)?;
    let began = Instant::now();
    let outcome = plan.build().and_then(|mut sampler| {
        // The environment is at its second step at the latest.
        sampler.obtain_samples(GlobalSteps(0)).map(drop)
    });
    let Err(error) = outcome else { return Err("nothing failed".into()) };
    let after = began.elapsed();
    let found = error.to_string();
    let named = if kind == SamplerKind::Serial { "serial sampler" } else { "worker 1" };
    if !found.contains(named) || !found.contains("environment 7") || !found.contains(text) {
        return Err(format!("the error is not about {text:?} of environment 7: {found}").into());
    }
    // A dozen interpreters start first.
    if after > SOON + Duration::from_secs(8) {
        return Err(format!("the error came after {after:?}").into());
    }
    nobody_is_left();
    Ok(())
}

/// Processes that run `toy.py` for this process.
fn programs() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let runs_toy = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let has = |part: &str| command.windows(part.len()).any(|w| w == part.as_bytes());
        has("toy.py") && has(&mark()) && stat(*pid).is_some_and(|(state, _)| state != 'Z')
    };
    pids.filter(runs_toy).collect()
}

fn nobody_is_left() {
    until("no program is left", || programs().is_empty());
}

/// When a worker is killed, its programs end too.
fn killed_worker() -> Result<(), Failed> {
    let setup = stepped_by(&twins(ResetMode::AtOnce), &Foreign::sound(2))?;
    let setup = setups::parallel(&setup, SamplerKind::Cpu, 2, HostKind::Process);
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    let before = programs().len();
    // Five columns a worker are three programs; three and two environments of the evaluation two and one.
    if before != 9 {
        return Err(format!("{before} programs run, not 9").into());
    }
    let victim = sampler.worker_pids()[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), nix::sys::signal::Signal::SIGKILL)?;
    until("the programs of one worker", || programs().len() == 4);
    match sampler.obtain_samples(GlobalSteps(160)) {
        Err(SamplerError::Worker { .. }) => {}
        other => return Err(format!("{other:?} after a worker was killed").into()),
    }
    drop(sampler);
    nobody_is_left();
    Ok(())
}

/// The example environment is one program, which has ended once the spaces are known.
fn example() -> Result<(), Failed> {
    let spaces = Foreign::sound(3).spaces()?;
    if spaces != EnvFactory::new(&Twin {})?.spaces()? {
        return Err(format!("the spaces differ: {spaces:?}").into());
    }
    nobody_is_left();
    Ok(())
}

pub(crate) fn cases() -> Vec<(String, Body)> {
    use HostKind::{Process, Thread};
    use ResetMode::{AtOnce, Wait};
    use SamplerKind::{Alternating, Cpu, Gpu, Serial};
    let mut cases: Vec<(String, Body)> = Vec::new();
    for (kind, host, reset, most, slots) in [
        (Serial, Thread, AtOnce, 4, 2),
        (Gpu, Process, AtOnce, 100, 1),
        (Gpu, Process, Wait, 2, 2),
        (Cpu, Process, AtOnce, 2, 1),
        (Cpu, Thread, Wait, 100, 2),
        (Alternating, Process, AtOnce, 1, 1),
    ] {
        let name = format!("python_{kind:?}_{host:?}_{reset:?}_{most}_columns_{slots}_slots");
        let body = move || same_samples(kind, host, reset, most, slots);
        cases.push((name.to_lowercase(), Box::new(body)));
    }
    for kind in [Serial, Gpu] {
        for (call, how, text) in [
            ("make", "exit", "ended: exit status: 7"),
            ("reset", "raise", "the simulator is on fire"),
            ("step", "raise", "the simulator is on fire"),
            ("step", "exit", "ended: exit status: 7"),
            ("step", "hang", "has made no progress for 0."),
        ] {
            let name = format!("python_fails_{kind:?}_{call}_{how}").to_lowercase();
            cases.push((name, Box::new(move || fails(kind, call, how, text))));
        }
    }
    cases.push(("python_continues".into(), Box::new(|| continues(Some(&Foreign::sound(3))))));
    cases.push(("one_column_without_a_state".into(), Box::new(|| continues(None))));
    cases.push(("python_of_a_killed_worker".into(), Box::new(killed_worker)));
    cases.push(("python_example".into(), Box::new(example)));
    cases.push(("python_slow_starts".into(), Box::new(slow_starts)));
    let late = progress_while_another_is_waited_for;
    cases.push(("python_progress_while_another_is_waited_for".into(), Box::new(late)));
    cases
        .push(("python_built_in_a_thread_that_ends".into(), Box::new(built_in_a_thread_that_ends)));
    for (kind, reset, most) in
        [(Serial, Wait, 4), (Serial, AtOnce, 100), (Cpu, AtOnce, 2), (Cpu, Wait, 100)]
    {
        let name = format!("native_slices_{kind:?}_{reset:?}_{most}_columns").to_lowercase();
        cases.push((name, Box::new(move || native_slices(kind, reset, most))));
    }
    cases
}
