//! Samplers that live as they should: started late, twice, often; ended by drop; patient with what is slow; refused.
use crate::cases::{EPISODES, Host, provoke, setup};
use crate::processes::{
    SOON, children, descriptors, no_workers_left, running, segment_bytes, server, signal,
};
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use rlcore::envs::CartPole;
use rlcore::envs::columns::ResetMode;
use samplers::HostKind;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};
use tests::faulty::{Fault, Faulty, Place};
use tests::policies::{grid_dqn, grid_weights};
use tests::{Body, setups};

/// After libtorch has used its threads here, workers use libtorch too; twice in a process, and side by side.
fn after_parallel_op() -> Result<(), Failed> {
    tch::set_num_threads(4);
    let a = Tensor::ones([600, 600], (Kind::Float, Device::Cpu));
    let sum = a.matmul(&a).sum(Kind::Double).double_value(&[]);
    if sum != 600f64.powi(3) || tch::get_num_threads() < 2 {
        return Err(format!("no parallel op: {sum}, {} threads", tch::get_num_threads()).into());
    }
    let serial = setups::serial(&CartPole::default(), &grid_dqn(), 20, ResetMode::AtOnce);
    let weights = grid_weights(setups::weight_count(&serial), 3);
    let setup = setups::parallel(&serial, samplers::SamplerKind::Cpu, 2, HostKind::Process);
    for _ in 0..2 {
        let mut one = samplers::build(setup.clone())?;
        let mut other = samplers::build(setup.clone())?;
        one.publish(&weights)?;
        other.publish(&weights)?;
        for i in 0..5 {
            let (one, other) = (one.obtain_samples(i)?, other.obtain_samples(i)?);
            let sum = a.matmul(&a).sum(Kind::Double).double_value(&[]);
            if sum != 600f64.powi(3) || one.trajectories() != other.trajectories() {
                return Err("two samplers of the same seed differ".into());
            }
        }
        one.evaluate(0, EPISODES, 0)?;
    }
    no_workers_left()
}

/// Dropping a sampler ends its workers, and those alone.
fn dropped() -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut stays = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    let goes = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    let gone = goes.worker_pids();
    let began = Instant::now();
    drop(goes);
    if began.elapsed() > SOON {
        return Err(format!("dropping took {:?}", began.elapsed()).into());
    }
    crate::processes::all_gone(&gone)?;
    stays.obtain_samples(0)?;
    if !stays.worker_pids().iter().all(|pid| running(*pid)) {
        return Err("the other sampler's workers went along".into());
    }
    drop(stays);
    no_workers_left()
}

/// Ctrl-C and the like are the master's business.
fn deaf_to_signals() -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut sampler = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    for hit in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for pid in sampler.worker_pids() {
            signal(pid, hit)?;
        }
        signal(server(), hit)?;
        (0..5).try_for_each(|_| sampler.obtain_samples(0).map(drop))?;
    }
    sampler.evaluate(0, EPISODES, 0)?;
    if !running(server()) || !sampler.worker_pids().iter().all(|pid| running(*pid)) {
        return Err("a signal ended a process".into());
    }
    drop(sampler);
    no_workers_left()
}

/// One slow environment makes others wait for longer than the stall's limit; nobody stalls.
fn slow_is_not_stalled(host: Host, place: Place) -> Result<(), Failed> {
    let slow = Faulty { fault: Some(Fault::Slow(60)), place, rank: 2, at: 0 };
    let mut setup = setup(&slow, &Faulty { rank: 1, ..slow }, host)?;
    setup.config.worker.step_timeout = 0.3;
    if place == Place::Make {
        // The whole start counts, in which an example is built as well.
        setup.config.worker.step_timeout = 5.0;
    }
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(0)?;
    sampler.evaluate(0, EPISODES, 0)?;
    sampler.obtain_samples(0)?;
    drop(sampler);
    no_workers_left()
}

/// Starts and ends, some in the middle of a life, without a trace.
fn often() -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, Host::Process)?;
    setup.config.worker.n = 2;
    samplers::build(setup.clone())?.obtain_samples(0)?;
    let (before, bytes) = (descriptors(), segment_bytes());
    let began = Instant::now();
    let cycles = 200;
    for i in 0..cycles {
        let mut sampler = samplers::build(setup.clone())?;
        if i % 2 == 0 {
            sampler.obtain_samples(0)?;
        }
        if i % 10 == 0 {
            sampler.evaluate(i, EPISODES, 0)?;
        }
    }
    // A start takes milliseconds; the limit is for a machine that is busy with something else.
    if began.elapsed() > Duration::from_secs(40) {
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

/// More than there is: an error before anything is started, with what to change, and nothing is kept.
fn too_large(host: Host) -> Result<(), Failed> {
    let (held, others) = (segment_bytes(), descriptors().1);
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, host)?;
    setup.config.t = 1 << 40;
    let error = provoke(&setup, false)?.error.to_string();
    for part in ["sample block needs ", " are free; lower the batch (sampler.t, sampler.b)"] {
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
    setup.config.worker.n = 8;
    let error = provoke(&setup, false)?.error.to_string();
    let want = "sampler.worker.n = 8 workers for sampler.b = 7 environments: lower sampler.worker.n to 7 or raise sampler.b";
    if error == want { Ok(()) } else { Err(format!("want: {want}\n got: {error}").into()) }
}

/// A serial sampler that could not start holds no memory.
fn serial_start_fails() -> Result<(), Failed> {
    let held = segment_bytes();
    let broken = Faulty { fault: Some(Fault::Error), place: Place::Reset, rank: 4, at: 0 };
    let mut setup = setup(&broken, &Faulty::sound(), Host::Serial)?;
    setup.eval = None;
    provoke(&setup, false)?;
    if segment_bytes() > held {
        return Err(format!("{held} bytes before, {} after", segment_bytes()).into());
    }
    Ok(())
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    let mut add = |name: String, body: Body| tests.push((format!("life::{name}"), body));
    add("after_parallel_op".into(), Box::new(after_parallel_op));
    add("dropped".into(), Box::new(dropped));
    add("deaf_to_signals".into(), Box::new(deaf_to_signals));
    for host in crate::cases::HOSTS {
        for place in [Place::Make, Place::Reset, Place::Step] {
            let name = format!("slow_is_not_stalled_{host:?}_{place:?}");
            add(name, Box::new(move || slow_is_not_stalled(host, place)));
        }
        add(format!("too_large_{host:?}"), Box::new(move || too_large(host)));
    }
    for host in [Host::Process, Host::Thread] {
        let body = move || more_workers_than_environments(host);
        add(format!("more_workers_than_environments_{host:?}"), Box::new(body));
    }
    add("serial_start_fails".into(), Box::new(serial_start_fails));
    add("started_often".into(), Box::new(often));
    tests
}
