//! Ends the process when an environment that is stepped in it never returns: a thread cannot be killed.
use crate::error::{Cause, SamplerError};
use rlcore::progress::Progress;
use rlcore::stopwatch::Stopwatch;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tells a stalled environment from a slow batch by the progress word.
#[derive(Debug)]
pub(crate) struct StallClock {
    /// The progress word, and the number of orders.
    stamp: (u64, u32),
    idle: Stopwatch,
    limit: f64,
}

impl StallClock {
    pub(crate) fn new(limit: f64) -> Self {
        Self { stamp: (0, 0), idle: Stopwatch::start(), limit }
    }

    /// Restarts the clock for a new task.
    pub(crate) fn restart(&mut self, progress: &Progress) {
        self.stamp.0 = progress.stamp();
        self.idle = Stopwatch::start();
    }

    /// Seconds without progress, if they exceed the limit. A change of `asked`, the number of orders, counts as progress.
    pub(crate) fn stalled(&mut self, progress: &Progress, asked: u32) -> Option<f64> {
        let now = (progress.stamp(), asked);
        if now != self.stamp {
            self.stamp = now;
            self.idle = Stopwatch::start();
        }
        let seconds = self.idle.look();
        (seconds > self.limit).then_some(seconds)
    }
}

/// Column of the progress word while the agent or its constructor runs, and no environment.
pub(crate) const NOBODY: usize = (1 << 24) - 1;

/// Env rank of the environment that was called last, if one was.
pub(crate) fn called(progress: &Progress, first_rank: usize) -> Option<usize> {
    let column = progress.column();
    (progress.stamp() != 0 && column != NOBODY).then(|| first_rank + column)
}

/// The cause of a stall: who has made no progress for `seconds`.
pub(crate) fn stalled(progress: &Progress, first_rank: usize, seconds: f64) -> Cause {
    match called(progress, first_rank) {
        Some(env_rank) => Cause::Stalled { env_rank, seconds },
        None => Cause::Protocol(format!(
            "no progress for {seconds:.1} s, and no environment was called: the agent or a constructor has not returned, or the process was stopped; where one may take that long, raise sampler.worker.step_timeout"
        )),
    }
}

/// The part of this process that calls environments, as errors name it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) worker: &'static str,
    pub(crate) env_ranks: Range<usize>,
}

impl Who {
    pub(crate) fn error(&self, cause: Cause) -> SamplerError {
        SamplerError::Worker {
            worker: self.worker.into(),
            pid: std::process::id() as i32,
            env_ranks: vec![self.env_ranks.clone()],
            cause,
        }
    }
}

/// A thread that watches calls of environments in this process.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Progress,
    /// The part that calls environments now.
    busy: Mutex<Option<Who>>,
    quit: AtomicBool,
}

impl Shared {
    fn busy(&self) -> std::sync::MutexGuard<'_, Option<Who>> {
        // Nothing can panic while the lock is held.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watchdog {
    pub(crate) fn start(limit: f64) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watched = shared.clone();
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut clock = StallClock::new(limit);
            while !watched.quit.load(Ordering::Acquire) {
                std::thread::park_timeout(Duration::from_millis(200));
                let Some(who) = watched.busy().clone() else {
                    clock.restart(&watched.progress);
                    continue;
                };
                if let Some(seconds) = clock.stalled(&watched.progress, 0) {
                    let cause = stalled(&watched.progress, who.env_ranks.start, seconds);
                    let _ = writeln!(std::io::stderr(), "error: {}", who.error(cause));
                    rlcore::forkserver::end(1);
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    /// Runs `f`, which calls environments, under watch.
    pub(crate) fn watch<T>(&self, who: &Who, f: impl FnOnce() -> T) -> T {
        *self.shared.busy() = Some(who.clone());
        let out = f();
        *self.shared.busy() = None;
        out
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread does not panic: it only reads atomics.
            let _ = thread.join();
        }
    }
}
