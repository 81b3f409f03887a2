//! `kill -9` from outside, at arbitrary times.
use crate::cases::{EPISODES, Host, PROCESSES, nothing_left, provoke, setup, unusable};
use crate::processes::{SOON, children, no_workers_left, segment_bytes, server, signal, until};
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use rand::RngExt;
use rlcore::GlobalSteps;
use rlcore::seed::EvalSeries;
use samplers::{Sampler, SamplerError};
use std::time::{Duration, Instant};
use tests::Body;
use tests::faulty::{Fault, Faulty, Place};

/// An environment whose steps take a while.
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
    soon_after(event.elapsed())
}

fn soon_after(time: Duration) -> Result<(), Failed> {
    if time < SOON {
        return Ok(());
    }
    Err(format!("the error came {time:?} after the kill").into())
}

/// A worker is killed between two batches, when the workers sleep on their command words.
fn waiting(
    host: Host,
    ranks: &str,
    call: fn(&mut dyn Sampler) -> Result<(), SamplerError>,
) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut sampler = samplers::build(setup(&sound, &sound, host)?)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    let victim = sampler.worker_pids()[2];
    let event = Instant::now();
    signal(victim, Signal::SIGKILL)?;
    let error = call(&mut *sampler).err().ok_or("the kill was not noticed")?;
    soon(event)?;
    expect(&error, victim, ranks)?;
    unusable(sampler)?;
    no_workers_left()
}

/// A stopped worker (SIGSTOP) counts as stalled, and is killed although it cannot react.
fn stopped(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut setup = setup(&sound, &sound, host)?;
    setup.config.worker.step_timeout = 0.4;
    let mut sampler = samplers::build(setup)?;
    let victim = sampler.worker_pids()[1];
    signal(victim, Signal::SIGSTOP)?;
    let event = Instant::now();
    let error =
        sampler.obtain_samples(GlobalSteps(0)).map(drop).err().ok_or("the stop was not noticed")?;
    soon(event)?;
    // It was stopped before its first batch: no environment is to blame.
    let want = format!("worker 1 (pid {victim}, env ranks {}): no progress for ", host.ranks(1));
    if !error.to_string().starts_with(&want) || !error.to_string().contains("has not returned") {
        return Err(format!("want: {want}\n got: {error}").into());
    }
    unusable(sampler)?;
    no_workers_left()
}

/// A worker of a sampler dies; the sampler beside it goes on.
fn beside(host: Host) -> Result<(), Failed> {
    let sound = Faulty::sound();
    let mut healthy = samplers::build(setup(&sound, &sound, host)?)?;
    let mut sick = samplers::build(setup(&sound, &sound, host)?)?;
    healthy.obtain_samples(GlobalSteps(0))?;
    let victim = sick.worker_pids()[0];
    signal(victim, Signal::SIGKILL)?;
    let error =
        sick.obtain_samples(GlobalSteps(0)).map(drop).err().ok_or("the kill was not noticed")?;
    expect(&error, victim, host.ranks(0))?;
    for number in 0..3 {
        healthy.obtain_samples(GlobalSteps(0))?;
        healthy.evaluate(EvalSeries::Training(number), EPISODES, GlobalSteps(0))?;
    }
    unusable(sick)?;
    for _ in 0..10 {
        healthy.obtain_samples(GlobalSteps(0))?;
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

/// Kills worker `which` at a random time in the sampler's life, which may be during its start.
fn at_random(host: Host, seed: u64) -> Result<(), Failed> {
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
    let outcome = provoke(&setup(&slow(1), &slow(0), host)?, true)?;
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

/// A worker is killed while it waits for another at a gate or, under the CPU sampler, for its next order.
fn at_gate(host: Host) -> Result<(), Failed> {
    let held = segment_bytes();
    let fault = Some(Fault::KillSibling(0));
    let killer = Faulty { fault, place: Place::Step, rank: host.rank(33), at: 33 };
    let outcome = provoke(&setup(&killer, &Faulty::sound(), host)?, false)?;
    expect(&outcome.error, outcome.pids[0], host.ranks(0))?;
    soon_after(outcome.after)?;
    outcome.sampler.map_or(Ok(()), unusable)?;
    nothing_left(held)
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    for host in PROCESSES {
        let mut add = |name: &str, body: Body| {
            tests.push((format!("kill::{}_{name}", host.name()), body));
        };
        let ranks = host.ranks(2);
        let samples = move || waiting(host, ranks, |s| s.obtain_samples(GlobalSteps(0)).map(drop));
        add("waiting_for_samples", Box::new(samples));
        let evaluation = move || {
            waiting(host, "4..5", |s| {
                s.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0)).map(drop)
            })
        };
        add("waiting_for_evaluation", Box::new(evaluation));
        let save = move || waiting(host, ranks, |s| s.save().map(drop));
        add("waiting_for_save", Box::new(save));
        add("waiting_at_a_gate", Box::new(move || at_gate(host)));
        add("stopped", Box::new(move || stopped(host)));
        add("beside", Box::new(move || beside(host)));
        let random = move || (0..25).try_for_each(|seed| at_random(host, seed));
        add("at_random_times", Box::new(random));
    }
    tests
}
