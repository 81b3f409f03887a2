//! `kill -9` from outside, at times that the victim does not choose.
use crate::cases::{EPISODES, Host, provoke, setup, unusable};
use crate::processes::{SOON, children, no_workers_left, server, signal, until};
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use rand::RngExt;
use samplers::{Sampler, SamplerError};
use std::time::{Duration, Instant};
use tests::Body;
use tests::faulty::{Fault, Faulty, Place};

/// Steps of this environment take a while.
fn slow(milliseconds: u64) -> Faulty {
    Faulty { fault: Some(Fault::Slow(milliseconds)), place: Place::Step, rank: 4, at: 0 }
}

fn expect(error: &SamplerError, pid: i32, ranks: &str) -> Result<(), Failed> {
    let want =
        format!("(pid {pid}, env ranks {ranks}): the process was killed by signal 9 (SIGKILL)");
    if error.to_string().ends_with(&want) && error.to_string().starts_with("worker ") {
        return Ok(());
    }
    Err(format!("want: ... {want}\n got: {error}").into())
}

fn soon(event: Instant) -> Result<(), Failed> {
    if event.elapsed() < SOON {
        return Ok(());
    }
    Err(format!("the error came {:?} after the kill", event.elapsed()).into())
}

/// Between two batches, when the workers sleep on their command words.
fn waiting(
    ranks: &str,
    call: fn(&mut dyn Sampler) -> Result<(), SamplerError>,
) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut sampler = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    sampler.obtain_samples(0)?;
    let victim = sampler.worker_pids()[2];
    let event = Instant::now();
    signal(victim, Signal::SIGKILL)?;
    let error = call(&mut *sampler).err().ok_or("the kill was not noticed")?;
    soon(event)?;
    expect(&error, victim, ranks)?;
    unusable(sampler)?;
    no_workers_left()
}

/// A worker that is stopped is one that stalls: it ends although it cannot hear.
fn stopped() -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, Host::Process)?;
    setup.config.worker.step_timeout = 0.4;
    let mut sampler = samplers::build(setup)?;
    let victim = sampler.worker_pids()[1];
    signal(victim, Signal::SIGSTOP)?;
    let event = Instant::now();
    let error = sampler.obtain_samples(0).map(drop).err().ok_or("the stop was not noticed")?;
    soon(event)?;
    let want = format!("worker 1 (pid {victim}, env ranks 3..5): environment ");
    if !error.to_string().starts_with(&want) || !error.to_string().contains("has not returned") {
        return Err(format!("want: {want}\n got: {error}").into());
    }
    unusable(sampler)?;
    no_workers_left()
}

/// A worker of a sampler dies; the sampler beside it goes on.
fn beside() -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut healthy = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    let mut sick = samplers::build(setup(&sound, &sound, Host::Process)?)?;
    healthy.obtain_samples(0)?;
    let victim = sick.worker_pids()[0];
    signal(victim, Signal::SIGKILL)?;
    let error = sick.obtain_samples(0).map(drop).err().ok_or("the kill was not noticed")?;
    expect(&error, victim, "0..3")?;
    for number in 0..3 {
        healthy.obtain_samples(0)?;
        healthy.evaluate(number, EPISODES, 0)?;
    }
    unusable(sick)?;
    for _ in 0..10 {
        healthy.obtain_samples(0)?;
    }
    let pids = healthy.worker_pids();
    until("only the healthy sampler's workers", SOON, || {
        let mut left = children(server());
        left.sort_unstable();
        left == pids
    })?;
    drop(healthy);
    no_workers_left()
}

/// Kills worker `which` at a random time in the sampler's life, its start among them.
fn at_random(seed: u64) -> Result<(), Failed> {
    let mut rng = rlcore::seed::rng(seed);
    let after = Duration::from_micros(rng.random_range(0..12_000));
    let which: usize = rng.random_range(0..3);
    let killer = std::thread::spawn(move || -> Result<(i32, Instant), Failed> {
        let mut pids = vec![];
        until("workers", SOON, || {
            pids = children(server());
            pids.sort_unstable();
            pids.len() > which
        })?;
        let due = Instant::now() + after;
        while Instant::now() < due {
            std::thread::yield_now();
        }
        let event = Instant::now();
        signal(pids[which], Signal::SIGKILL)?;
        Ok((pids[which], event))
    });
    let outcome = provoke(&setup(&slow(1), &slow(0), Host::Process)?, true)?;
    let (victim, event) = killer.join().map_err(|_| "the killer panicked")??;
    soon(event)?;
    let named = format!("(pid {victim}, env ranks ");
    let why = "): the process was killed by signal 9 (SIGKILL)";
    let got = outcome.error.to_string();
    if !got.contains(&named) || !got.ends_with(why) {
        return Err(format!("seed {seed}: want: {named}...{why}\n got: {got}").into());
    }
    outcome.sampler.map_or(Ok(()), unusable)?;
    no_workers_left().map_err(|e| format!("seed {seed}: {e:?}").into())
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    let mut add = |name: &str, body: Body| tests.push((format!("kill::{name}"), body));
    add("waiting_for_samples", Box::new(|| waiting("5..7", |s| s.obtain_samples(0).map(drop))));
    add(
        "waiting_for_evaluation",
        Box::new(|| waiting("4..5", |s| s.evaluate(0, EPISODES, 0).map(drop))),
    );
    add("waiting_for_save", Box::new(|| waiting("5..7", |s| s.save().map(drop))));
    add("stopped", Box::new(stopped));
    add("beside", Box::new(beside));
    add("at_random_times", Box::new(|| (0..25).try_for_each(at_random)));
    tests
}
