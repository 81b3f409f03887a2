//! Collecting the entries of a checkpoint and writing it atomically.
use super::keep::aside;
use super::{ARRAYS, CheckpointError, FORMAT, MANIFEST, Manifest, STATE, Sum, to_safetensors};
use crate::exact;
use crate::file::{FileError, parent_of, sync_dir, temp_beside, write_synced};
use crate::schema::{DType, Element};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, RenameFlags, renameat2};
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

struct Array<'a> {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

/// The entries of a checkpoint that will be written. Arrays are borrowed until [`CheckpointWriter::commit`] has written them.
#[derive(Default)]
pub struct CheckpointWriter<'a> {
    arrays: BTreeMap<String, Array<'a>>,
    values: BTreeMap<String, Value>,
    files: BTreeMap<String, Cow<'a, [u8]>>,
    lacks_replay: bool,
}

impl std::fmt::Debug for CheckpointWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (arrays, values) = (self.arrays.keys(), self.values.keys());
        write!(f, "CheckpointWriter {{ {arrays:?}, {values:?}, {:?} }}", self.files.keys())
    }
}

impl<'a> CheckpointWriter<'a> {
    /// A checkpoint without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an array under a name such as `algo/adam_m`; `bytes` are its elements, row-major, little-endian.
    pub fn array(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<(), CheckpointError> {
        let bytes = bytes.into();
        let elements = shape.iter().try_fold(dtype.size(), |n, s| n.checked_mul(*s));
        if elements != Some(bytes.len()) {
            let message = format!("{} bytes are not {dtype:?} {shape:?}", bytes.len());
            return Err(CheckpointError::Entry { name: name.to_owned(), message });
        }
        if name.is_empty() || name == "__metadata__" {
            return Err(bad_name(name, "choose a name such as `algo/adam_m`"));
        }
        add(&mut self.arrays, name, Array { dtype, shape: shape.to_owned(), bytes })
    }

    /// Adds an array that is a slice of its element type; `u8` as `DType::U8`.
    pub fn slice<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        elements: &'a [T],
    ) -> Result<(), CheckpointError> {
        let dtypes = [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8];
        let Some(dtype) = dtypes.into_iter().find(|d| T::matches(*d)) else {
            return Err(bad_name(name, "its element type has no dtype"));
        };
        self.array(name, dtype, shape, bytemuck::cast_slice::<T, u8>(elements))
    }

    /// Adds a serialisable value; 128-bit integers are refused. Floats are preserved to the bit, NaN included.
    pub fn value<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), CheckpointError> {
        let value = exact::to_value(value).map_err(|e| CheckpointError::Entry {
            name: name.to_owned(),
            message: e.to_string(),
        })?;
        add(&mut self.values, name, value)
    }

    /// Notes that the replay was left out because of its size. A run that continues from such a checkpoint starts with an empty replay,
    /// so [`super::latest_complete`] passes over it, and [`super::keep`] also keeps the newest checkpoint that includes its replay.
    pub fn lacks_replay(&mut self) {
        self.lacks_replay = true;
    }

    /// Adds a separate file, such as `model.safetensors`.
    pub fn file(
        &mut self,
        name: &str,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<(), CheckpointError> {
        let reserved = [MANIFEST, ARRAYS, STATE].contains(&name);
        if reserved || name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(bad_name(
                name,
                "choose a plain file name that a checkpoint does not use itself",
            ));
        }
        add(&mut self.files, name, bytes.into())
    }

    /// Writes the checkpoint to `dir`, which does not exist or is an older checkpoint that is replaced. The parent directory must exist
    /// and is not created.
    ///
    /// After an error (such as a full disk) or a crash, `dir` is unchanged.
    pub fn commit(self, dir: &Path) -> Result<(), CheckpointError> {
        let parent = parent_of(dir);
        let (temp, _writing) = locked_temp(dir)?;
        let done = self.write_into(&temp, dir).and_then(|()| {
            put_in_place(&temp, dir)?;
            // Before the replaced checkpoint is deleted: after a power cut one of the two exists, complete.
            Ok(sync_dir(parent)?)
        });
        if fs::symlink_metadata(&temp).is_ok() {
            let _ = fs::remove_dir_all(&temp); // an incomplete checkpoint after an error, or the replaced one
        }
        done
    }

    /// Writes all files into `dir`, which will be renamed to `to`.
    pub(super) fn write_into(&self, dir: &Path, to: &Path) -> Result<(), CheckpointError> {
        let mut manifest = Manifest {
            format: FORMAT,
            colony: env!("CARGO_PKG_VERSION").to_owned(),
            name: to.file_name().map(|n| n.to_string_lossy().into_owned()),
            lacks_replay: self.lacks_replay,
            files: BTreeMap::new(),
            arrays: BTreeMap::new(),
        };
        let json = |e: serde_json::Error| CheckpointError::Entry {
            name: STATE.into(),
            message: e.to_string(),
        };
        let state = serde_json::to_vec_pretty(&self.values).map_err(json)?;
        let extra = self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref()));
        for (name, bytes) in extra.chain([(STATE, state.as_slice())]) {
            write_synced(&dir.join(name), bytes)?;
            manifest.files.insert(name.to_owned(), Sum::of(bytes));
        }
        self.write_arrays(&dir.join(ARRAYS), &mut manifest)?;
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(json)?;
        write_synced(&dir.join(MANIFEST), &manifest)?;
        Ok(sync_dir(dir)?)
    }

    /// The safetensors format: header size (u64), JSON header padded to 8 bytes, then the arrays without gaps.
    fn write_arrays(&self, path: &Path, manifest: &mut Manifest) -> Result<(), CheckpointError> {
        let mut order: Vec<_> = self.arrays.iter().collect();
        order.sort_by_key(|(_, a)| std::cmp::Reverse(a.dtype.size())); // keeps every array aligned
        let mut end = 0;
        let infos = order.iter().map(|(name, a)| {
            let start = end;
            end += a.bytes.len();
            let (dtype, shape) = (to_safetensors(a.dtype), a.shape.clone());
            ((*name).clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
        });
        let header = Metadata::new(None, infos.collect()).map_err(|e| e.to_string());
        let header = header.and_then(|h| serde_json::to_vec(&h).map_err(|e| e.to_string()));
        let mut header =
            header.map_err(|message| CheckpointError::Entry { name: ARRAYS.into(), message })?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let head = [&(header.len() as u64).to_le_bytes()[..], &header].concat();

        let write = || -> std::io::Result<()> {
            let mut file = File::create(path)?;
            file.write_all(&head)?;
            for (_, array) in &order {
                file.write_all(&array.bytes)?;
            }
            file.sync_all()
        };
        write().map_err(FileError::at("write", path))?;
        for (name, array) in order {
            manifest.arrays.insert(name.clone(), Sum::of(&array.bytes));
        }
        let sum = Sum { bytes: (head.len() + end) as u64, ..Sum::of(&head) };
        manifest.files.insert(ARRAYS.to_owned(), sum);
        Ok(())
    }
}

fn add<V>(map: &mut BTreeMap<String, V>, name: &str, value: V) -> Result<(), CheckpointError> {
    match map.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => {
            Err(bad_name(name, "the name is taken; each part of a run needs its own prefix"))
        }
    }
}

fn bad_name(name: &str, message: &str) -> CheckpointError {
    CheckpointError::Entry { name: name.to_owned(), message: message.to_owned() }
}

/// Creates an empty directory beside `dir`, which [`super::keep`] does not remove while its lock is held.
pub(super) fn locked_temp(dir: &Path) -> Result<(PathBuf, Flock<File>), FileError> {
    loop {
        let temp = temp_beside(dir);
        fs::create_dir(&temp).map_err(FileError::at("create", &temp))?;
        let Ok(open) = File::open(&temp) else { continue }; // removed before the lock was taken
        let lock = Flock::lock(open, FlockArg::LockExclusive);
        let lock = lock.map_err(|(_, e)| FileError::at("lock", &temp)(e.into()))?;
        if lock.metadata().is_ok_and(|m| m.nlink() > 0) && temp.is_dir() {
            return Ok((temp, lock));
        }
    }
}

/// Renames `temp` to `dir`; an existing directory `dir` gets the name `temp`.
fn put_in_place(temp: &Path, dir: &Path) -> Result<(), FileError> {
    let replaces = dir.is_dir();
    let flags = if replaces { RenameFlags::RENAME_EXCHANGE } else { RenameFlags::RENAME_NOREPLACE };
    let cwd = nix::fcntl::AT_FDCWD;
    match renameat2(cwd, temp, cwd, dir, flags) {
        Ok(()) => Ok(()),
        // Network file systems lack the flags; a plain rename replaces nothing except an empty directory.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) if replaces => {
            put_in_two_steps(temp, dir)
        }
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
            fs::rename(temp, dir).map_err(FileError::at("replace", dir))
        }
        Err(nix::errno::Errno::EEXIST) => {
            let what = "it is there already and is no directory; move it away";
            Err(FileError::at("write", dir)(std::io::Error::other(what)))
        }
        Err(e) => Err(FileError::at("replace", dir)(e.into())),
    }
}

/// As [`put_in_place`] where a file system cannot exchange two names. The old checkpoint steps aside first; under the name that it
/// then has ([`aside`]) it is found and read until the new one has its place.
pub(super) fn put_in_two_steps(temp: &Path, dir: &Path) -> Result<(), FileError> {
    let (old, parent) = (aside(dir), parent_of(dir));
    fs::rename(dir, &old).map_err(FileError::at("replace", dir))?;
    let done = sync_dir(parent)
        .and_then(|()| fs::rename(temp, dir).map_err(FileError::at("replace", dir)))
        .and_then(|()| sync_dir(parent));
    // Back to its own name after a failure, or to the name of what is removed next.
    let back = if dir.is_dir() { temp } else { dir };
    fs::rename(&old, back).map_err(FileError::at("replace", &old))?;
    done
}
