//! Faults that end the whole program, observed from outside: exit code, standard error, remaining processes.
use crate::cases::{self, Host, PROCESSES, SERIAL, STALL, THREADS, hosts};
use crate::processes::{SOON, all_gone, children, named_segments, signal, until};
use crate::program::Program;
use crate::scenarios::{ENDINGS, PROGRAM_LIMIT, STOPS};
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use samplers::SamplerKind;
use std::time::{Duration, Instant};
use tests::Body;
use tests::program::stat;

/// A fault in a program whose `main` returns the error.
fn case(host: Host, name: &str) -> Result<(), Failed> {
    let found = cases::all().into_iter().find(|c| c.name() == name);
    let case = found.ok_or_else(|| format!("no case {name}"))?;
    let mut program = Program::start(&["case", &host.name(), name])?;
    program.says("begins")?;
    let (event, pid) = (Instant::now(), program.pid());
    let (server, _) = program.family(0)?;
    let (before, after) = case.text(host);
    let who = if host.is_process() { before } else { format!("{before}{pid}") };
    let limit = if case.stalls() { STALL + SOON } else { SOON };
    program.fails(event, limit, &[&format!("error: {who}"), &after], &[pid, server])
}

/// A program that is sampling when `hit` is called must end within the limit, together with all of its processes.
fn master_dies(host: Host, fault: &str, hit: Signal, group: bool) -> Result<(), Failed> {
    let segments = named_segments();
    let mut program = Program::start(&["endless", &host.name(), fault])?;
    program.says("begins")?;
    // A fault in the constructor or in the first reset comes before the first batch.
    if fault == "sound" || fault.contains("Step") {
        program.says("samples")?;
    }
    let (server, workers) = program.family(3)?;
    let mut family = workers;
    family.extend([program.pid(), server]);
    let event = Instant::now();
    signal(if group { -program.pid() } else { program.pid() }, hit)?;
    all_gone(&family)?;
    let end = program.end(event, SOON)?;
    if std::os::unix::process::ExitStatusExt::signal(&end.status) != Some(hit as i32) {
        return Err(format!("{}: {}", end.status, end.stderr).into());
    }
    if named_segments() != segments {
        return Err(format!("{segments:?} before, {:?} after", named_segments()).into());
    }
    Ok(())
}

/// Kills the fork server of a program that samples, or whose workers are still being built.
fn server_dies(host: Host, fault: &str, starting: bool) -> Result<(), Failed> {
    let mut program = Program::start(&["endless", &host.name(), fault])?;
    program.says(if starting { "begins" } else { "samples" })?;
    let (server, mut family) = program.family(3)?;
    family.extend([server, program.pid()]);
    let event = Instant::now();
    signal(server, Signal::SIGKILL)?;
    let text = format!("error: the fork server (pid {server}) died, and its workers with it");
    program.fails(event, SOON, &[&text], &family)
}

/// A worker is killed: the program ends with the error, and the other workers end too.
fn worker_dies(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["endless", &host.name(), "sound"])?;
    program.says("samples")?;
    let (server, workers) = program.family(3)?;
    let victim = workers.iter().max().copied().unwrap_or_default();
    let event = Instant::now();
    signal(victim, Signal::SIGKILL)?;
    let text = format!(" (pid {victim}, env ranks ");
    let why = "): the process was killed by signal 9 (SIGKILL)";
    program.fails(event, SOON, &["error: worker ", &text, why], &[&workers[..], &[server]].concat())
}

/// A worker or the server is killed while the master learns: the program does not wait for the learner to end.
fn dies_while_learning(host: Host, server_dies: bool) -> Result<(), Failed> {
    let mut program = Program::start(&["learning", &host.name()])?;
    program.says("learning")?;
    let (server, workers) = program.family(3)?;
    let victim = if server_dies { server } else { workers[1] };
    let event = Instant::now();
    signal(victim, Signal::SIGKILL)?;
    let (who, why) = if server_dies {
        (format!("error: the fork server (pid {server}) died"), ", and its workers with it")
    } else {
        (format!(" (pid {victim}, env ranks "), "): the process was killed by signal 9 (SIGKILL)")
    };
    program.fails(event, SOON, &["error: ", &who, why], &[&workers[..], &[server]].concat())
}

/// A whole program that is stopped for longer than a step may take, and continued: nothing has stalled.
fn stopped_and_continued(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["slow", &host.name()])?;
    let mut family = vec![program.pid()];
    for _ in 0..STOPS {
        program.says("batch")?;
        if host.is_process() {
            family = program.family(3)?.1;
            family.push(program.pid());
        }
        signal(-program.pid(), Signal::SIGSTOP)?;
        until("a stop", SOON, || {
            family.iter().all(|pid| stat(*pid).is_some_and(|(state, _)| state == 'T'))
        })?;
        // What is tested is a length of time.
        std::thread::sleep(STALL * 2);
        signal(-program.pid(), Signal::SIGCONT)?;
    }
    let end = program.end(Instant::now(), Duration::from_secs(60))?;
    if end.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {}", end.status, end.stderr).into())
    }
}

/// The same with environments that another program steps: it is stopped and continued with the others.
fn stopped_with_its_programs(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["slow_program", &host.name()])?;
    program.says("batch")?;
    let mut family = vec![program.pid()];
    for i in 0.. {
        let Some(pid) = family.get(i) else { break };
        family.extend(children(*pid));
    }
    // Five programs under a serial sampler; under three workers their server and six.
    let programs = family.len() - if host.is_process() { 5 } else { 1 };
    if programs < 5 {
        return Err(format!("only {programs} programs in {family:?}").into());
    }
    signal(-program.pid(), Signal::SIGSTOP)?;
    until("a stop", SOON, || {
        family.iter().all(|pid| stat(*pid).is_none_or(|(state, _)| matches!(state, 'T' | 'Z')))
    })?;
    // What is tested is a length of time.
    std::thread::sleep(PROGRAM_LIMIT * 2);
    signal(-program.pid(), Signal::SIGCONT)?;
    ends_in_order(program)
}

/// The program ends with exit code 0 and says nothing on standard error.
fn ends_in_order(program: Program) -> Result<(), Failed> {
    let end = program.end(Instant::now(), Duration::from_secs(60))?;
    if end.status.success() && end.stderr.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: {}", end.status, end.stderr).into())
    }
}

/// Broken by a supervisor that takes the fork server, which the exit has dismissed, for dead.
fn slow_exit(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["slow_exit", &host.name()])?;
    program.says("exits")?;
    ends_in_order(program)
}

/// A C++ exception becomes one line on standard error and exit code 1; its backtrace is nowhere, nor in the logs of workers.
fn exception(on: &str, texts: &[&str]) -> Result<(), Failed> {
    let logs = tempfile::tempdir()?;
    let program = Program::start(&["exception", on, &logs.path().display().to_string()])?;
    let end = program.end(Instant::now(), Duration::from_secs(60))?;
    let (code, said) = (end.status.code(), &end.stderr);
    if code != Some(1) || said.lines().count() != 1 || !said.starts_with("error: ") {
        return Err(format!("{}: {said}", end.status).into());
    }
    for text in texts {
        if !said.contains(text) {
            return Err(format!("`{text}` is not in: {said}").into());
        }
    }
    let logged = std::fs::read_dir(logs.path())?.flatten().map(|log| log.path());
    let logged = logged.map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?.concat();
    if said.contains("frame #") || logged.contains("frame #") {
        return Err(format!("a backtrace is in: {said}{logged}").into());
    }
    Ok(())
}

/// The program ends in this way and leaves no process for another process to reap.
fn leaves_nobody(host: Host, how: &str) -> Result<(), Failed> {
    let mut program = Program::start(&["parent", "ending", &host.name(), how])?;
    let left = program.says("left")?;
    program.end(Instant::now(), SOON)?;
    if left == "[]" { Ok(()) } else { Err(format!("left to process 1: {left}").into()) }
}

/// The agent in the master never returns: the whole program ends, because nothing can interrupt the call.
fn stalled_agent(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["acting", &host.name()])?;
    program.says("begins")?;
    let (event, pid) = (Instant::now(), program.pid());
    let (server, workers) = program.family(0)?;
    let who = match host.kind {
        SamplerKind::Serial => format!("serial sampler (pid {pid}, env ranks 0..10)"),
        SamplerKind::Cpu => "worker ".into(),
        SamplerKind::Gpu => format!("the action server (pid {pid}, env ranks 0..10)"),
        SamplerKind::Alternating => format!("the action server (pid {pid}, env ranks 5..10)"),
    };
    let why = ": no progress for 0.";
    let family = [&workers[..], &[pid, server]].concat();
    program.fails(event, STALL + SOON, &[&format!("error: {who}"), why], &family)
}

/// The master is killed while its agent is acting and all workers wait at a gate.
fn acting_master_dies(host: Host) -> Result<(), Failed> {
    let mut program = Program::start(&["acting", &host.name(), "patient"])?;
    program.says("begins")?;
    let (server, workers) = program.family(3)?;
    let family = [&workers[..], &[program.pid(), server]].concat();
    let event = Instant::now();
    signal(program.pid(), Signal::SIGKILL)?;
    all_gone(&family)?;
    program.end(event, SOON).map(|_| ())
}

/// The fork server dies between two samplers.
fn idle_server_dies() -> Result<(), Failed> {
    let mut program = Program::start(&["idle"])?;
    let server = program.says("begins")?;
    let text = format!("error: the fork server (pid {server}) died");
    program.fails(Instant::now(), SOON, &[&text], &[])
}

/// A program that fails before it has workers, some time after it was loaded.
fn refused(scenario: &str, text: &str) -> Result<(), Failed> {
    let program = Program::start(&[scenario])?;
    let pid = program.pid();
    program.fails(Instant::now(), Duration::from_secs(60), &[text], &[pid])
}

/// The master itself calls a constructor that never returns.
fn stalled_example() -> Result<(), Failed> {
    let mut program = Program::start(&["example"])?;
    program.says("begins")?;
    let (event, pid) = (Instant::now(), program.pid());
    let (server, _) = program.family(0)?;
    let text =
        format!("error: the master, for an example (pid {pid}, env ranks 0..1): no progress for ");
    program.fails(event, STALL + SOON, &[&text, "has not returned"], &[pid, server])
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    let mut add = |name: String, body: Body| tests.push((format!("program::{name}"), body));
    for (i, case_) in cases::all().into_iter().filter(cases::Case::stalls).enumerate() {
        // A program each: the samplers with threads take turns.
        for host in [SERIAL, THREADS[i % THREADS.len()]] {
            let name = case_.name();
            add(format!("{}_{name}", host.name()), Box::new(move || case(host, &name)));
        }
    }
    for host in [SERIAL].into_iter().chain(THREADS) {
        add(format!("{}_stalled_agent", host.name()), Box::new(move || stalled_agent(host)));
    }
    for (i, host) in PROCESSES.into_iter().enumerate() {
        let mut add = |name: &str, body: Body| add(format!("{}_{name}", host.name()), body);
        for name in ["Panic_in_Step33", "Kill_in_Step33", "Kill_in_Make0", "Stall_in_Reset0"] {
            add(name, Box::new(move || case(host, name)));
        }
        add("stalled_agent", Box::new(move || stalled_agent(host)));
        for fault in ["sound", "Stall_in_Step33", "Stall_in_Reset0", "Stall_in_Make0"] {
            let body = move || master_dies(host, fault, Signal::SIGKILL, false);
            add(&format!("killed_master_{fault}"), Box::new(body));
        }
        add("killed_master_acting", Box::new(move || acting_master_dies(host)));
        // Every pair of host, signal and receiver.
        for (j, hit) in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().enumerate() {
            let (group, name) = [(false, "master"), (true, "group")][(i + j) % 2];
            let body = move || master_dies(host, "sound", hit, group);
            add(&format!("{hit}_to_{name}"), Box::new(body));
        }
        for (name, fault, starting) in [
            ("sampling", "sound", false),
            ("starting", "Stall_in_Make0", true),
            ("stalled", "Stall_in_Step33", false),
        ] {
            let body = move || server_dies(host, fault, starting);
            add(&format!("killed_server_{name}"), Box::new(body));
        }
        add("killed_worker", Box::new(move || worker_dies(host)));
        add("killed_worker_learning", Box::new(move || dies_while_learning(host, false)));
        add("killed_server_learning", Box::new(move || dies_while_learning(host, true)));
        add("slow_exit", Box::new(move || slow_exit(host)));
        for how in ENDINGS {
            add(&format!("leaves_nobody_{how}"), Box::new(move || leaves_nobody(host, how)));
        }
    }
    for host in hosts() {
        let name = format!("{}_stopped_and_continued", host.name());
        add(name, Box::new(move || stopped_and_continued(host)));
    }
    for host in [SERIAL, PROCESSES[1]] {
        let name = format!("{}_stopped_with_its_programs", host.name());
        add(name, Box::new(move || stopped_with_its_programs(host)));
    }
    let why = "can't allocate memory";
    for (on, texts) in [
        ("serial", ["error: serial sampler", why]),
        ("cpu_process", ["error: worker ", why]),
        ("learner", ["error: libtorch: ", why]),
    ] {
        add(format!("{on}_exception_of_libtorch"), Box::new(move || exception(on, &texts)));
    }
    add("killed_server_idle".into(), Box::new(idle_server_dies));
    let line = "error: worker processes need the fork server: make `rlcore::forkserver::init()?;` the first line of `main`";
    add("missing_line".into(), Box::new(move || refused("missing", line)));
    let late = "`rlcore::forkserver::init()` was called with 2 threads running: make it the first line of `main`";
    add("late_line".into(), Box::new(move || refused("late", late)));
    add("stalled_example".into(), Box::new(stalled_example));
    tests
}
