//! `experiments`: see `experiments --help`.
use anyhow::Context;
use clap::Parser;
use experiments::commands::Cli;
use experiments::failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    failure::quiet_exceptions();
    // Before anything that starts a thread: workers are forks of the process as it is now.
    let started = rlcore::forkserver::init();
    failure::exit(|| {
        started?;
        // libtorch ends the process when it finds none.
        std::env::current_dir()
            .context("the working directory is gone: change to one that is there")?;
        Cli::parse().run()
    })
}
