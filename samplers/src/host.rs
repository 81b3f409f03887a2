//! The master's handle of one worker: starts, watches and ends it. Every wait has a limit and checks that the worker lives.
use crate::collector::CollectorSpec;
use crate::config::HostKind;
use crate::error::{Cause, SamplerError};
use crate::protocol::{CHECK_EVERY, FromWorker, MESSAGE_LIMIT, ToWorker, WorkerSetup};
use crate::supervisor::Ward;
use crate::watchdog::{StallClock, stalled};
use crate::worker;
use rlcore::channel::{Channel, ChannelError};
use rlcore::control::{Task, WorkerControl};
use rlcore::forkserver::{self, Child, ForkServerError, Surroundings};
use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a worker may take to close its environments before it is killed.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

enum Host {
    Process(Child),
    Thread(Option<JoinHandle<i32>>),
}

/// One worker.
pub(crate) struct WorkerHandle {
    index: usize,
    /// Env ranks of its environments, one range per group.
    lanes: Vec<Range<usize>>,
    /// Env ranks of its evaluation environments, if it has any.
    eval_ranks: Option<Range<usize>>,
    host: Host,
    channel: Channel,
    control: &'static WorkerControl,
    /// Total number of arrivals at gates that were ordered, wrapping.
    due: u32,
    /// An answer is awaited.
    asked: bool,
    evaluating: bool,
    /// It has stalled: waiting for its end would take forever.
    stalled: bool,
    clock: StallClock,
    answers: VecDeque<FromWorker>,
    notes: Vec<(usize, String)>,
}

impl WorkerHandle {
    /// Starts a worker; [`WorkerHandle::answer`] gives its [`FromWorker::Ready`].
    pub(crate) fn start(
        setup: &WorkerSetup,
        kind: HostKind,
        surroundings: Surroundings,
        segment: BorrowedFd<'_>,
        control: &'static WorkerControl,
        step_timeout: f64,
    ) -> Result<Self, SamplerError> {
        let (channel, theirs) = Channel::pair()?;
        let host = match kind {
            HostKind::Process => {
                let child = forkserver::server()?.spawn(worker::main, &theirs, surroundings)?;
                // The worker must hold the only copy, so that its death closes the channel.
                drop(theirs);
                Host::Process(child)
            }
            HostKind::Thread => {
                let name = format!("worker {}", setup.index);
                let body = move || {
                    if !surroundings.cpus.is_empty() {
                        // Allowed CPUs were checked with the settings.
                        let _ = rlcore::affinity::pin(&surroundings.cpus);
                    }
                    worker::main(theirs)
                };
                Host::Thread(Some(std::thread::Builder::new().name(name).spawn(body)?))
            }
        };
        let ranks = |spec: &CollectorSpec| spec.first_rank.0..spec.first_rank.0 + spec.columns;
        let mut handle = Self {
            index: setup.index,
            lanes: setup.lanes.iter().map(|lane| ranks(&lane.spec)).collect(),
            eval_ranks: setup.eval.as_ref().map(ranks),
            host,
            channel,
            control,
            due: 0,
            asked: true,
            evaluating: false,
            stalled: false,
            clock: StallClock::new(step_timeout),
            answers: VecDeque::new(),
            notes: Vec::new(),
        };
        let sent = handle.channel.send(setup, MESSAGE_LIMIT);
        let sent = sent.and_then(|()| handle.channel.send_fds(&[segment.as_raw_fd()]));
        if let Err(e) = sent {
            let error = handle.failed_channel(&e);
            handle.dismiss();
            handle.finish(Instant::now() + FAREWELL);
            return Err(error);
        }
        Ok(handle)
    }

    pub(crate) fn pid(&self) -> i32 {
        match &self.host {
            Host::Process(child) => child.pid(),
            Host::Thread(_) => std::process::id() as i32,
        }
    }

    /// A ward for the supervisor; `None` if the worker is a thread.
    pub(crate) fn ward(&self) -> std::io::Result<Option<Ward>> {
        let Host::Process(child) = self.host else { return Ok(None) };
        let (worker, env_ranks) = (format!("worker {}", self.index), self.lanes.clone());
        Ok(Some(Ward { worker, env_ranks, child, channel: self.channel.try_clone()? }))
    }

    pub(crate) fn lanes(&self) -> &[Range<usize>] {
        &self.lanes
    }

    /// Env ranks of its evaluation environments while they are stepped or constructed.
    fn evaluated(&self) -> Option<Range<usize>> {
        self.eval_ranks.clone().filter(|_| self.evaluating || self.control.evaluating())
    }

    /// Whether the worker has an order to carry out. A worker that has arrived at a gate is not busy while another one is awaited.
    pub(crate) fn busy(&self) -> bool {
        (self.asked && self.answers.is_empty()) || self.control.arrivals() != self.due
    }

    /// The error for an answer that is not `wanted`.
    pub(crate) fn unexpected(&self, wanted: &str) -> SamplerError {
        self.failed(Cause::Protocol(format!("gave another answer than {wanted}")))
    }

    fn failed(&self, cause: Cause) -> SamplerError {
        let (phase, env_ranks) = match self.evaluated() {
            Some(ranks) => (", evaluating", vec![ranks]),
            None => ("", self.lanes.clone()),
        };
        let (worker, pid) = (format!("worker {}{phase}", self.index), self.pid());
        SamplerError::Worker { worker, pid, env_ranks, cause }
    }

    /// A closed socket means a dead worker: finds out how it died. Its own last message has precedence over its exit status.
    fn failed_channel(&mut self, error: &ChannelError) -> SamplerError {
        if !matches!(error, ChannelError::Closed) {
            return self.failed(Cause::Protocol(error.to_string()));
        }
        while self.channel.ready() {
            match self.channel.recv(MESSAGE_LIMIT) {
                Ok(FromWorker::Fatal(cause)) => return self.failed(cause),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let until = Instant::now() + FAREWELL;
        while Instant::now() < until {
            match self.ended() {
                Ok(Some(cause)) => return self.failed(cause),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(e) => return e.into(),
            }
        }
        self.failed(Cause::Protocol("closed its socket".into()))
    }

    fn ended(&self) -> Result<Option<Cause>, ForkServerError> {
        match &self.host {
            Host::Process(child) => Ok(child.ended()?.map(Cause::Ended)),
            Host::Thread(Some(thread)) if !thread.is_finished() => Ok(None),
            Host::Thread(_) => Ok(Some(Cause::Protocol("the thread ended".into()))),
        }
    }

    /// Orders a task.
    pub(crate) fn order(&mut self, task: Task) {
        self.evaluating = false;
        self.clock.restart(&self.control.progress);
        self.control.order(task);
    }

    /// Notes that the worker will arrive at gates `arrivals` more times.
    pub(crate) fn owes(&mut self, arrivals: u32) {
        self.due = self.due.wrapping_add(arrivals);
    }

    /// Orders a task that comes with a message; [`WorkerHandle::answer`] returns the answer.
    pub(crate) fn ask(&mut self, message: &ToWorker, task: Task) -> Result<(), SamplerError> {
        self.asked = true;
        self.order(task);
        self.evaluating = matches!(message, ToWorker::Evaluate(_));
        self.channel.send(message, MESSAGE_LIMIT).map_err(|e| self.failed_channel(&e))
    }

    /// The answer to the last message; waits for it at most [`CHECK_EVERY`].
    pub(crate) fn answer(&mut self) -> Option<FromWorker> {
        if self.answers.is_empty() {
            self.channel.wait_ready(CHECK_EVERY);
        }
        let answer = self.answers.pop_front();
        self.asked = answer.is_none();
        answer
    }

    /// Receives pending messages; returns an error if the worker has failed, died or stalled.
    pub(crate) fn check(&mut self) -> Result<(), SamplerError> {
        self.take_in()?;
        if let Some(cause) = self.ended()? {
            // It may have sent its last message between the two checks.
            self.take_in()?;
            return Err(self.failed(cause));
        }
        if self.busy()
            && let Some(seconds) = self.clock.stalled(&self.control.progress, self.due)
        {
            self.stalled = true;
            let first = self.control.first_rank();
            return Err(self.failed(stalled(&self.control.progress, first, seconds)));
        }
        Ok(())
    }

    fn take_in(&mut self) -> Result<(), SamplerError> {
        while self.channel.ready() {
            match self.channel.recv(MESSAGE_LIMIT) {
                Ok(FromWorker::Fatal(cause)) => return Err(self.failed(cause)),
                Ok(FromWorker::Notes(notes)) => self.notes.extend(notes),
                Ok(answer) => self.answers.push_back(answer),
                Err(e) => return Err(self.failed_channel(&e)),
            }
        }
        Ok(())
    }

    pub(crate) fn take_notes(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Orders the worker to end. A process that is busy would not see the order, so it is killed.
    pub(crate) fn dismiss(&mut self) {
        match &self.host {
            Host::Process(child) if self.busy() => child.kill(),
            _ => self.control.quit(),
        }
    }

    /// Waits for the worker's end, after [`WorkerHandle::dismiss`]: kills a process that has not ended by `until`, abandons a
    /// thread that hangs.
    pub(crate) fn finish(&mut self, until: Instant) {
        if !self.gone_by(until)
            && let Host::Process(child) = &self.host
        {
            child.kill();
            self.gone_by(Instant::now() + FAREWELL);
        }
        if let Host::Thread(thread) = &mut self.host
            && let Some(thread) = thread.take_if(|t| t.is_finished())
        {
            // The return value was reported over the channel as well.
            let _ = thread.join();
        }
    }

    /// Whether this worker is a stalled thread, which cannot be killed. If several stall, the error names one of them.
    fn hangs(&mut self) -> bool {
        if self.busy() {
            self.stalled |= self.clock.stalled(&self.control.progress, self.due).is_some();
        }
        self.stalled && matches!(self.host, Host::Thread(_))
    }

    fn gone_by(&mut self, until: Instant) -> bool {
        while matches!(self.ended(), Ok(None)) {
            if self.hangs() || Instant::now() > until {
                return false;
            }
            // Readable if the worker sent a message or ended; the fork server's report of its end follows within a moment.
            if self.channel.wait_ready(CHECK_EVERY) {
                let said = self.channel.recv::<FromWorker>(CHECK_EVERY);
                if matches!(said, Err(ChannelError::Closed)) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        true
    }
}
