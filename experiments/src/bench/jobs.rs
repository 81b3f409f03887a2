//! The work of a process that runs at the same time as a contender: a busy loop, a second run, or the half of a bound that the
//! other core computes.
use super::bounds;
use super::collecting::{Policy, sampler};
use super::company::{Company, LIMIT};
use super::measure::{Contender, work_for};
use anyhow::Result;
use rlcore::channel::Channel;
use rlcore::envs::CartPole;
use rlcore::{BatchSpec, EnvFactory, forkserver};
use samplers::SamplerKind;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::{Duration, Instant};

/// The work of a process that runs at the same time as a contender.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Job {
    /// An endless loop.
    Spin,
    /// A second run, with a fork server and workers of its own.
    Sampler { policy: Policy, kind: SamplerKind, workers: usize, spec: BatchSpec },
    /// [`bounds::mlp`] on one core.
    Mlp { rows: usize },
    /// [`bounds::random`] on one core.
    Bare { rows: usize },
}

impl Job {
    /// Starts the process. It then works during the windows of its contender.
    pub(super) fn start(self) -> Result<Company> {
        Company::start(serve, &self)
    }

    fn contender(self) -> Result<Contender> {
        match self {
            Self::Spin => {
                let work = || {
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_millis(1) {}
                    Ok(0)
                };
                Ok(Contender::new("busy process".into(), vec![], work))
            }
            Self::Sampler { policy, kind, workers, spec } => {
                forkserver::init()?;
                sampler(policy, kind, workers, spec, &EnvFactory::new(&CartPole::default())?)
            }
            Self::Mlp { rows } => bounds::mlp(rows),
            Self::Bare { rows } => bounds::random(rows),
        }
    }
}

/// The bound of two cores for the MLP: two processes at the same time, `b / 2` rows each.
pub(super) fn mlp_on_two_cores(b: usize) -> Result<Contender> {
    let name = format!("bound, 2 x {} rows", b / 2);
    let half = bounds::forward_and_step(name, b / 2, b / 2)?;
    Ok(half.together_with(Job::Mlp { rows: b / 2 }.start()?))
}

/// The bound of two cores for random actions: two processes at the same time, `b / 2` rows each.
pub(super) fn random_on_two_cores(b: usize) -> Result<Contender> {
    let mut half = bounds::random(b / 2)?;
    half.name = format!("bare loop, 2 x {} rows", b / 2);
    Ok(half.together_with(Job::Bare { rows: b / 2 }.start()?))
}

/// The bound of a lock-step sampler on two cores: this process computes the forward pass over `b` rows and half of the steps, while
/// another makes the other half of the steps.
pub(super) fn mlp_with_steps_on_two_cores(b: usize) -> Result<Contender> {
    let name = format!("bound, {b} rows, steps on 2 cores");
    let one = bounds::forward_and_step(name, b, b / 2)?;
    Ok(one.beside(Job::Bare { rows: b / 2 }.start()?))
}

/// Entry point of the process, which ends when its channel is closed.
fn serve(channel: Channel) -> i32 {
    tch::set_num_threads(1);
    let serve = || -> Result<()> {
        let mut contender = channel.recv::<Job>(LIMIT)?.contender()?;
        channel.send(&contender.pids, LIMIT)?;
        loop {
            while !channel.wait_ready(LIMIT) {}
            let Ok(length) = channel.recv::<Duration>(LIMIT) else { return Ok(()) };
            channel.send(&work_for(&mut contender, length)?, LIMIT)?;
        }
    };
    match serve() {
        Ok(()) => 0,
        Err(e) => {
            // A full or closed standard error is no reason to panic.
            let _ = writeln!(std::io::stderr(), "error: a process beside a contender: {e:#}");
            1
        }
    }
}
