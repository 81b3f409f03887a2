//! Speed, measured side by side with a bound in the same run.
use anyhow::Result;
use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {}

impl BenchCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self {}
    }
}
