//! Every fault ends in an error that names it, within a time limit, and leaves no process and no shared memory behind.
//!
//! The limit is two seconds from the event; for a stall, from the end of its time-out.
#![allow(missing_docs)]

#[path = "faults/acting.rs"]
mod acting;
#[path = "faults/cases.rs"]
mod cases;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/lives.rs"]
mod lives;
#[path = "faults/logs.rs"]
mod logs;
#[path = "faults/processes.rs"]
mod processes;
#[path = "faults/program.rs"]
mod program;
#[path = "faults/programs.rs"]
mod programs;
#[path = "faults/scenarios.rs"]
mod scenarios;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == program::FLAG) {
        return scenarios::run(&arguments[1..]);
    }
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("error: {e}");
        return ExitCode::FAILURE;
    }
    let tests = [
        cases::tests(),
        acting::tests(),
        kills::tests(),
        lives::tests(),
        logs::tests(),
        programs::tests(),
    ];
    tests::main(tests.into_iter().flatten().collect())
}
