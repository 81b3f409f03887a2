//! Checkpoints: directories that are there whole or not at all, with everything that resuming needs and nothing of libtorch.
//!
//! ```text
//! step_000000001000/  manifest.json       format version, size and checksum of every file and array
//!                     arrays.safetensors  named arrays: parameters, optimiser moments, replay, recurrent state
//!                     state.json          named serde values: counters, generators, schedules (f64 exact, NaN and infinities too)
//!                     model.safetensors   extra files, such as the weights under PyTorch's names
//! ```
//!
//! [`CheckpointWriter::commit`] writes a temporary directory beside, flushes every file and the directory, then renames; a checkpoint of
//! the same name is exchanged for the new one in one step, or, where the file system cannot do that, steps aside to `step_*.old`, under
//! which it is found until the new one has its place. So after a crash at any moment a `step_*` directory is complete, and what
//! the crash left has another name, which [`keep`] removes once its writer is dead (each holds a `flock` on what it writes).
//! [`CheckpointReader::open`] checks names and sizes; checksums (XXH64) when the bytes are read, so that opening gigabytes is cheap.
//!
//! The format is built to last: a reader refuses a `format` newer than its own; values are JSON with named fields, so that a struct with
//! `#[serde(default)]` may gain fields. Arrays are little-endian, in the order of descending element size, then name.
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

/// Version of the directory's layout that this code writes, and the newest that it reads.
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
    /// No checkpoint there.
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
        /// Its format.
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
    /// An entry that the reader wants and the writer did not write.
    #[error("checkpoint {} has no {kind} `{name}`; it has {have}. Was it made with another algorithm or configuration?", dir.display())]
    MissingEntry {
        /// The directory.
        dir: PathBuf,
        /// `array`, `value` or `file`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        have: String,
    },
    /// An array of another type or shape.
    #[error("array `{name}` of checkpoint {} is {found}, but {wanted} is wanted: the model or the batch has another size than when it was saved", dir.display())]
    Mismatch {
        /// The directory.
        dir: PathBuf,
        /// Of the array.
        name: String,
        /// Its dtype and shape.
        found: String,
        /// Those asked for.
        wanted: String,
    },
    /// A value that serde cannot turn into the type asked for.
    #[error("value `{name}` of checkpoint {}: {message}; was it saved by another version?", dir.display())]
    Value {
        /// The directory.
        dir: PathBuf,
        /// Of the value.
        name: String,
        /// Serde's words.
        message: String,
    },
    /// A mistake of the code that saves: a name twice or not usable, bytes that do not fit the shape, a value that JSON cannot hold.
    #[error("cannot save `{name}`: {message}")]
    Entry {
        /// Of the entry.
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
    /// The directory's name: one that was renamed to that of another checkpoint would be taken for it.
    #[serde(default)]
    name: Option<String>,
    /// See [`CheckpointWriter::lacks_replay`].
    #[serde(default)]
    lacks_replay: bool,
    files: BTreeMap<String, Sum>,
    /// Sums of each array's bytes; that of the file `arrays.safetensors` covers its header only.
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

    /// Of bytes that went through `hash` piece by piece.
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
