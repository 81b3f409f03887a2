//! Opening a checkpoint, and reading its entries one at a time.
//!
//! Files are read, not mapped: a mapping would need unsafe code.
use super::{
    ARRAYS, ArrayInfo, ArraySource, CheckpointError, FORMAT, MANIFEST, Manifest, STATE, Sum, array,
    from_safetensors, keep,
};
use crate::exact;
use crate::file::FileError;
use safetensors::tensor::Metadata;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use twox_hash::XxHash64;

/// Bytes that [`CheckpointReader::verify`] reads at a time.
const PIECE: usize = 1 << 20;

/// An array in the file.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) info: ArrayInfo,
    /// Offset of its first byte in the file.
    pub(super) start: u64,
}

/// An open checkpoint, whose files are known to be complete.
#[derive(Debug)]
pub struct CheckpointReader {
    dir: PathBuf,
    manifest: Manifest,
    pub(super) arrays: BTreeMap<String, Stored>,
    file: File,
    values: BTreeMap<String, Value>,
}

/// A fault of a checkpoint, before an alternative checkpoint has been looked for.
pub(super) enum Fault {
    Missing,
    Version(u32),
    Damaged { file: String, what: String },
    File(FileError),
}

impl CheckpointReader {
    /// Checks format, names, sizes and the small files' checksums; an error names the newest valid checkpoint beside `dir`.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        Self::check(dir).map_err(|fault| name(fault, dir))
    }

    pub(super) fn check(dir: &Path) -> Result<Self, Fault> {
        let manifest: Manifest = manifest(dir)?;
        let (found, wrote) = (keep::name_of(dir), manifest.name.as_deref());
        if let (Some(_), Some(wrote)) = (keep::steps_of(dir), wrote)
            && found != Some(wrote)
        {
            let what = format!("it was written as {wrote}; give the directory that name back");
            return Err(damaged(MANIFEST, &what));
        }
        for (name, sum) in &manifest.files {
            let found = fs::metadata(dir.join(name)).map(|m| m.len());
            let found = found.map_err(|e| unreadable(dir, name, e))?;
            if found != sum.bytes {
                return Err(damaged(name, &format!("{found} bytes instead of {}", sum.bytes)));
            }
        }
        let state = read_whole(dir, STATE, &manifest)?;
        let values = serde_json::from_slice(&state).map_err(|e| damaged(STATE, &e.to_string()))?;
        let (arrays, file) = arrays(dir, &manifest)?;
        Ok(Self { dir: dir.to_owned(), manifest, arrays, file, values })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the checkpoint includes the replay, which an exact continuation needs: see [`super::CheckpointWriter::lacks_replay`].
    pub fn has_replay(&self) -> bool {
        !self.manifest.lacks_replay
    }

    /// Whether a value of that name was saved.
    pub fn has_value(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Reads every array once, piece by piece, and verifies the checksums, so that a later restore cannot fail half-way because of
    /// damage.
    pub fn verify(&self) -> Result<(), CheckpointError> {
        let mut piece = vec![0; PIECE];
        for (name, stored) in &self.arrays {
            let (mut hash, mut at) = (XxHash64::with_seed(0), stored.start);
            let end = at + stored.info.bytes() as u64;
            while at < end {
                let len = PIECE.min((end - at) as usize);
                self.read_at(&mut piece[..len], at)?;
                hash.write(&piece[..len]);
                at += len as u64;
            }
            self.compare(name, &Sum::finished(stored.info.bytes() as u64, &hash))?;
        }
        Ok(())
    }

    fn read_at(&self, out: &mut [u8], start: u64) -> Result<(), CheckpointError> {
        let read = self.file.read_exact_at(out, start);
        read.map_err(|e| self.fault(unreadable(&self.dir, ARRAYS, e)))
    }

    fn compare(&self, name: &str, sum: &Sum) -> Result<(), CheckpointError> {
        if self.manifest.arrays.get(name) == Some(sum) {
            return Ok(());
        }
        let what = format!("array `{name}` has another checksum than when it was written");
        Err(self.fault(damaged(ARRAYS, &what)))
    }

    /// Deserialises a saved value.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T, CheckpointError> {
        let value =
            self.values.get(name).ok_or_else(|| self.missing("value", name, self.values.keys()))?;
        exact::from_value(value.clone()).map_err(|e| CheckpointError::Value {
            dir: self.dir.clone(),
            name: name.to_owned(),
            message: e.to_string(),
        })
    }

    /// The content of an extra file.
    pub fn file(&self, name: &str) -> Result<Vec<u8>, CheckpointError> {
        if !self.manifest.files.contains_key(name) {
            return Err(self.missing("file", name, self.manifest.files.keys()));
        }
        read_whole(&self.dir, name, &self.manifest).map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: Fault) -> CheckpointError {
        name(fault, &self.dir)
    }

    fn missing<'n>(
        &self,
        kind: &'static str,
        name: &str,
        have: impl Iterator<Item = &'n String>,
    ) -> CheckpointError {
        let have: Vec<_> = have.map(String::as_str).collect();
        let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
        CheckpointError::MissingEntry { dir: self.dir.clone(), kind, name: name.to_owned(), have }
    }
}

impl ArraySource for CheckpointReader {
    fn place(&self) -> &Path {
        &self.dir
    }

    fn names(&self) -> Vec<String> {
        self.arrays.keys().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<ArrayInfo> {
        self.arrays.get(name).map(|stored| stored.info.clone())
    }

    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError> {
        let stored = self.arrays.get(name).ok_or_else(|| array::missing(self, name))?;
        if stored.info.bytes() != out.len() {
            let wanted = format!("{} bytes", out.len());
            return Err(array::mismatch(self, name, &stored.info, &wanted));
        }
        self.read_at(out, stored.start)?;
        self.compare(name, &Sum::of(out))
    }
}

fn name(fault: Fault, dir: &Path) -> CheckpointError {
    let dir = dir.to_owned();
    match fault {
        Fault::File(e) => e.into(),
        Fault::Version(found) => CheckpointError::Version { dir, found },
        Fault::Missing => {
            let alternative = keep::valid_beside(&dir);
            CheckpointError::NotACheckpoint { dir, alternative }
        }
        Fault::Damaged { file, what } => {
            let alternative = keep::valid_beside(&dir);
            CheckpointError::Damaged { dir, file, what, alternative }
        }
    }
}

fn manifest(dir: &Path) -> Result<Manifest, Fault> {
    /// The field that every format version has.
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let bytes = match fs::read(dir.join(MANIFEST)) {
        Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(Fault::Missing);
        }
        other => other.map_err(|e| unreadable(dir, MANIFEST, e))?,
    };
    let bad = |e: serde_json::Error| damaged(MANIFEST, &e.to_string());
    let Format { format } = serde_json::from_slice(&bytes).map_err(bad)?;
    if format > FORMAT {
        return Err(Fault::Version(format));
    }
    serde_json::from_slice(&bytes).map_err(bad)
}

/// Reads a small file and verifies its checksum.
fn read_whole(dir: &Path, name: &str, manifest: &Manifest) -> Result<Vec<u8>, Fault> {
    let bytes = fs::read(dir.join(name)).map_err(|e| unreadable(dir, name, e))?;
    if manifest.files.get(name) != Some(&Sum::of(&bytes)) {
        return Err(damaged(name, "it has another checksum than when it was written"));
    }
    Ok(bytes)
}

/// Reads the header of the arrays file, which must name the arrays of the manifest and describe the file to its last byte.
fn arrays(dir: &Path, manifest: &Manifest) -> Result<(BTreeMap<String, Stored>, File), Fault> {
    let bad = |what: &str| damaged(ARRAYS, what);
    let sum = manifest.files.get(ARRAYS).ok_or_else(|| damaged(MANIFEST, "it lists no arrays"))?;
    let file = File::open(dir.join(ARRAYS)).map_err(|e| unreadable(dir, ARRAYS, e))?;
    let mut size = [0; 8];
    file.read_exact_at(&mut size, 0).map_err(|e| unreadable(dir, ARRAYS, e))?;
    let head = u64::from_le_bytes(size).saturating_add(8);
    if head > sum.bytes {
        return Err(bad("its header is longer than the file"));
    }
    let mut header = vec![0; head as usize];
    file.read_exact_at(&mut header, 0).map_err(|e| unreadable(dir, ARRAYS, e))?;
    if Sum::of(&header).xxh64 != sum.xxh64 {
        return Err(bad("its header has another checksum than when it was written"));
    }
    let meta: Metadata = serde_json::from_slice(&header[8..]).map_err(|e| bad(&e.to_string()))?;
    if meta.data_len() as u64 + head != sum.bytes {
        return Err(bad("its header does not describe the whole file"));
    }
    let mut arrays = BTreeMap::new();
    for (name, info) in meta.tensors() {
        let dtype = from_safetensors(info.dtype);
        let dtype =
            dtype.ok_or_else(|| bad(&format!("`{name}` has element type {}", info.dtype)))?;
        let (start, end) = info.data_offsets;
        let found = ArrayInfo { dtype, shape: info.shape.clone() };
        if found.bytes() != end - start {
            return Err(bad(&format!("`{name}` has another size than its shape")));
        }
        arrays.insert(name, Stored { info: found, start: start as u64 + head });
    }
    if !arrays.keys().eq(manifest.arrays.keys()) {
        return Err(bad("it has other arrays than manifest.json"));
    }
    Ok((arrays, file))
}

fn damaged(file: &str, what: &str) -> Fault {
    Fault::Damaged { file: file.to_owned(), what: what.to_owned() }
}

/// A missing or short file is damage; any other error (permissions, a failing disk) is reported as it is.
fn unreadable(dir: &Path, file: &str, e: io::Error) -> Fault {
    match e.kind() {
        io::ErrorKind::NotFound => damaged(file, "it is missing"),
        io::ErrorKind::UnexpectedEof => damaged(file, "it is cut off"),
        _ => Fault::File(FileError::at("read", &dir.join(file))(e)),
    }
}
