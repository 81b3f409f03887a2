//! `experiments`: see `experiments --help`.
use clap::Parser;
use experiments::commands::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything that starts a thread: workers are forks of the process as it is now.
    let started = rlcore::forkserver::init();
    let run = || -> anyhow::Result<i32> {
        started?;
        Cli::parse().run()
    };
    match run() {
        Ok(code) => ExitCode::from(code as u8),
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
