//! Another process that works at the same time as a contender: a foreign one that only wants CPU, a second run, or the other
//! core's half of a bound.
use super::bounds;
use super::measure::{Contender, work_for};
use super::samplers::{Policy, sampler};
use anyhow::{Result, bail};
use rlcore::channel::Channel;
use rlcore::envs::CartPole;
use rlcore::forkserver::{self, Child, Surroundings};
use rlcore::{BatchSpec, EnvFactory};
use samplers::SamplerKind;
use serde::{Deserialize, Serialize};
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

/// How long a process may take to be ready, or to answer after its window.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that works when it is told to.
pub(super) struct Company {
    child: Child,
    channel: Channel,
    /// Its own and those of its workers.
    pub(super) pids: Vec<i32>,
    /// Whether its steps count as the contender's.
    pub(super) counts: bool,
}

impl Company {
    /// Starts the process and waits until it is ready.
    pub(super) fn start(job: Job) -> Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        let child = forkserver::server()?.spawn(serve, &theirs, Surroundings::default())?;
        drop(theirs);
        channel.send(&job, LIMIT)?;
        let mut pids: Vec<i32> = channel.recv(LIMIT)?;
        pids.push(child.pid());
        let counts = matches!(job, Job::Sampler { .. } | Job::Mlp { .. });
        Ok(Self { child, channel, pids, counts })
    }

    /// Lets it work for `length`.
    pub(super) fn begin(&self, length: Duration) -> Result<()> {
        if let Some(exit) = self.child.ended()? {
            bail!("the process beside a contender {exit}; what it said stands above");
        }
        Ok(self.channel.send(&length, LIMIT)?)
    }

    /// Waits until it is done; its steps per second.
    pub(super) fn end(&self) -> Result<f64> {
        let (steps, seconds): (u64, f64) = self.channel.recv(LIMIT)?;
        Ok(steps as f64 / seconds)
    }
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
            eprintln!("error: a process beside a contender: {e:#}");
            1
        }
    }
}
