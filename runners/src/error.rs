//! Why a run stopped before its end.
use algos::AlgoError;
use rlcore::checkpoint::CheckpointError;
use rlcore::file::FileError;
use rlcore::run_dir::RunDirError;
use rlcore::table::TableError;
use samplers::SamplerError;
use std::path::PathBuf;

/// See the variants; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Sampling failed.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// Learning failed.
    #[error("{error}; {}", last(checkpoint.as_ref()))]
    Algo {
        /// The algorithm's words. Part of the message, so not given as `source` too.
        error: Box<AlgoError>,
        /// The newest checkpoint.
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
    /// The checkpoint to continue from is not one of the run's.
    #[error("{} is not a checkpoint of this run: give one that lies in {}", checkpoint.display(), checkpoints.display())]
    ForeignCheckpoint {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Where the run's lie.
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
