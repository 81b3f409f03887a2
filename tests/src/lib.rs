//! Shared parts of the whole-system tests: policies whose rows do not depend on how they are batched, setups of samplers, and a
//! harness that starts the fork server before any thread exists.
#![forbid(unsafe_code)]

pub mod disk;
pub mod faulty;
pub mod faulty_agent;
pub mod leave_out;
pub mod pairwise;
pub mod policies;
pub mod program;
pub mod python;
pub mod record;
pub mod run;
pub mod setups;
pub mod trace;
pub mod tree;
pub mod twin;

use libtest_mimic::{Arguments, Failed, Trial};

/// Body of a test.
pub type Body = Box<dyn FnOnce() -> Result<(), Failed> + Send>;

/// Runs tests one after another in a process that started the fork server first.
pub fn main(tests: Vec<(String, Body)>) -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    // One test at a time, because each starts processes of its own.
    arguments.test_threads = Some(1);
    let trials = tests.into_iter().map(|(name, body)| Trial::test(name, body)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
