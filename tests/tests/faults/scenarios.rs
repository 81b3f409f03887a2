//! The programs that [`crate::programs`] runs: a user's `main`, correct or not. Errors lead to exit code 1.
use crate::cases::{self, Host, PROCESSES, THREADS, hosts, provoke, setup};
use experiments::failure;
use libtest_mimic::Failed;
use rlcore::GlobalSteps;
use rlcore::forkserver;
use samplers::SamplerKind;
use std::process::ExitCode;
use std::time::Duration;
use tests::faulty::{Fault, Faulty, Place};
use tests::faulty_agent::{
    AgentCall, AgentFault, FaultyPolicy, exception as exception_in_libtorch,
};
use tests::twin::Foreign;

type Outcome = Result<(), Failed>;

/// Runs the scenario that the arguments name.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["exception", on, logs] = words[..] {
        return exception(on, logs);
    }
    let outcome = match words[..] {
        ["case", host, name] => case(host, name),
        ["endless", host, fault] => endless(host, fault),
        ["acting", host] => acting(host, cases::STALL),
        ["acting", host, "patient"] => acting(host, Duration::from_secs(1000)),
        ["example"] => example(),
        ["late"] => late(),
        ["missing"] => missing(),
        ["idle"] => idle(),
        ["learning", host] => learning(host),
        ["slow", host] => slow(host),
        ["slow_program", host] => slow_program(host),
        ["slow_exit", host] => slow_exit(host),
        ["ending", host, how] => ending(host, how),
        ["parent", ..] => parent(&words[1..]),
        _ => Err(format!("no scenario {words:?}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", e.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn host(name: &str) -> Result<Host, Failed> {
    hosts().find(|h| h.name() == name).ok_or_else(|| format!("no host {name}").into())
}

fn find(name: &str) -> Result<cases::Case, Failed> {
    let found = cases::all().into_iter().find(|c| c.name() == name);
    found.ok_or_else(|| format!("no case {name}").into())
}

/// A fault, and the error that `main` returns.
fn case(on: &str, name: &str) -> Outcome {
    forkserver::init()?;
    let case = find(name)?;
    let setup = case.setup(host(on)?)?;
    println!("begins");
    Err(provoke(&setup, case.evaluating)?.error.into())
}

/// Samples forever; with a fault that stalls, a call never returns.
fn endless(on: &str, name: &str) -> Outcome {
    forkserver::init()?;
    let mut setup = match name {
        "sound" => setup(&Faulty::sound(), &Faulty::sound(), host(on)?)?,
        name => find(name)?.setup(host(on)?)?,
    };
    setup.config.worker.step_timeout = 1000.0;
    println!("begins");
    let mut sampler = samplers::build(setup)?;
    println!("samples");
    loop {
        sampler.obtain_samples(GlobalSteps(0))?;
    }
}

/// Collects one batch, then makes an update that never ends.
fn learning(on: &str) -> Outcome {
    forkserver::init()?;
    let mut sampler = samplers::build(setup(&Faulty::sound(), &Faulty::sound(), host(on)?)?)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    println!("learning");
    loop {
        std::thread::park();
    }
}

/// Batches for [`STOPS`] stops, of steps of 15 ms where 400 are allowed.
fn slow(on: &str) -> Outcome {
    forkserver::init()?;
    let host = host(on)?;
    let slow =
        Faulty { fault: Some(Fault::Slow(15)), place: Place::Step, rank: host.rank(0), at: 0 };
    let mut setup = setup(&slow, &Faulty::sound(), host)?;
    setup.config.worker.step_timeout = cases::STALL.as_secs_f64();
    let mut sampler = samplers::build(setup)?;
    for _ in 0..STOPS {
        println!("batch");
        sampler.obtain_samples(GlobalSteps(0))?;
    }
    Ok(())
}

/// As [`slow`], with environments that another program steps, 10 ms each; 1.5 seconds are allowed.
fn slow_program(on: &str) -> Outcome {
    forkserver::init()?;
    let host = host(on)?;
    let slow = (0..10).map(|rank| (rank, 0.01)).collect();
    let program = Foreign { slow, limit: PROGRAM_LIMIT.as_secs_f64(), ..Foreign::sound(2) };
    let mut setup = setup(&Faulty::sound(), &Faulty::sound(), host)?;
    (setup.env, setup.eval) = (rlcore::EnvFactory::slice(&program)?, None);
    setup.config.worker.step_timeout = PROGRAM_LIMIT.as_secs_f64();
    let mut sampler = samplers::build(setup)?;
    println!("batch");
    sampler.obtain_samples(GlobalSteps(0))?;
    Ok(())
}

/// The limit of [`slow_program`]: an interpreter starts within it.
pub(crate) const PROGRAM_LIMIT: Duration = Duration::from_millis(1500);

/// Ends by `exit` with a living sampler, while a library's exit handler takes longer than the supervisor waits. Handlers run in
/// the reverse order of their registration: this one after that of the fork server.
fn slow_exit(on: &str) -> Outcome {
    extern "C" fn slow() {
        std::thread::sleep(Duration::from_millis(2500));
    }
    // SAFETY: the function is there for as long as this program is.
    unsafe { nix::libc::atexit(slow) };
    forkserver::init()?;
    let mut sampler = samplers::build(setup(&Faulty::sound(), &Faulty::sound(), host(on)?)?)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    println!("exits");
    std::process::exit(0)
}

/// The `main` of the command line, with an exception of libtorch in the agent of a serial sampler (`serial`) or of a worker, or
/// in the master while workers wait (`learner`).
fn exception(on: &str, logs: &str) -> ExitCode {
    failure::quiet_exceptions();
    failure::exit(|| {
        forkserver::init()?;
        let learner = on == "learner";
        let host = host(if learner { "cpu_process" } else { on }).map_err(told)?;
        let at = if learner { usize::MAX } else { 3 };
        let policy = FaultyPolicy { fault: AgentFault::Exception, call: AgentCall::Act, at };
        let mut setup = crate::acting::setup(&policy, host).map_err(told)?;
        setup.worker_logs = Some(logs.into());
        let mut sampler = samplers::build(setup)?;
        sampler.obtain_samples(GlobalSteps(0))?;
        exception_in_libtorch();
        Ok(0)
    })
}

fn told(e: Failed) -> anyhow::Error {
    anyhow::anyhow!("{}", e.message().unwrap_or_default())
}

/// How many batches [`slow`] samples, each of which begins with a line.
pub(crate) const STOPS: usize = 3;

/// Ways for a program with workers to end.
pub(crate) const ENDINGS: [&str; 4] = ["in_order", "in_an_error", "by_exit", "with_a_dead_worker"];

/// Builds a sampler, collects a batch and ends.
fn ending(on: &str, how: &str) -> Outcome {
    forkserver::init()?;
    let mut sampler = samplers::build(setup(&Faulty::sound(), &Faulty::sound(), host(on)?)?)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    match how {
        "in_order" => Ok(()),
        "in_an_error" => Err("as told".into()),
        "by_exit" => std::process::exit(0),
        _ => {
            crate::processes::signal(sampler.worker_pids()[0], nix::sys::signal::Signal::SIGKILL)?;
            loop {
                std::thread::park();
            }
        }
    }
}

/// Like process 1 of a container that reaps only its own child: runs a program, and lists the processes that are left.
fn parent(arguments: &[&str]) -> Outcome {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut program = std::process::Command::new(std::env::current_exe()?);
    let mut program = program.arg(crate::program::FLAG).args(arguments).spawn()?;
    program.wait()?;
    let left = crate::processes::children(std::process::id() as i32);
    println!("left {left:?}");
    Ok(())
}

/// The agent never returns from choosing an action in the middle of the second batch.
fn acting(on: &str, limit: Duration) -> Outcome {
    forkserver::init()?;
    let host = host(on)?;
    // One that acts for half of the environments is called twice a step.
    let at = if host.kind == SamplerKind::Alternating { 61 } else { 33 };
    let policy = FaultyPolicy { fault: AgentFault::Stall, call: AgentCall::Act, at };
    let mut setup = crate::acting::setup(&policy, host)?;
    setup.config.worker.step_timeout = limit.as_secs_f64();
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    println!("begins");
    sampler.obtain_samples(GlobalSteps(0))?;
    Ok(())
}

/// The first environment's constructor, which the master calls to learn the spaces, never returns.
fn example() -> Outcome {
    forkserver::init()?;
    let stalls = Faulty { rank: 0, ..find("Stall_in_Make0")?.env };
    let mut setup = setup(&stalls, &Faulty::sound(), PROCESSES[0])?;
    setup.config.worker.step_timeout = cases::STALL.as_secs_f64();
    println!("begins");
    samplers::build(setup)?;
    Ok(())
}

/// A `main` that starts the fork server only after a thread.
fn late() -> Outcome {
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv().is_err());
    let outcome = forkserver::init();
    drop(end);
    thread.join().map_err(|_| "the thread panicked")?;
    Ok(outcome?)
}

/// A `main` that does not start the fork server: worker threads work, worker processes do not.
fn missing() -> Outcome {
    let sound = Faulty::sound();
    samplers::build(setup(&sound, &sound, THREADS[0])?)?.obtain_samples(GlobalSteps(0))?;
    let at_first = samplers::build(setup(&sound, &sound, PROCESSES[0])?).err();
    let again = samplers::build(setup(&sound, &sound, PROCESSES[0])?).err();
    if at_first.is_none()
        || at_first.map(|e| e.to_string()) != again.as_ref().map(ToString::to_string)
    {
        return Err("a missing fork server is not always the same error".into());
    }
    again.map_or(Ok(()), |e| Err(e.into()))
}

/// Builds samplers after the fork server was killed while no sampler existed.
fn idle() -> Outcome {
    forkserver::init()?;
    let server = crate::processes::server();
    crate::processes::signal(server, nix::sys::signal::Signal::SIGKILL)?;
    crate::processes::until("the server's end", crate::processes::SOON, || {
        !crate::processes::running(server)
    })?;
    println!("begins {server}");
    let sound = Faulty::sound();
    let first = samplers::build(setup(&sound, &sound, PROCESSES[0])?).map(drop);
    let again = samplers::build(setup(&sound, &sound, PROCESSES[0])?).map(drop);
    if first.is_ok() || first.map_err(|e| e.to_string()) != again.map_err(|e| e.to_string()) {
        return Err("a dead fork server is not always the same error".into());
    }
    samplers::build(setup(&sound, &sound, PROCESSES[0])?)?;
    Ok(())
}
