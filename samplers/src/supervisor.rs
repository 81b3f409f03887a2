//! Notices that a worker died while the master does something else, such as a long update of the learner.
//!
//! Nothing can interrupt the master there. So it has a moment to come back and notice by itself, which gives an error like any
//! other; after that the process ends with the error and exit code 1, as it does for an environment that never returns
//! ([`crate::watchdog`]). Where the process ends by itself, and its exit handlers take their time, workers are gone in order. A checkpoint that is being written then is not there: it gets its name once it is whole.
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

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// Seconds that the master may take to notice by itself. With a look it has to stay below the two seconds that are promised.
const GRACE: f64 = 1.0;

/// A worker process under supervision.
pub(crate) struct Ward {
    pub(crate) worker: String,
    pub(crate) env_ranks: Vec<Range<usize>>,
    pub(crate) child: Child,
    /// Another handle of the master's end.
    pub(crate) channel: Channel,
}

impl Ward {
    /// Why it is no more, if so.
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

    /// What it said last, where that was why it ended.
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
                    // After the look: a server that was dismissed was so before it ended.
                    if forkserver::dismissed() {
                        return;
                    }
                    if gone_for > GRACE && !told.load(Ordering::Acquire) {
                        // Where nobody can be told, it still ends.
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
            // It never panics: it looks and speaks, no more.
            let _ = thread.join();
        }
    }
}
