//! Atomic replacement of files, and file errors that recognise a full disk.
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system refused to read or write a file.
#[derive(Debug)]
pub struct FileError {
    /// The refused operation: `write`, `read`, `create`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// Error of the system. Part of the message, therefore not returned as `source`.
    pub cause: io::Error,
}

impl FileError {
    /// An adaptor for `map_err`: `action` (such as `create`) on `path` failed.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self { action, path, cause }
    }

    /// Whether the disk or the quota is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: ", self.action, self.path.display())?;
        if self.is_disk_full() {
            return write!(
                f,
                "the disk is full; free some space, or choose a `--run-dir` on another disk"
            );
        }
        write!(f, "{}", self.cause)
    }
}

impl std::error::Error for FileError {}

/// Replaces the content of `path` by `bytes` atomically: a reader, also after a crash, finds the old content or the new content.
///
/// Writes a temporary file in the same directory, flushes it to the disk, renames it and flushes the directory. After an error the old
/// file is unchanged.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temp = temp_beside(path);
    let written = write_synced(&temp, bytes)
        .and_then(|()| fs::rename(&temp, path).map_err(FileError::at("replace", path)));
    if written.is_err() {
        let _ = fs::remove_file(&temp);
    }
    written?;
    sync_dir(parent_of(path))
}

/// Creates `path` with `bytes` and flushes it to the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = File::create(path).map_err(FileError::at("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(FileError::at("write", path))
}

/// Creates `dir` and its missing parents, and flushes each to the disk.
pub(crate) fn create_dirs(dir: &Path) -> Result<(), FileError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = parent_of(dir);
    create_dirs(parent)?;
    match fs::create_dir(dir) {
        Ok(()) => sync_dir(parent),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(FileError::at("create", dir)(e)),
    }
}

/// Flushes to the disk which entries `dir` has, so that created, renamed and removed entries survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(FileError::at("flush", dir))
}

pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A unique name in the directory of `path`: `.<name>.tmp-<pid>-<count>`.
pub(crate) fn temp_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}{TEMP}{}-{count}", std::process::id()))
}

/// Marks the names made by [`temp_beside`].
pub(crate) const TEMP: &str = ".tmp-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        atomic_write(&path, b"old").unwrap();
        atomic_write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A directory in its place: refused, and still no temporary file.
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/x"), "").unwrap();
        assert!(atomic_write(&dir.path().join("d"), b"").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let gone = atomic_write(&dir.path().join("no/such"), b"").unwrap_err();
        assert!(gone.to_string().contains("cannot create") && !gone.is_disk_full());
    }

    #[test]
    fn a_full_disk_is_named() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let cause = full.write_all(b"x").unwrap_err();
        let text = FileError::at("write", Path::new("/dev/full"))(cause).to_string();
        assert!(text.contains("/dev/full: the disk is full; free some space"), "{text}");
    }
}
