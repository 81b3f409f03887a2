//! What a process beside a contender does: a foreign one that only wants CPU, a second run, or the other core's half of a bound.
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

/// What a process beside a contender does.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Job {
    /// An endless loop.
    Spin,
    /// A run of its own, with its own fork server and workers.
    Sampler { policy: Policy, kind: SamplerKind, workers: usize, spec: BatchSpec },
    /// [`bounds::mlp`] on one core.
    Mlp { rows: usize },
    /// [`bounds::random`].
    Bare { rows: usize },
}

impl Job {
    /// Starts the process, which then works in the windows of the contender beside it.
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

/// Two cores, both at work for half of the rows each.
pub(super) fn mlp_on_two_cores(b: usize) -> Result<Contender> {
    let name = format!("bound, 2 x {} rows", b / 2);
    let half = bounds::forward_and_step(name, b / 2, b / 2)?;
    Ok(half.together_with(Job::Mlp { rows: b / 2 }.start()?))
}

/// The same with random actions.
pub(super) fn random_on_two_cores(b: usize) -> Result<Contender> {
    let mut half = bounds::random(b / 2)?;
    half.name = format!("bare loop, 2 x {} rows", b / 2);
    Ok(half.together_with(Job::Bare { rows: b / 2 }.start()?))
}

/// Forward pass over `b` rows on one core, steps on two: those of the other core are done at the same time as all of this.
pub(super) fn mlp_with_steps_on_two_cores(b: usize) -> Result<Contender> {
    let name = format!("bound, {b} rows, steps on 2 cores");
    let one = bounds::forward_and_step(name, b, b / 2)?;
    Ok(one.beside(Job::Bare { rows: b / 2 }.start()?))
}

/// Entry of the process; it ends when its channel is closed.
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
