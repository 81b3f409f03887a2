//! Ends the process when an environment that runs in it never returns: nothing else can be done with a thread.
use crate::error::{Cause, SamplerError};
use rlcore::progress::Progress;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tells a stalled environment from a slow batch by the progress word.
#[derive(Debug)]
pub(crate) struct StallClock {
    stamp: u64,
    since: Instant,
    limit: f64,
}

impl StallClock {
    pub(crate) fn new(limit: f64) -> Self {
        Self { stamp: 0, since: Instant::now(), limit }
    }

    /// A new task begins now.
    pub(crate) fn restart(&mut self, progress: &Progress) {
        self.stamp = progress.stamp();
        self.since = Instant::now();
    }

    /// Seconds without progress, once they exceed the limit.
    pub(crate) fn stalled(&mut self, progress: &Progress) -> Option<f64> {
        let now = progress.stamp();
        if now != self.stamp {
            self.stamp = now;
            self.since = Instant::now();
        }
        let seconds = self.since.elapsed().as_secs_f64();
        (seconds > self.limit).then_some(seconds)
    }
}

/// Watches a serial sampler from a thread of its own.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Progress,
    busy: AtomicBool,
    quit: AtomicBool,
}

impl Watchdog {
    pub(crate) fn start(limit: f64, env_ranks: Range<usize>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watched = shared.clone();
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut clock = StallClock::new(limit);
            while !watched.quit.load(Ordering::Acquire) {
                std::thread::park_timeout(Duration::from_millis(200));
                if !watched.busy.load(Ordering::Acquire) {
                    clock.restart(&watched.progress);
                } else if let Some(seconds) = clock.stalled(&watched.progress) {
                    let env_rank = env_ranks.start + watched.progress.column();
                    let error = SamplerError::Worker {
                        worker: "serial sampler".into(),
                        pid: std::process::id() as i32,
                        env_ranks: env_ranks.clone(),
                        cause: Cause::Stalled { env_rank, seconds },
                    };
                    eprintln!("error: {error}");
                    rlcore::forkserver::exit_now(1);
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    /// Whether environments are being called.
    pub(crate) fn busy(&self, busy: bool) {
        self.shared.busy.store(busy, Ordering::Release);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It never panics: it only reads atomics.
            let _ = thread.join();
        }
    }
}
