//! Detects the death of a worker while the master does something else, such as a long update of the learner.
//!
//! The master cannot be interrupted there. It has a second to return to the sampler and detect the death itself, which results in an
//! ordinary error; after that the supervisor ends the process with the same error and exit code 1, as the watchdog does for an
//! environment that never returns ([`crate::watchdog`]). If a checkpoint is being written at that moment, the run keeps the one before:
//! a checkpoint gets its name when it is complete. Workers that ended because the process itself exits are no failure.
use crate::error::{Cause, SamplerError};
use crate::protocol::{FromWorker, MESSAGE_LIMIT};
use rlcore::channel::Channel;
use rlcore::forkserver::{self, Child};
use rlcore::stopwatch::Stopwatch;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two checks.
const LOOK: Duration = Duration::from_millis(100);

/// Seconds that the master has to detect the death itself. Plus [`LOOK`] this must stay below the promised two seconds.
const GRACE: f64 = 1.0;

/// A worker process under supervision.
pub(crate) struct Ward {
    pub(crate) worker: String,
    pub(crate) env_ranks: Vec<Range<usize>>,
    pub(crate) child: Child,
    /// A second handle of the master's end.
    pub(crate) channel: Channel,
}

impl Ward {
    /// The error, if the worker is gone.
    fn lost(&self) -> Option<SamplerError> {
        match self.child.ended() {
            Ok(None) => None,
            Ok(Some(exit)) => Some(self.error(Cause::Ended(exit))),
            Err(e) => Some(e.into()),
        }
    }

    fn error(&self, cause: Cause) -> SamplerError {
        let (worker, env_ranks) = (self.worker.clone(), self.env_ranks.clone());
        SamplerError::Worker { worker, pid: self.child.pid(), env_ranks, cause }
    }

    /// The failure that the worker reported last, if it did.
    fn last_words(&self) -> Option<SamplerError> {
        while self.channel.ready() {
            match self.channel.recv(MESSAGE_LIMIT) {
                Ok(FromWorker::Fatal(cause)) => return Some(self.error(cause)),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        None
    }
}

/// See the module documentation. Ends when dropped.
pub(crate) struct Supervisor {
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    pub(crate) fn start(wards: Vec<Ward>) -> std::io::Result<Self> {
        let quit = Arc::new(AtomicBool::new(false));
        let told = quit.clone();
        let thread =
            std::thread::Builder::new().name("watchdog workers".into()).spawn(move || {
                let mut since: Option<Stopwatch> = None;
                while !told.load(Ordering::Acquire) {
                    std::thread::park_timeout(LOOK);
                    let Some((ward, error)) = wards.iter().find_map(|w| Some((w, w.lost()?)))
                    else {
                        continue;
                    };
                    let gone_for = since.get_or_insert_with(Stopwatch::start).look();
                    // Checked after the death was seen: a server is dismissed before it ends.
                    if forkserver::dismissed() {
                        return;
                    }
                    if gone_for > GRACE && !told.load(Ordering::Acquire) {
                        // The process ends even if standard error cannot be written.
                        let error = ward.last_words().unwrap_or(error);
                        let _ = writeln!(std::io::stderr(), "error: {error}");
                        forkserver::end(1);
                    }
                }
            })?;
        Ok(Self { quit, thread: Some(thread) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread does not panic: it only polls and prints.
            let _ = thread.join();
        }
    }
}
