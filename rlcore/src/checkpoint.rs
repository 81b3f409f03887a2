//! Checkpoints: directories that exist completely or not at all, with everything that resuming needs, in formats that do not depend on
//! libtorch.
//!
//! ```text
//! step_000000001000/  manifest.json       format version, size and checksum of every file and array
//!                     arrays.safetensors  named arrays: parameters, optimiser moments, replay, recurrent state
//!                     state.json          named serde values: counters, generators, schedules (f64 exact, NaN and infinities too)
//!                     model.safetensors   extra files, such as the weights under PyTorch's names
//! ```
//!
//! [`CheckpointWriter::commit`] writes a temporary directory beside the final one, flushes every file and the directory, then renames it. A
//! checkpoint of the same name is exchanged atomically; on a file system that cannot do that it is first renamed to `step_*.old`, under
//! which name it is found until the new one is in place. So after a crash at any moment every `step_*` directory is complete. The
//! temporary directory that a crash leaves is removed by [`keep`] once its writer is dead (each writer holds a `flock` on its directory).
//! [`CheckpointReader::open`] checks names and sizes; checksums (XXH64) are checked when the bytes are read, so that opening is cheap.
//!
//! Compatibility: a reader refuses a `format` newer than its own; values are JSON with named fields, so that a struct with
//! `#[serde(default)]` may gain fields. Arrays are little-endian, ordered by descending element size, then by name.
mod array;
mod keep;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use array::{ArrayInfo, ArraySource, NamedArray, Prefixed};
pub use keep::{discard_after, keep, latest, latest_complete, step_name, steps_of};
pub use read::CheckpointReader;
pub use write::CheckpointWriter;

use crate::file::FileError;
use crate::schema::DType;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::path::PathBuf;
use twox_hash::XxHash64;

/// Format version that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 2;

const MANIFEST: &str = "manifest.json";
const ARRAYS: &str = "arrays.safetensors";
const STATE: &str = "state.json";

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory is not a checkpoint.
    #[error("{} is not a checkpoint (it has no manifest.json){}", dir.display(), instead(alternative.as_ref()))]
    NotACheckpoint {
        /// The directory.
        dir: PathBuf,
        /// A valid checkpoint beside it.
        alternative: Option<PathBuf>,
    },
    /// Written by a later version of this program.
    #[error("{} has checkpoint format {found}, this program reads up to {FORMAT}: update the program, or resume with the version that wrote it (see meta.json)", dir.display())]
    Version {
        /// The directory.
        dir: PathBuf,
        /// Format version of the checkpoint.
        found: u32,
    },
    /// Truncated, altered or incomplete.
    #[error("checkpoint {} is damaged: {file}: {what}{}", dir.display(), instead(alternative.as_ref()))]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        what: String,
        /// A valid checkpoint beside it, the newest.
        alternative: Option<PathBuf>,
    },
    /// An entry that the reader asked for is not in the checkpoint.
    #[error("checkpoint {} has no {kind} `{name}`; it has {have}. Was it made with another algorithm or configuration?", dir.display())]
    MissingEntry {
        /// The directory.
        dir: PathBuf,
        /// `array`, `value` or `file`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        have: String,
    },
    /// An array has another element type or shape than the reader asked for.
    #[error("array `{name}` of checkpoint {} is {found}, but {wanted} is wanted: the model or the batch has another size than when it was saved", dir.display())]
    Mismatch {
        /// The directory.
        dir: PathBuf,
        /// Name of the array.
        name: String,
        /// Dtype and shape in the checkpoint.
        found: String,
        /// Dtype and shape that were asked for.
        wanted: String,
    },
    /// A value cannot be deserialised into the type that was asked for.
    #[error("value `{name}` of checkpoint {}: {message}; was it saved by another version?", dir.display())]
    Value {
        /// The directory.
        dir: PathBuf,
        /// Name of the value.
        name: String,
        /// Error message of serde.
        message: String,
    },
    /// The calling code tried to save an invalid entry: a duplicate or malformed name, bytes that do not fit the shape, a value that JSON
    /// cannot hold.
    #[error("cannot save `{name}`: {message}")]
    Entry {
        /// Name of the entry.
        name: String,
        /// What is wrong.
        message: String,
    },
}

fn instead(alternative: Option<&PathBuf>) -> String {
    match alternative {
        Some(dir) => format!("; use {} instead", dir.display()),
        None => "; no valid checkpoint is beside it".to_owned(),
    }
}

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    colony: String,
    /// Name of the directory, so that a directory renamed to the name of another checkpoint is not mistaken for it.
    #[serde(default)]
    name: Option<String>,
    /// See [`CheckpointWriter::lacks_replay`].
    #[serde(default)]
    lacks_replay: bool,
    files: BTreeMap<String, Sum>,
    /// Checksum of each array's bytes; the checksum of the file `arrays.safetensors` covers its header only.
    arrays: BTreeMap<String, Sum>,
}

/// Size and checksum of a run of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    bytes: u64,
    /// XXH64, seed 0, 16 hexadecimal digits.
    xxh64: String,
}

impl Sum {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, xxh64: format!("{:016x}", XxHash64::oneshot(0, bytes)) }
    }

    /// The sum of bytes that were hashed piece by piece.
    fn finished(bytes: u64, hash: &XxHash64) -> Self {
        Self { bytes, xxh64: format!("{:016x}", hash.finish()) }
    }
}

fn to_safetensors(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

fn from_safetensors(dtype: Dtype) -> Option<DType> {
    let all = [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool];
    all.into_iter().find(|d| to_safetensors(*d) == dtype)
}
