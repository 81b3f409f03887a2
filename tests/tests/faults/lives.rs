//! Samplers without faults: started late, twice, or many times; ended by a drop; waiting for slow environments; refused setups.
use crate::cases::{EPISODES, Host, PROCESSES, SERIAL, THREADS, hosts, provoke, setup};
use crate::processes::{
    SOON, children, descriptors, no_workers_left, running, segment_bytes, server, signal,
};
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use rlcore::GlobalSteps;
use rlcore::envs::CartPole;
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use samplers::{HostKind, SamplerKind};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};
use tests::faulty::{EVERY, Fault, Faulty, Place};
use tests::policies::{grid_dqn, grid_weights};
use tests::{Body, setups};

/// Workers can use libtorch after this process has used libtorch's threads, also in a second sampler and in two samplers at once.
fn after_parallel_op(host: Host) -> Result<(), Failed> {
    tch::set_num_threads(4);
    let a = Tensor::ones([600, 600], (Kind::Float, Device::Cpu));
    let sum = a.matmul(&a).sum(Kind::Double).double_value(&[]);
    if sum != 600f64.powi(3) || tch::get_num_threads() < 2 {
        return Err(format!("no parallel op: {sum}, {} threads", tch::get_num_threads()).into());
    }
    let serial = setups::serial(&CartPole::default(), &grid_dqn(), 20, ResetMode::AtOnce);
    let weights = grid_weights(setups::weight_count(&serial), 3);
    let setup = setups::parallel(&serial, host.kind, 2, HostKind::Process);
    for _ in 0..2 {
        let mut one = samplers::build(setup.clone())?;
        let mut other = samplers::build(setup.clone())?;
        one.publisher().publish(&weights)?;
        other.publisher().publish(&weights)?;
        for i in 0..5 {
            let (one, other) =
                (one.obtain_samples(GlobalSteps(i))?, other.obtain_samples(GlobalSteps(i))?);
            let sum = a.matmul(&a).sum(Kind::Double).double_value(&[]);
            if sum != 600f64.powi(3) || one.trajectories() != other.trajectories() {
                return Err("two samplers of the same seed differ".into());
            }
        }
        one.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0))?;
    }
    no_workers_left()
}

/// Dropping a sampler ends its own workers and no others.
fn dropped(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut stays = samplers::build(setup(&sound, &sound, host)?)?;
    let goes = samplers::build(setup(&sound, &sound, host)?)?;
    let gone = goes.worker_pids();
    let began = Instant::now();
    drop(goes);
    if began.elapsed() > SOON {
        return Err(format!("dropping took {:?}", began.elapsed()).into());
    }
    crate::processes::all_gone(&gone)?;
    stays.obtain_samples(GlobalSteps(0))?;
    if !stays.worker_pids().iter().all(|pid| running(*pid)) {
        return Err("the other sampler's workers went along".into());
    }
    drop(stays);
    no_workers_left()
}

/// Workers ignore SIGINT and SIGTERM, which only the master handles.
fn deaf_to_signals(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut sampler = samplers::build(setup(&sound, &sound, host)?)?;
    for hit in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for pid in sampler.worker_pids() {
            signal(pid, hit)?;
        }
        signal(server(), hit)?;
        (0..5).try_for_each(|_| sampler.obtain_samples(GlobalSteps(0)).map(drop))?;
    }
    sampler.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0))?;
    if !running(server()) || !sampler.worker_pids().iter().all(|pid| running(*pid)) {
        return Err("a signal ended a process".into());
    }
    drop(sampler);
    no_workers_left()
}

/// One slow environment makes others wait for longer than the stall's limit, or the constructors of a worker take longer
/// together; nobody stalls.
fn slow_is_not_stalled(host: Host, place: Place) -> Result<(), Failed> {
    let (took, rank, eval_rank) =
        if place == Place::Make { (80, EVERY, EVERY) } else { (15, 2, 1) };
    let slow = Faulty { fault: Some(Fault::Slow(took)), place, rank, at: 0 };
    let mut setup = setup(&slow, &Faulty { rank: eval_rank, ..slow }, host)?;
    setup.config.worker.step_timeout = 0.2;
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    sampler.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0))?;
    sampler.obtain_samples(GlobalSteps(0))?;
    drop(sampler);
    no_workers_left()
}

/// Many starts and ends, some of them while a batch is under way, leave nothing behind.
fn often(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, host)?;
    setup.config.worker.n = 2;
    samplers::build(setup.clone())?.obtain_samples(GlobalSteps(0))?;
    let (before, bytes) = (descriptors(), segment_bytes());
    let began = Instant::now();
    let cycles = 100;
    for i in 0..cycles {
        let mut sampler = samplers::build(setup.clone())?;
        if i % 2 == 0 {
            sampler.obtain_samples(GlobalSteps(0))?;
        }
        if i % 10 == 0 {
            sampler.evaluate(EvalSeries::Training(i), EPISODES, GlobalSteps(0))?;
        }
    }
    // A start takes milliseconds; the limit is for a machine that is busy with something else.
    if began.elapsed() > Duration::from_secs(20) {
        return Err(format!("{cycles} cycles took {:?}", began.elapsed()).into());
    }
    no_workers_left()?;
    let after = descriptors();
    if after.1 > before.1 || after.0 > before.0 || segment_bytes() > bytes {
        let what = format!("{before:?} descriptors before, {after:?} after");
        return Err(format!("{what}; {bytes} bytes before, {} after", segment_bytes()).into());
    }
    Ok(())
}

/// A setup that needs more memory than there is fails before anything is started, with what to change, and keeps no memory.
fn too_large(host: Host) -> Result<(), Failed> {
    let (held, others) = (segment_bytes(), descriptors().1);
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, host)?;
    setup.config.t = 1 << 40;
    let error = provoke(&setup, false)?.error.to_string();
    for part in [" are free; ", "for the block of samples (lower sampler.t or sampler.b)"] {
        if !error.contains(part) {
            return Err(format!("`{part}` is not in: {error}").into());
        }
    }
    if segment_bytes() > held || descriptors().1 > others || !children(server()).is_empty() {
        return Err("something is left".into());
    }
    Ok(())
}

fn more_workers_than_environments(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, host)?;
    setup.config.worker.n = 12;
    let error = provoke(&setup, false)?.error.to_string();
    let halves = host.kind == SamplerKind::Alternating;
    let (of, most, b) = if halves { ("half of ", 5, 24) } else { ("", 10, 12) };
    let want = format!(
        "sampler.worker.n = 12 workers for {of}sampler.b = 10 environments: lower sampler.worker.n to {most} or raise sampler.b to {b}"
    );
    if error == want { Ok(()) } else { Err(format!("want: {want}\n got: {error}").into()) }
}

/// Settings out of range are refused before the example environment is built, memory is taken or a process is started.
fn odd_number_of_environments(host: Host) -> Result<(), Failed> {
    let (held, others) = (segment_bytes(), descriptors());
    let broken = Faulty { fault: Some(Fault::Panic), place: Place::Make, rank: 0, at: 0 };
    let mut setup = setup(&broken, &broken, host)?;
    setup.config.b = 9;
    let error = provoke(&setup, false)?.error.to_string();
    let want = "sampler.kind = \"alternating\" with sampler.b = 9: two halves need an even number, such as 10";
    if error != want {
        return Err(format!("want: {want}\n got: {error}").into());
    }
    if segment_bytes() > held || descriptors() != others || !children(server()).is_empty() {
        return Err("something was begun".into());
    }
    Ok(())
}

/// Two samplers share one fork server and do not affect each other; when one ends, the other goes on.
fn in_turns(host: Host, other: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let (one, two) = (setup(&sound, &sound, host)?, setup(&sound, &sound, other)?);
    let mut alone = samplers::build(setup(&sound, &sound, SERIAL)?)?;
    let (mut one, mut two) = (samplers::build(one)?, Some(samplers::build(two)?));
    for i in 0..12 {
        let want = alone.obtain_samples(GlobalSteps(i))?.trajectories();
        let got = one.obtain_samples(GlobalSteps(i))?;
        if i == 6 {
            two = None;
        }
        if let Some(two) = &mut two {
            // Both samples are held at the same time.
            let theirs = two.obtain_samples(GlobalSteps(i))?;
            if theirs.trajectories() != want {
                return Err(format!("batch {i} of the second differs").into());
            }
        }
        if got.trajectories() != want {
            return Err(format!("batch {i} of the first differs").into());
        }
        drop(got);
        if i % 4 == 3 {
            let want = alone.evaluate(EvalSeries::Training(i), EPISODES, GlobalSteps(0))?;
            let second = two
                .as_mut()
                .map(|s| s.evaluate(EvalSeries::Training(i), EPISODES, GlobalSteps(0)))
                .transpose()?;
            if one.evaluate(EvalSeries::Training(i), EPISODES, GlobalSteps(0))? != want
                || second.is_some_and(|s| s != want)
            {
                return Err(format!("evaluation {i} differs").into());
            }
        }
    }
    drop((one, alone));
    no_workers_left()
}

/// A serial sampler that could not start keeps no memory.
fn serial_start_fails() -> Result<(), Failed> {
    let held = segment_bytes();
    let broken = Faulty { fault: Some(Fault::Error), place: Place::Reset, rank: 4, at: 0 };
    let mut setup = setup(&broken, &Faulty::sound(), SERIAL)?;
    setup.eval = None;
    provoke(&setup, false)?;
    if segment_bytes() > held {
        return Err(format!("{held} bytes before, {} after", segment_bytes()).into());
    }
    Ok(())
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    let mut add = |name: &str, host: Host, body: Body| {
        tests.push((format!("life::{}_{name}", host.name()), body));
    };
    for host in PROCESSES {
        add("after_parallel_op", host, Box::new(move || after_parallel_op(host)));
        add("dropped", host, Box::new(move || dropped(host)));
        add("deaf_to_signals", host, Box::new(move || deaf_to_signals(host)));
        add("started_often", host, Box::new(move || often(host)));
        for other in PROCESSES {
            let name = format!("in_turns_with_{}", other.name());
            add(&name, host, Box::new(move || in_turns(host, other)));
        }
    }
    for host in hosts() {
        for place in [Place::Make, Place::Reset, Place::Step] {
            let name = format!("slow_is_not_stalled_{place:?}");
            add(&name, host, Box::new(move || slow_is_not_stalled(host, place)));
        }
        add("too_large", host, Box::new(move || too_large(host)));
    }
    for host in PROCESSES.into_iter().chain(THREADS) {
        let body = move || more_workers_than_environments(host);
        add("more_workers_than_environments", host, Box::new(body));
        if host.kind == SamplerKind::Alternating {
            add("odd_number", host, Box::new(move || odd_number_of_environments(host)));
        }
    }
    add("start_fails", SERIAL, Box::new(serial_start_fails));
    tests
}
