//! Benchmarks: speed measured side by side with a bound or another library in the same run.
mod bounds;
mod collecting;
mod company;
mod jobs;
mod learner;
mod measure;
mod peer;
mod peers;
mod ping_pong;
mod replay;
mod samplers;
mod start;
mod training;

use anyhow::Result;
use clap::Subcommand;
use std::path::PathBuf;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Steps per second of every sampler, relative to the bare work that it cannot avoid.
    Samplers {
        /// Short windows: about six minutes for all groups.
        #[arg(long)]
        quick: bool,
        /// Only these groups: random, mlp-64, mlp-256, mlp-1024, mlp-64-short, mlp-1024-short, crowded, alternating, round-trip, shared-8, shared-64, shared-1024, shared-8-random.
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        only: Vec<String>,
        /// Write the raw measurements, one line each.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
    /// Steps per second beside envpool and stable-baselines3, which `make peers` installs.
    Peers {
        /// Short windows: under three minutes.
        #[arg(long)]
        quick: bool,
        /// Write the raw measurements, one line each.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Python with the packages of scripts/peers/requirements.txt [default: target/peers/python].
        #[arg(long, value_name = "PATH")]
        python: Option<PathBuf>,
    },
    /// Time of a minibatch of PPO beside that of a step, and of the replay beside copies of the same bytes.
    Learner,
    /// Time and memory of starting workers.
    Start {
        /// Number of workers.
        #[arg(long, default_value_t = 16)]
        workers: usize,
    },
}

impl BenchCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Learner => learner::run(),
            Self::Samplers { quick, only, csv } => samplers::run(quick, &only, csv.as_deref()),
            Self::Peers { quick, csv, python } => peers::run(quick, csv.as_deref(), python),
            Self::Start { workers } => start::run(workers),
        }
    }
}
