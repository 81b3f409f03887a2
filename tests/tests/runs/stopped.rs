//! Runs that are stopped by signals and resumed.
use crate::{
    BINARY, ENDLESS, NO_EVALUATION, TWO_WORKERS, args, begun, continued_equals_whole, logged_steps,
    saved_steps, state,
};
use nix::sys::signal::Signal;
use tests::program::{End, Program, Running, all_gone, pending};
use tests::run::newest;

/// After the first signal, the run finishes its iteration, writes a checkpoint and prints the command that resumes it. Resumed, it
/// equals a run that was never stopped.
fn stopped(signal: Signal, code: i32, send: impl Fn(&Running), workers: usize, more: &[&str]) {
    let program = Program::new(BINARY);
    let mut run = begun(&program, "cut", more);
    let cut = program.path("cut");
    // Repeated until the run is stopped between two rows of the log, where a checkpoint has to hold the most.
    loop {
        let family = run.family();
        assert_eq!(family.len(), 1 + workers, "{family:?}");
        send(&run);
        let end: End = run.end().code(code);
        all_gone(&family);
        let said = format!("stopped by signal {} after ", signal as i32);
        assert!(end.stdout.contains(&said), "{}", end.stdout);
        let said = end.stdout.lines().find(|l| l.starts_with("continue with: "));
        assert!(said.is_some_and(|l| l.ends_with(" resume cut")), "{}", end.stdout);
        assert_eq!(end.stderr, "");
        let at = saved_steps(&cut);
        if at > logged_steps(&cut) {
            break;
        }
        run = program.start(&["resume", "cut"]);
        run.until("another checkpoint", || saved_steps(&cut) > at);
    }
    // The best checkpoint is one that was evaluated, not the one that was written because of the signal.
    let best = state(&newest(&cut))["record"]["best"][1].clone();
    assert_eq!(best.is_string(), !more.contains(&NO_EVALUATION), "{best}");
    assert_ne!(best, *newest(&cut).file_name().unwrap().to_str().unwrap());
    continued_equals_whole(&program, more);
}

#[test]
fn stopped_by_ctrl_c() {
    let more = [&TWO_WORKERS[..], &[NO_EVALUATION]].concat();
    stopped(Signal::SIGINT, 130, |run| run.signal_group(Signal::SIGINT), 2, &more);
}

/// An environment whose returns are all the same, so that the latest evaluation is always the best.
#[test]
fn stopped_by_termination() {
    let equal = ["env={kind=\"null\",episode=20}"];
    stopped(Signal::SIGTERM, 143, |run| run.signal(Signal::SIGTERM), 0, &equal);
}

/// A second signal ends the run at once, without waiting for the iteration, which would take half an hour.
#[test]
fn stopped_at_once() {
    for (kind, second, code) in [
        ("serial", Signal::SIGINT, 130),
        ("cpu", Signal::SIGINT, 130),
        ("cpu", Signal::SIGTERM, 143),
    ] {
        let program = Program::new(BINARY);
        let kind = format!("sampler.kind={kind}");
        let slow = [
            "env.kind=slow",
            "env.busy_us=500000",
            "sampler.t=1000",
            "sampler.max_decorrelation_steps=0",
            "algo.replay_size=8000",
            "sampler.worker.n=2",
            NO_EVALUATION,
            &kind,
        ];
        let mut run = program.start(&args("cut", ENDLESS, &slow));
        let log = program.path("cut/log.txt");
        run.until("the first iteration", || {
            std::fs::read_to_string(&log).is_ok_and(|t| t.contains("run in cut"))
        });
        let family = run.family();
        run.signal_group(Signal::SIGINT);
        // Two pending signals of the same kind would be delivered as one.
        let pid = run.pid();
        run.until("the first signal is taken", || !pending(pid, Signal::SIGINT));
        run.signal_group(second);
        let end = run.end().code(code);
        assert!(!end.stdout.contains("continue with"), "{}", end.stdout);
        all_gone(&family);
    }
}
