//! The directory of one run: everything needed to understand, repeat or continue it, written by one process at a time.
//!
//! ```text
//! runs/<name>/  config.toml   resolved, enough to repeat the run
//!               progress.csv  one row per log interval (rlcore::table)
//!               events.out.tfevents.*  the same rows for TensorBoard
//!               log.txt       what the terminal showed
//!               meta.json     a list: one `Meta` for the start and for every resume
//!               checkpoints/  step_<n>/ (rlcore::checkpoint)
//!               workers/      one log per worker, which receives the output of its environments
//!               watch/        pictures of episodes, if requested
//!               .lock         locked by the process that writes the run; contains its process id
//! ```
//!
//! The lock is a `flock`, which the kernel releases when the process ends, also after kill -9; the file that remains has no meaning by
//! itself.
//!
//! New directories and files are flushed to the disk when they are created. Opening a run to resume it changes nothing in it until
//! [`RunDir::claim`].
mod meta;

pub use meta::{Git, Machine, Meta, binary_version};

use crate::file::{FileError, TEMP, atomic_write, create_dirs, sync_dir};
use crate::table::EVENTS;
use nix::fcntl::{Flock, FlockArg};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What to do if the directory already holds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Return an error.
    Refuse,
    /// Delete the run's files; other files are kept.
    Overwrite,
}

/// Reasons for which a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The directory already holds a run.
    #[error("{0} already holds a run: continue it with `resume {0}`, choose another directory with `--run-dir`, or replace it with `--overwrite`", path.display())]
    Exists {
        /// The run directory.
        path: PathBuf,
    },
    /// The directory holds files that are not a run's.
    #[error("{} is not empty and not a run directory, so nothing in it is deleted: choose another directory with `--run-dir`", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// There is no run to resume.
    #[error("{} is not a run directory (it has no config.toml): give the directory that `train` printed, such as runs/cartpole-dqn-s0", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// Another process writes the run.
    #[error("{} is being written by process {pid}: wait for it, stop it, or choose another `--run-dir`", path.display())]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// Process id of the writer, from the lock file.
        pid: String,
    },
    /// The directory was moved or deleted while the run was writing to it.
    #[error("{}", gone(path, now.as_ref()))]
    Gone {
        /// Path at which the run was begun.
        path: PathBuf,
        /// Path of the directory now; `None` if it was deleted.
        now: Option<PathBuf>,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// `meta.json` cannot be parsed.
    #[error("{} is not readable: {message}; move it away and resume again", path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// Error message of the parser.
        message: String,
    },
}

fn gone(path: &Path, now: Option<&PathBuf>) -> String {
    let (path, what) = (path.display(), "while the run was writing to it");
    match now {
        Some(now) => format!(
            "{path} was moved to {now} {what}: the run ends without another checkpoint; continue it from its last one with `resume {now}`",
            now = now.display()
        ),
        None => {
            format!(
                "{path} was deleted {what}: its log and its checkpoints are lost; start it again"
            )
        }
    }
}

const LOCK: &str = ".lock";
const OURS: [&str; 7] =
    ["progress.csv", "log.txt", "meta.json", "checkpoints", "workers", "watch", "config.toml"];

/// A run directory whose lock this process holds until this value is dropped.
#[derive(Debug)]
pub struct RunDir {
    root: PathBuf,
    /// An open handle of the directory, independent of its path.
    handle: File,
    lock: Flock<File>,
    /// Content of `meta.json`.
    starts: Vec<Meta>,
    /// Until the run is claimed: the files that existed when it was opened.
    before: Option<Before>,
}

/// Which of the files existed that opening a run and starting its workers creates.
#[derive(Debug)]
struct Before {
    had_lock: bool,
    had_workers: bool,
    /// Name and size in bytes of each log.
    worker_logs: HashMap<OsString, u64>,
}

impl RunDir {
    /// Creates `root` and its parents, locks it, creates its subdirectories. An empty directory counts as new.
    pub fn create(root: &Path, existing: Existing) -> Result<Self, RunDirError> {
        let exists = || RunDirError::Exists { path: root.to_owned() };
        if existing == Existing::Refuse && !is_unused(root)? {
            return Err(exists());
        }
        if existing == Existing::Overwrite && !is_unused(root)? && !is_ours(root) {
            return Err(RunDirError::Foreign { path: root.to_owned() });
        }
        create_dirs(root)?;
        let lock = lock(root)?;
        // The lock file marks the directory as a run: whatever a crash leaves beside it may be overwritten.
        sync_dir(root)?;
        // Checked again under the lock: another process may have begun a run in between.
        match existing {
            Existing::Refuse if !is_unused(root)? => return Err(exists()),
            Existing::Refuse => {}
            Existing::Overwrite => delete_run(root)?,
        }
        let handle = open(root)?;
        let root = root.to_owned();
        let mut run = Self { root, handle, lock, starts: Vec::new(), before: None };
        run.claim()?;
        for dir in [run.checkpoints(), run.workers()] {
            create_dirs(&dir)?;
        }
        Ok(run)
    }

    /// Creates a run under `runs` with the name `<preset>-s<seed>`, or with `-2`, `-3`, ... appended if the name is taken: a default name
    /// must not be an obstacle. A name that the user gives is passed to [`RunDir::create`] and refused if it is taken.
    pub fn create_default(runs: &Path, preset: &str, seed: u64) -> Result<Self, RunDirError> {
        let name = default_name(preset, seed);
        let mut count = 1u64;
        loop {
            let dir = if count == 1 { name.clone() } else { format!("{name}-{count}") };
            match Self::create(&runs.join(dir), Existing::Refuse) {
                Err(RunDirError::Exists { .. } | RunDirError::Locked { .. }) => count += 1,
                done => return done,
            }
        }
    }

    /// Locks the run at `root` in order to continue it, and changes nothing in it.
    pub fn resume(root: &Path) -> Result<Self, RunDirError> {
        if !root.join("config.toml").is_file() {
            return Err(RunDirError::NotARun { path: root.to_owned() });
        }
        let before = Before {
            had_lock: root.join(LOCK).exists(),
            had_workers: root.join("workers").exists(),
            worker_logs: worker_logs(&root.join("workers")).collect(),
        };
        let (lock, handle) = (lock(root)?, open(root)?);
        let (root, starts) = (root.to_owned(), Vec::new());
        let mut run = Self { root, handle, lock, starts, before: Some(before) };
        create_dirs(&run.workers())?;
        let path = run.meta();
        run.starts = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| RunDirError::Meta { path, message: e.to_string() })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(FileError::at("read", &path)(e).into()),
        };
        Ok(run)
    }

    /// Writes this process's id into the lock file; from now on the run may be changed. Removes temporary files of interrupted writes.
    pub fn claim(&mut self) -> Result<(), RunDirError> {
        let path = self.root.join(LOCK);
        let noted = self.lock.set_len(0).and_then(|()| self.lock.rewind());
        let noted = noted.and_then(|()| write!(self.lock, "{}", std::process::id()));
        noted.map_err(FileError::at("write", &path))?;
        self.before = None;
        for entry in entries(&self.root).filter(is_temp) {
            fs::remove_file(entry.path()).map_err(FileError::at("delete", &entry.path()))?;
        }
        Ok(())
    }

    /// Returns an error unless the directory is still at the path where the run was begun.
    pub fn check_in_place(&self) -> Result<(), RunDirError> {
        let id = |m: &fs::Metadata| (m.dev(), m.ino());
        let ours = self.handle.metadata().map_err(FileError::at("look at", &self.root))?;
        let ours = id(&ours);
        match fs::metadata(&self.root) {
            Ok(found) if id(&found) == ours => return Ok(()),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(FileError::at("look at", &self.root)(e).into());
            }
            _ => {}
        }
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.handle);
        let now = fs::read_link(format!("/proc/self/fd/{fd}"));
        let now = now.ok().filter(|now| fs::metadata(now).is_ok_and(|m| id(&m) == ours));
        Err(RunDirError::Gone { path: self.root.clone(), now })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }
    /// `progress.csv`.
    pub fn progress(&self) -> PathBuf {
        self.root.join("progress.csv")
    }
    /// `log.txt`.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.txt")
    }
    /// `meta.json`.
    pub fn meta(&self) -> PathBuf {
        self.root.join("meta.json")
    }
    /// `checkpoints/`.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }
    /// `workers/`.
    pub fn workers(&self) -> PathBuf {
        self.root.join("workers")
    }

    /// Writes `config.toml`. From then on the directory can be resumed.
    pub fn write_config(&self, toml: &str) -> Result<(), RunDirError> {
        Ok(atomic_write(&self.config(), toml.as_bytes())?)
    }

    /// Appends the description of a start to `meta.json`.
    pub fn add_meta(&mut self, meta: Meta) -> Result<(), RunDirError> {
        self.starts.push(meta);
        let path = self.meta();
        let text = serde_json::to_string_pretty(&self.starts)
            .map_err(|e| RunDirError::Meta { path: path.clone(), message: e.to_string() })?;
        Ok(atomic_write(&path, text.as_bytes())?)
    }
}

/// Leaves a run that was opened and not claimed as it was found: deletes the logs of workers that were started for it, and cuts off what
/// these workers appended to existing logs. No worker may be running any more.
impl Drop for RunDir {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else { return };
        for (name, size) in worker_logs(&self.workers()) {
            let path = self.workers().join(&name);
            match before.worker_logs.get(&name) {
                None => _ = fs::remove_file(path),
                Some(was) if size > *was => {
                    let log = File::options().write(true).open(path);
                    let _ = log.and_then(|log| log.set_len(*was));
                }
                Some(_) => {}
            }
        }
        if !before.had_workers {
            let _ = fs::remove_dir(self.workers()); // fails if it is not empty
        }
        if !before.had_lock {
            let _ = fs::remove_file(self.root.join(LOCK));
        }
    }
}

/// Whether this is a temporary file of an interrupted [`atomic_write`].
fn is_temp(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    name.starts_with('.') && name.contains(TEMP) && entry.path().is_file()
}

/// Names and sizes of the logs of workers: files `worker_<i>.log`, as samplers name them.
fn worker_logs(dir: &Path) -> impl Iterator<Item = (OsString, u64)> {
    let is_log = |name: &str| name.starts_with("worker_") && name.strip_suffix(".log").is_some();
    entries(dir).filter_map(move |e| {
        let (name, meta) = (e.file_name(), e.metadata().ok()?);
        (meta.is_file() && is_log(&name.to_string_lossy())).then_some((name, meta.len()))
    })
}

fn entries(dir: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(dir).into_iter().flatten().flatten()
}

/// `<preset>-s<seed>`, with characters that are inconvenient in a path replaced by `-`.
pub fn default_name(preset: &str, seed: u64) -> String {
    let awkward = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    format!("{}-s{seed}", preset.replace(awkward, "-"))
}

/// Whether `root` is missing or holds nothing but what a run makes before it has settings: a lock file and empty directories.
pub fn is_unused(root: &Path) -> Result<bool, FileError> {
    let is_empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut d| d.next().is_none());
    let is_begun = |e: &fs::DirEntry| {
        let name = e.file_name();
        name == LOCK
            || is_temp(e)
            || ((name == "checkpoints" || name == "workers") && is_empty(&e.path()))
    };
    match fs::read_dir(root) {
        Ok(entries) => Ok(entries.flatten().all(|e| is_begun(&e))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(FileError::at("read", root)(e)),
    }
}

fn is_ours(root: &Path) -> bool {
    [LOCK, "config.toml"].iter().any(|name| root.join(name).is_file())
}

fn lock(root: &Path) -> Result<Flock<File>, RunDirError> {
    let path = root.join(LOCK);
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(FileError::at("create", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        // One who left the run as it was found may have removed the file meanwhile.
        Ok(held) if held.metadata().is_ok_and(|m| m.nlink() == 0) => lock(root),
        Ok(held) => Ok(held),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            let pid = fs::read_to_string(&path).unwrap_or_default();
            let pid = if pid.is_empty() { "another".to_owned() } else { pid };
            Err(RunDirError::Locked { path: root.to_owned(), pid })
        }
        Err((_, errno)) => Err(FileError::at("lock", &path)(errno.into()).into()),
    }
}

fn open(root: &Path) -> Result<File, FileError> {
    File::open(root).map_err(FileError::at("open", root))
}

/// Deletes the configuration first and flushes that to the disk: what a crash leaves is not a run, and cannot mix with the new run.
fn delete_run(root: &Path) -> Result<(), FileError> {
    let config = root.join("config.toml");
    if config.symlink_metadata().is_ok() {
        fs::remove_file(&config).map_err(FileError::at("delete", &config))?;
        sync_dir(root)?;
    }
    let entries = fs::read_dir(root).map_err(FileError::at("read", root))?;
    for path in entries.flatten().map(|e| e.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !OURS.contains(&&*name) && !name.starts_with(EVENTS) {
            continue;
        }
        // A link is removed, not followed: checkpoints may lie on another disk.
        let is_dir = path.symlink_metadata().is_ok_and(|m| m.is_dir());
        let gone = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.map_err(FileError::at("delete", &path))?;
    }
    sync_dir(root)
}

#[cfg(test)]
mod tests;
