//! Every fault of an environment, on every host that survives it: the error has the expected text, arrives in time, and nothing is
//! left behind.
use crate::processes::{SOON, no_workers_left, segment_bytes};
use libtest_mimic::Failed;
use rlcore::EnvFactory;
use rlcore::GlobalSteps;
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use samplers::{EvalConfig, HostKind, Sampler, SamplerError, SamplerKind, Setup};
use std::time::{Duration, Instant};
use tests::faulty::{EPISODE, EXIT, Fault, Faulty, Place, TEXT};
use tests::policies::SlicePolicy;
use tests::{Body, setups};

/// A kind of sampler, and whether its workers are processes or threads (the serial sampler has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) kind: SamplerKind,
    pub(crate) host: HostKind,
}

pub(crate) const SERIAL: Host = Host { kind: SamplerKind::Serial, host: HostKind::Thread };

pub(crate) const PARALLEL: [SamplerKind; 3] =
    [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating];

/// The samplers with worker processes.
pub(crate) const PROCESSES: [Host; 3] =
    [process(PARALLEL[0]), process(PARALLEL[1]), process(PARALLEL[2])];

/// The samplers with worker threads.
pub(crate) const THREADS: [Host; 3] =
    [thread(PARALLEL[0]), thread(PARALLEL[1]), thread(PARALLEL[2])];

pub(crate) fn hosts() -> impl Iterator<Item = Host> {
    [SERIAL].into_iter().chain(PROCESSES).chain(THREADS)
}

pub(crate) const fn process(kind: SamplerKind) -> Host {
    Host { kind, host: HostKind::Process }
}

pub(crate) const fn thread(kind: SamplerKind) -> Host {
    Host { kind, host: HostKind::Thread }
}

impl Host {
    pub(crate) fn name(self) -> String {
        match self.kind {
            SamplerKind::Serial => "serial".into(),
            kind => format!("{kind:?}_{:?}", self.host).to_lowercase(),
        }
    }

    pub(crate) fn is_process(self) -> bool {
        self.kind != SamplerKind::Serial && self.host == HostKind::Process
    }

    /// The env ranks of a worker, as they are written in errors.
    pub(crate) fn ranks(self, worker: usize) -> &'static str {
        match self.kind {
            SamplerKind::Serial => "0..10",
            SamplerKind::Alternating => ["0..2, 5..7", "2..4, 7..9", "4..5, 9..10"][worker],
            SamplerKind::Cpu | SamplerKind::Gpu => ["0..4", "4..7", "7..10"][worker],
        }
    }

    /// Rank of the environment that fails: not the first of worker 1, in either half.
    pub(crate) fn rank(self, at: usize) -> usize {
        match self.kind {
            SamplerKind::Alternating if at == 0 => 3,
            SamplerKind::Alternating => 8,
            _ => 5,
        }
    }
}

/// One fault at one place, in training or in evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) env: Faulty,
    pub(crate) evaluating: bool,
}

/// Time-out of steps in these tests, after which a step counts as stalled.
pub(crate) const STALL: Duration = Duration::from_millis(400);

/// Episodes per evaluation, two per environment.
pub(crate) const EPISODES: usize = 10;

/// Rank of the environment that fails in evaluation, one of worker 1.
const EVAL_RANK: usize = 3;

/// Ten environments and three workers, whose evaluation environments have the ranks 0..2, 2..4 and 4..5.
pub(crate) fn setup(env: &Faulty, eval: &Faulty, host: Host) -> Result<Setup, Failed> {
    let mut setup = setups::serial(env, &SlicePolicy::default(), 2 * EPISODE, ResetMode::AtOnce);
    setup.config.max_decorrelation_steps = 0;
    let config = EvalConfig { n_envs: 5, n_episodes: EPISODES, max_steps: 1000 };
    setup.eval = Some((EnvFactory::new(eval)?, config));
    Ok(match host.kind {
        SamplerKind::Serial => setup,
        kind => setups::parallel(&setup, kind, 3, host.host),
    })
}

/// The result of running a sampler with a fault.
pub(crate) struct Outcome {
    pub(crate) error: SamplerError,
    /// The sampler; `None` if it could not be built.
    pub(crate) sampler: Option<Box<dyn Sampler>>,
    pub(crate) pids: Vec<i32>,
    /// Time from the start of the failing call to its error.
    pub(crate) after: Duration,
}

/// Samples (and evaluates) until an error.
pub(crate) fn provoke(setup: &Setup, evaluate: bool) -> Result<Outcome, Failed> {
    let mut began = Instant::now();
    let mut sampler = match samplers::build(setup.clone()) {
        Ok(sampler) => sampler,
        Err(error) => {
            let after = began.elapsed();
            return Ok(Outcome { error, sampler: None, pids: vec![], after });
        }
    };
    let pids = sampler.worker_pids();
    for number in 0..20 {
        began = Instant::now();
        let mut error = sampler.obtain_samples(GlobalSteps(0)).map(drop).err();
        if evaluate && error.is_none() {
            began = Instant::now();
            error = sampler
                .evaluate(EvalSeries::Training(number), EPISODES, GlobalSteps(0))
                .map(drop)
                .err();
        }
        if let Some(error) = error {
            return Ok(Outcome { error, sampler: Some(sampler), pids, after: began.elapsed() });
        }
    }
    Err("the fault was not noticed".into())
}

impl Case {
    pub(crate) fn name(&self) -> String {
        let phase = if self.evaluating { "_evaluating" } else { "" };
        let fault = self.env.fault.map_or_else(String::new, |f| format!("{f:?}"));
        format!("{fault}_in_{:?}{}{phase}", self.env.place, self.env.at)
    }

    fn env(&self, host: Host) -> Faulty {
        let rank = if self.evaluating { EVAL_RANK } else { host.rank(self.env.at) };
        Faulty { rank, ..self.env }
    }

    pub(crate) fn setup(&self, host: Host) -> Result<Setup, Failed> {
        let (sound, faulty) = (Faulty::sound(), self.env(host));
        let (env, eval) = if self.evaluating { (&sound, &faulty) } else { (&faulty, &sound) };
        let mut setup = setup(env, eval, host)?;
        if self.stalls() {
            setup.config.worker.step_timeout = STALL.as_secs_f64();
        }
        Ok(setup)
    }

    pub(crate) fn stalls(&self) -> bool {
        self.env.fault == Some(Fault::Stall)
    }

    /// Whether only a worker process survives this fault. (A stalled thread ends the whole program: see `programs`.)
    fn survivable(&self, host: Host) -> bool {
        let deadly = [Fault::Kill, Fault::Exit, Fault::Stall];
        host.is_process() || self.env.fault.is_some_and(|f| !deadly.contains(&f))
    }

    /// The text of the error before and after the process id.
    pub(crate) fn text(&self, host: Host) -> (String, String) {
        let (worker, ranks) = match (host.kind, self.evaluating) {
            (SamplerKind::Serial, false) => ("serial sampler", host.ranks(0)),
            (SamplerKind::Serial, true) => ("serial sampler, evaluating", "0..5"),
            (_, false) => ("worker 1", host.ranks(1)),
            (_, true) => ("worker 1, evaluating", "2..4"),
        };
        (format!("{worker} (pid "), format!(", env ranks {ranks}): {}", self.cause(host)))
    }

    /// The text of the error; for a stall up to the number of seconds.
    fn cause(&self, host: Host) -> String {
        let who = format!("environment {}", self.env(host).rank);
        match (self.env.fault, self.env.place) {
            (Some(Fault::Kill), _) => "the process was killed by signal 9 (SIGKILL)".into(),
            (Some(Fault::Exit), _) => format!("the process exited with code {EXIT}"),
            (Some(Fault::Panic), _) => format!("{who} panicked: {TEXT}"),
            (Some(Fault::Error), _) => format!("{who} reported: {TEXT}"),
            (Some(Fault::NanObservation), _) => format!("{who} gave a NaN in observation leaf 0"),
            (Some(Fault::NanReward), _) => format!("{who} gave the reward NaN"),
            (Some(Fault::InfiniteReward), _) => format!("{who} gave the reward inf"),
            (Some(Fault::WrongShape), _) => {
                format!("{who} reported: leaf 0 holds 3 elements of F32, but 5 of f32 were written")
            }
            (Some(Fault::WrongType), _) => format!("{who} panicked: leaf holds F32, not f64"),
            (Some(Fault::Stall), _) => format!("{who} has not returned for 0."),
            (Some(Fault::Slow(_) | Fault::KillSibling(_)) | None, _) => "no fault".into(),
        }
    }

    fn run(&self, host: Host) -> Result<(), Failed> {
        let held = segment_bytes();
        let outcome = provoke(&self.setup(host)?, self.evaluating)?;
        let limit = if self.stalls() { STALL + SOON } else { SOON };
        if outcome.after > limit {
            return Err(format!("the error came after {:?}", outcome.after).into());
        }
        let SamplerError::Worker { pid, .. } = &outcome.error else {
            return Err(format!("no worker is named: {}", outcome.error).into());
        };
        let own = std::process::id() as i32;
        let right = match outcome.pids.get(1) {
            Some(worker) if host.is_process() => pid == worker,
            None if host.is_process() => *pid != own && *pid > 1,
            _ => *pid == own,
        };
        let (before, after) = self.text(host);
        let (want, got) = (format!("{before}{pid}{after}"), outcome.error.to_string());
        let same = if self.stalls() { got.starts_with(&want) } else { got == want };
        if !right || !same {
            return Err(format!("want: {want}\n got: {got}").into());
        }
        if let Some(sampler) = outcome.sampler {
            unusable(sampler)?;
        }
        nothing_left(held)
    }
}

/// Checks that no worker process or thread is left, and no more shared memory than before.
pub(crate) fn nothing_left(held: u64) -> Result<(), Failed> {
    no_workers_left()?;
    if segment_bytes() > held {
        return Err(format!("{} bytes of segments, {held} before", segment_bytes()).into());
    }
    Ok(())
}

/// Checks that every later call fails immediately.
pub(crate) fn unusable(mut sampler: Box<dyn Sampler>) -> Result<(), Failed> {
    let began = Instant::now();
    let errors = [
        ("obtain_samples", sampler.obtain_samples(GlobalSteps(0)).map(drop).err()),
        (
            "evaluate",
            sampler.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0)).map(drop).err(),
        ),
        ("publish", sampler.publisher().publish(&[]).err()),
        ("save", sampler.save().map(drop).err()),
        ("obtain_samples again", sampler.obtain_samples(GlobalSteps(0)).map(drop).err()),
    ];
    for (call, error) in errors {
        if !matches!(error, Some(SamplerError::Unusable)) {
            return Err(format!("{call} after an error: {error:?}").into());
        }
    }
    drop(sampler);
    if began.elapsed() > SOON {
        return Err(format!("a failed sampler took {:?} to end", began.elapsed()).into());
    }
    Ok(())
}

/// The calls that fail, in training and in evaluation: the constructor, the first and a later reset, the first and a later step.
pub(crate) fn all() -> Vec<Case> {
    let ends = [Fault::Kill, Fault::Exit, Fault::Panic, Fault::Error, Fault::Stall];
    let shows = [Fault::NanObservation, Fault::WrongShape, Fault::WrongType];
    let steps = [Fault::NanReward, Fault::InfiniteReward];
    let mut out = Vec::new();
    for evaluating in [false, true] {
        let mut add = |fault, place, at| {
            // The rank that fails depends on the host.
            let env = Faulty { fault: Some(fault), place, rank: 0, at };
            out.push(Case { env, evaluating });
        };
        for fault in ends {
            add(fault, Place::Make, 0);
            for at in [0, 3] {
                add(fault, Place::Reset, at);
            }
            for at in [0, 33] {
                add(fault, Place::Step, at);
            }
        }
        for fault in shows {
            for at in [0, 3] {
                add(fault, Place::Reset, at);
            }
            for at in [0, 33] {
                add(fault, Place::Step, at);
            }
        }
        for fault in steps {
            for at in [0, 33] {
                add(fault, Place::Step, at);
            }
        }
    }
    out
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    for host in hosts() {
        for case in all().into_iter().filter(|case| case.survivable(host)) {
            let name = format!("{}::{}", host.name(), case.name());
            tests.push((name, Box::new(move || case.run(host))));
        }
    }
    tests
}
