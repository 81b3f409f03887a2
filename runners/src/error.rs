//! The errors that end a run.
use algos::AlgoError;
use rlcore::checkpoint::CheckpointError;
use rlcore::file::FileError;
use rlcore::run_dir::RunDirError;
use rlcore::table::TableError;
use samplers::SamplerError;
use std::path::PathBuf;

/// An error that ended a run. Each message names what failed and, where there is one, the repair.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Sampling failed.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// Learning failed.
    #[error("{error}; {}", last(checkpoint.as_ref()))]
    Algo {
        /// The algorithm's error. It is part of this error's message and therefore not also its `source`.
        error: Box<AlgoError>,
        /// The newest checkpoint of the run, from which it can be resumed.
        checkpoint: Option<PathBuf>,
    },
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log could not be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The run directory could not be used.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The checkpoint to resume from belongs to another run.
    #[error("{} is not a checkpoint of this run: give one that lies in {}", checkpoint.display(), checkpoints.display())]
    ForeignCheckpoint {
        /// The checkpoint that was given.
        checkpoint: PathBuf,
        /// The directory that holds the run's checkpoints.
        checkpoints: PathBuf,
    },
    /// Settings that contradict each other, or that cannot be resumed.
    #[error("{0}")]
    Config(String),
}

fn last(checkpoint: Option<&PathBuf>) -> String {
    checkpoint.map_or("no checkpoint was written before".into(), |c| {
        format!("the last checkpoint is {}", c.display())
    })
}
