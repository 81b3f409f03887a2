//! Python steps the toy environments through the words and the block of the segment: the same samples as its Rust twin, to the
//! bit; and what becomes of a program that fails.
use crate::twin::{Fault, Foreign, Twin, mark};
use libtest_mimic::Failed;
use rlcore::slice::ResetMode;
use rlcore::{EnvFactory, GlobalSteps, MakeSlice};
use samplers::{HostKind, SamplerError, SamplerKind, Setup};
use std::time::{Duration, Instant};
use tests::policies::{SlicePolicy, grid_weights};
use tests::program::{stat, until};
use tests::record::{bytes, compare, record};
use tests::{Body, setups};

const SOON: Duration = Duration::from_secs(2);

fn sound(most: usize) -> Foreign {
    Foreign { most, fault: None, limit: 20.0, mark: mark() }
}

fn twins(reset: ResetMode) -> Setup {
    setups::serial(&Twin {}, &SlicePolicy {}, 16, reset)
}

/// The same setup with programs that step the environments, at most `most` columns each.
fn stepped_by(setup: &Setup, foreign: &Foreign) -> Result<Setup, Failed> {
    let env = EnvFactory::slice(foreign)?;
    let eval = setup.eval.as_ref().map(|(_, config)| (env.clone(), *config));
    Ok(Setup { env, eval, ..setup.clone() })
}

/// Two of each: a program of all columns of a worker, and several programs in every worker.
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
    let mut setup = stepped_by(&twins, &sound(most))?;
    setup.slots = slots;
    if kind != SamplerKind::Serial {
        setup = setups::parallel(&setup, kind, 2, host);
    }
    compare(&want, &record(&setup, &weights, true)?, "stepped by Python")
}

/// A saved state continues; the environment that cannot be saved starts anew, and it alone.
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

/// A program that fails in this call becomes an error that names worker, environment and reason, soon; and nothing of it is
/// left.
fn fails(kind: SamplerKind, call: &str, how: &str, text: &str) -> Result<(), Failed> {
    let fault = Fault { call: call.into(), how: how.into(), rank: 7 };
    let limit = if how == "hang" { 0.5 } else { 20.0 };
    let foreign = Foreign { most: 2, fault: Some(fault), limit, mark: mark() };
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

/// Processes that run `toy.py` for this one.
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

/// A worker that is killed takes its programs with it.
fn killed_worker() -> Result<(), Failed> {
    let setup = stepped_by(&twins(ResetMode::AtOnce), &sound(2))?;
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

/// The example is one program, which is gone when the spaces are known.
fn example() -> Result<(), Failed> {
    let spaces = sound(3).spaces()?;
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
    cases.push(("python_continues".into(), Box::new(|| continues(Some(&sound(3))))));
    cases.push(("one_column_without_a_state".into(), Box::new(|| continues(None))));
    cases.push(("python_of_a_killed_worker".into(), Box::new(killed_worker)));
    cases.push(("python_example".into(), Box::new(example)));
    cases
}
