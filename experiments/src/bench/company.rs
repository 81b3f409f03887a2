//! A process that works at the same time as a contender.
use anyhow::{Result, bail};
use rlcore::channel::Channel;
use rlcore::forkserver::{self, Child, Entry, Surroundings};
use serde::Serialize;
use std::time::Duration;

/// Limit on the time that a process takes to start, and to answer after its window.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A process that works on command.
pub(super) struct Company {
    child: Child,
    channel: Channel,
    /// Process ids: its own and those of its workers.
    pub(super) pids: Vec<i32>,
}

impl Company {
    /// Starts a process that runs `entry`, sends it `job` and waits until it answers with the pids of its workers.
    pub(super) fn start(entry: Entry, job: &impl Serialize) -> Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        let child = forkserver::server()?.spawn(entry, &theirs, Surroundings::default())?;
        drop(theirs);
        channel.send(job, LIMIT)?;
        let mut pids: Vec<i32> = channel.recv(LIMIT)?;
        pids.push(child.pid());
        Ok(Self { child, channel, pids })
    }

    /// Tells the process to work for `length`; does not wait.
    pub(super) fn begin(&self, length: Duration) -> Result<()> {
        if let Some(exit) = self.child.ended()? {
            bail!("the process beside a contender {exit}; what it said stands above");
        }
        Ok(self.channel.send(&length, LIMIT)?)
    }

    /// Waits until the process has worked; returns its environment steps per second.
    pub(super) fn end(&self) -> Result<f64> {
        let (steps, seconds): (u64, f64) = self.channel.recv(LIMIT)?;
        Ok(steps as f64 / seconds)
    }
}
