//! Which checkpoints there are, which is the newest, which may go.
use super::{CheckpointError, CheckpointReader};
use crate::run_dir::{FileError, TEMP, parent_of, temp_beside};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const PREFIX: &str = "step_";

/// The directory name of the checkpoint after `step` environment steps: padded, so that names sort as steps do.
pub fn step_name(step: u64) -> String {
    format!("{PREFIX}{step:012}")
}

/// The newest valid checkpoint in `dir`, if any; damaged ones are passed over.
///
/// Removes what interrupted writes left. What a live process is writing just now is neither seen nor touched.
pub fn latest(dir: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    remove_leftovers(dir);
    let mut steps = steps(dir)?;
    steps.reverse();
    Ok(steps.into_iter().map(|(_, path)| path).find(|path| is_valid(path)))
}

/// Deletes from `dir` the checkpoints older than the newest `last` valid ones, but not the one named `best`.
///
/// Damaged ones do not count, so that they never push out a valid one; they go when they are older. A deletion that is interrupted
/// leaves no half checkpoint: the directory is renamed first.
pub fn keep(dir: &Path, last: NonZeroUsize, best: Option<&str>) -> Result<(), CheckpointError> {
    let steps = steps(dir)?;
    let valid = steps.iter().rev().filter(|(_, path)| is_valid(path));
    let Some((oldest, _)) = valid.take(last.get()).last() else { return Ok(()) };
    for (step, path) in &steps {
        let is_best = path.file_name().is_some_and(|n| best.is_some_and(|b| n == b));
        if step < oldest && !is_best {
            let temp = temp_beside(path);
            fs::rename(path, &temp).map_err(FileError::at("delete", path))?;
            fs::remove_dir_all(&temp).map_err(FileError::at("delete", &temp))?;
        }
    }
    remove_leftovers(dir);
    Ok(())
}

/// The newest valid checkpoint in the same directory as `dir`, other than it.
pub(super) fn valid_beside(dir: &Path) -> Option<PathBuf> {
    let steps = steps(parent_of(dir)).ok()?;
    let others = steps.into_iter().rev().map(|(_, path)| path);
    others.filter(|path| path.file_name() != dir.file_name()).find(|path| is_valid(path))
}

fn is_valid(dir: &Path) -> bool {
    CheckpointReader::check(dir).is_ok()
}

/// All `step_<n>` directories, oldest first; a missing `dir` has none.
fn steps(dir: &Path) -> Result<Vec<(u64, PathBuf)>, FileError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(FileError::at("read", dir)(e)),
    };
    let mut steps: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let step = name.to_str()?.strip_prefix(PREFIX)?.parse().ok()?;
            entry.path().is_dir().then(|| (step, entry.path()))
        })
        .collect();
    steps.sort();
    Ok(steps)
}

/// Removes temporary directories whose writers are gone: the kernel released their locks. Failing to is no reason to stop a run.
fn remove_leftovers(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.') && name.contains(TEMP) && entry.path().is_dir()) {
            continue;
        }
        let Ok(open) = File::open(entry.path()) else { continue };
        if let Ok(_abandoned) = Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
