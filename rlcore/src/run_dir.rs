//! The directory of one run: everything needed to understand, repeat or continue it, written by one process at a time.
//!
//! ```text
//! runs/<name>/  config.toml   resolved, enough to repeat the run
//!               progress.csv  one row per log interval (rlcore::table)
//!               events.out.tfevents.*  the same rows for TensorBoard
//!               log.txt       what the terminal showed
//!               meta.json     a list: one `Meta` for the start and for every resume
//!               checkpoints/  step_<n>/ (rlcore::checkpoint)
//!               workers/      one log per worker; an environment's own output goes there
//!               watch/        pictures of its episodes, where they were asked for
//!               .lock         held by the process that writes the run, in it that process's id
//! ```
//!
//! The lock is a `flock`, so that the kernel drops it with its process, kill -9 included; the file stays and means nothing by itself.
mod file;
mod meta;

pub use file::{FileError, atomic_write};
pub(crate) use file::{TEMP, parent_of, sync_dir, temp_beside, write_synced};
pub use meta::{Git, Machine, Meta, binary_version};

use crate::table::EVENTS;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do about a run that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Refuse,
    /// Delete its files; those that are not a run's stay.
    Overwrite,
}

/// A run directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// Something is there.
    #[error("{0} already holds a run: continue it with `resume {0}`, choose another directory with `--run-dir`, or replace it with `--overwrite`", path.display())]
    Exists {
        /// The run directory.
        path: PathBuf,
    },
    /// Something is there that no run of ours made.
    #[error("{} is not empty and not a run directory, so nothing in it is deleted: choose another directory with `--run-dir`", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Nothing to resume.
    #[error("{} is not a run directory (it has no config.toml): give the directory that `train` printed, such as runs/cartpole-dqn-s0", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("{} is being written by process {pid}: wait for it, stop it, or choose another `--run-dir`", path.display())]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// The writer's process id, as it noted it.
        pid: String,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// `meta.json` is not what we wrote.
    #[error("{} is not readable: {message}; move it away and resume again", path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        message: String,
    },
}

const LOCK: &str = ".lock";
const OURS: [&str; 7] =
    ["progress.csv", "log.txt", "meta.json", "checkpoints", "workers", "watch", "config.toml"];

/// A run directory that this process holds the lock of, until this value is dropped.
#[derive(Debug)]
pub struct RunDir {
    root: PathBuf,
    _lock: Flock<File>,
}

impl RunDir {
    /// Makes `root` (and its parents), locks it, makes its subdirectories. An empty directory counts as new.
    pub fn create(root: &Path, existing: Existing) -> Result<Self, RunDirError> {
        let exists = || RunDirError::Exists { path: root.to_owned() };
        if existing == Existing::Refuse && !is_unused(root)? {
            return Err(exists());
        }
        if existing == Existing::Overwrite && !is_unused(root)? && !is_ours(root) {
            return Err(RunDirError::Foreign { path: root.to_owned() });
        }
        fs::create_dir_all(root).map_err(FileError::at("create", root))?;
        let lock = lock(root)?;
        // Again, now that no one else can have begun in between.
        match existing {
            Existing::Refuse if !is_unused(root)? => return Err(exists()),
            Existing::Refuse => {}
            Existing::Overwrite => delete_run(root)?,
        }
        let run = Self { root: root.to_owned(), _lock: lock };
        for dir in [run.checkpoints(), run.workers()] {
            fs::create_dir_all(&dir).map_err(FileError::at("create", &dir))?;
        }
        Ok(run)
    }

    /// A new run under `runs`, named `<preset>-s<seed>`, or that with `-2`, `-3`, ... where the name is taken: what the user did not name
    /// must not be in the user's way. A name that the user gives goes to [`RunDir::create`] and is refused when taken.
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

    /// Locks the run at `root` in order to continue it.
    pub fn resume(root: &Path) -> Result<Self, RunDirError> {
        if !root.join("config.toml").is_file() {
            return Err(RunDirError::NotARun { path: root.to_owned() });
        }
        Ok(Self { root: root.to_owned(), _lock: lock(root)? })
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

    /// Appends a start to `meta.json`.
    pub fn add_meta(&self, meta: Meta) -> Result<(), RunDirError> {
        let path = self.meta();
        let bad =
            |e: serde_json::Error| RunDirError::Meta { path: path.clone(), message: e.to_string() };
        let mut starts: Vec<Meta> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(bad)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(FileError::at("read", &path)(e).into()),
        };
        starts.push(meta);
        let text = serde_json::to_string_pretty(&starts).map_err(bad)?;
        Ok(atomic_write(&path, text.as_bytes())?)
    }
}

/// `<preset>-s<seed>`, with characters that are awkward in a path replaced by `-`.
pub fn default_name(preset: &str, seed: u64) -> String {
    let awkward = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    format!("{}-s{seed}", preset.replace(awkward, "-"))
}

/// Whether `root` is missing or holds nothing but a lock file.
fn is_unused(root: &Path) -> Result<bool, FileError> {
    match fs::read_dir(root) {
        Ok(entries) => Ok(entries.flatten().all(|e| e.file_name() == LOCK)),
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
        Ok(mut lock) => {
            let noted = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
            noted.map_err(FileError::at("write", &path))?;
            Ok(lock)
        }
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            let pid = fs::read_to_string(&path).unwrap_or_default();
            Err(RunDirError::Locked { path: root.to_owned(), pid })
        }
        Err((_, errno)) => Err(FileError::at("lock", &path)(errno.into()).into()),
    }
}

fn delete_run(root: &Path) -> Result<(), FileError> {
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
    Ok(())
}

#[cfg(test)]
mod tests;
