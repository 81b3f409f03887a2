//! `experiments`: see `experiments --help`.
use anyhow::Context;
use clap::Parser;
use experiments::commands::Cli;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything that starts a thread: workers are forks of the process as it is now.
    let started = rlcore::forkserver::init();
    let run = || -> anyhow::Result<i32> {
        started?;
        // libtorch ends the process when it finds none.
        std::env::current_dir()
            .context("the working directory is gone: change to one that is there")?;
        Cli::parse().run()
    };
    match run() {
        Ok(code) => ExitCode::from(code as u8),
        Err(e) => {
            // Standard error may be a full disk or a closed pipe.
            let _ = writeln!(std::io::stderr(), "error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
