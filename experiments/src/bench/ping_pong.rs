//! The bound of a lock-step sampler's round trip: a word is passed to another process and back, and then the environments step.
use super::bounds::{Bare, ROWS};
use super::measure::Contender;
use anyhow::{Context, Result, ensure};
use crossbeam_utils::CachePadded;
use rlcore::channel::Channel;
use rlcore::forkserver::{self, Surroundings};
use rlcore::segment::Segment;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);
/// Size of the segment: two cache lines, each written by one side only.
const BYTES: usize = 2 * size_of::<CachePadded<AtomicU64>>();
/// Round trips per call of the contender, which is how often the clock is read.
const ROUNDS: u64 = 20_000;
/// Polls of the waiting side between two checks that the other process is still alive: about 13 ms.
const LOOKS: u32 = 1 << 20;
/// Value of the ping that sends the other side back to sleep.
const QUIT: u64 = u64::MAX;

fn words(segment: &'static Segment) -> (&'static AtomicU64, &'static AtomicU64) {
    let words = segment.atomics::<CachePadded<AtomicU64>>(0, 2);
    (&words[0], &words[1])
}

/// Round trips to a process that only answers, each followed by one step of `b` environments in this process.
pub(super) fn ping_pong(b: usize) -> Result<Contender> {
    let segment = Segment::create("ping-pong", BYTES)?;
    let (channel, theirs) = Channel::pair()?;
    let child = forkserver::server()?.spawn(echo, &theirs, Surroundings::default())?;
    drop(theirs);
    let fd = segment.fd().context("a memfd has a descriptor")?;
    channel.send_fds(&[fd.as_raw_fd()])?;
    channel.recv::<()>(LIMIT)?;
    let pids = vec![child.pid()];
    let mut bare = Bare::new(b)?;
    let mut round = 0;
    let work = move || {
        ensure!(child.ended()?.is_none(), "the other side of the ping-pong died");
        // The other side sleeps on its socket until this message.
        channel.send(&(), LIMIT)?;
        let (ping, pong) = words(segment);
        for _ in 0..ROUNDS {
            round += 1;
            ping.store(round, Ordering::Release);
            let mut looks = 0_u32;
            while pong.load(Ordering::Acquire) != round {
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(LOOKS) {
                    let gone = child.ended()?.is_some();
                    ensure!(
                        !gone,
                        "the other side of the ping-pong gave up: is another process using its core?"
                    );
                }
                std::hint::spin_loop();
            }
            bare.random_step(round as usize % ROWS)?;
        }
        ping.store(QUIT, Ordering::Release);
        channel.recv::<()>(LIMIT)?;
        ping.store(round, Ordering::Release);
        Ok(ROUNDS * b as u64)
    };
    Ok(Contender::new(format!("bare round trip, {b} rows"), pids, work))
}

fn echo(channel: Channel) -> i32 {
    let serve = || -> Result<()> {
        let fd = channel.recv_fds(LIMIT)?.pop().context("no descriptor")?;
        let (ping, pong) = words(Segment::attach(fd, BYTES)?);
        channel.send(&(), LIMIT)?;
        loop {
            channel.recv::<()>(Duration::from_secs(3600))?;
            let begun = Instant::now();
            let mut seen = pong.load(Ordering::Relaxed);
            loop {
                let now = ping.load(Ordering::Acquire);
                if now == QUIT {
                    break;
                }
                if now != seen {
                    seen = now;
                    pong.store(now, Ordering::Release);
                } else if begun.elapsed() > LIMIT {
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            channel.send(&(), LIMIT)?;
        }
    };
    i32::from(serve().is_err())
}
