//! Listing checkpoints, finding the newest, and deleting those that are not to be kept.
use super::{CheckpointError, CheckpointReader, MANIFEST};
use crate::file::{FileError, TEMP, parent_of, sync_dir, temp_beside};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const PREFIX: &str = "step_";

/// The directory name of the checkpoint after `step` environment steps: padded, so that names sort as steps do.
pub fn step_name(step: u64) -> String {
    format!("{PREFIX}{step:012}")
}

/// Environment steps after which the checkpoint at `path` was written, according to its name; `None` if the name is not one of [`step_name`],
/// or exceeds the range of step counts in a log (`i64`).
pub fn steps_of(path: &Path) -> Option<u64> {
    let name = name_of(path)?;
    let step = name.strip_prefix(PREFIX)?.parse().ok()?;
    (name == step_name(step) && i64::try_from(step).is_ok()).then_some(step)
}

/// Ends the name of a checkpoint that another of the same name is about to replace, on file systems that cannot exchange two names.
const ASIDE: &str = ".old";

/// Where the checkpoint `dir` lies while it is replaced.
pub(super) fn aside(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!("{name}{ASIDE}"))
}

/// The name of the checkpoint at `path`, also where it has stepped aside.
pub(super) fn name_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(ASIDE).unwrap_or(name))
}

/// Where the checkpoint lies that stepped aside and is at `path`, once its replacement has failed or succeeded.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(ASIDE)?;
    steps_of(path).map(|_| path.with_file_name(name))
}

/// The newest valid checkpoint in `dir`, if any; damaged ones are passed over. Nothing is changed.
pub fn latest(dir: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    newest(dir, |_| true)
}

/// As [`latest`], among the checkpoints that include their replay: see
/// [`super::CheckpointWriter::lacks_replay`].
pub fn latest_complete(dir: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    newest(dir, CheckpointReader::has_replay)
}

fn newest(
    dir: &Path,
    wanted: impl Fn(&CheckpointReader) -> bool,
) -> Result<Option<PathBuf>, CheckpointError> {
    let mut steps = steps(dir)?.into_iter().rev().map(|(_, path)| path);
    Ok(steps.find(|path| CheckpointReader::check(path).is_ok_and(|r| wanted(&r))))
}

/// Deletes from `dir` the checkpoints older than the newest `last` valid ones, except the newest that has its replay and the one named
/// `best`. Also removes what interrupted writes have left; a checkpoint that a live process is writing is not touched.
///
/// Damaged checkpoints do not count towards `last`, so that they never displace a valid one; older damaged ones are deleted. An interrupted
/// deletion leaves no partial checkpoint: the directory is renamed first.
pub fn keep(dir: &Path, last: NonZeroUsize, best: Option<&str>) -> Result<(), CheckpointError> {
    let mut steps = steps(dir)?;
    let valid = steps.iter().rev().filter(|(_, path)| CheckpointReader::check(path).is_ok());
    let Some((oldest, _)) = valid.take(last.get()).last() else { return Ok(()) };
    let (oldest, complete) = (*oldest, latest_complete(dir)?);
    steps.retain(|(step, path)| {
        let is_best = path.file_name().is_some_and(|n| best.is_some_and(|b| n == b));
        *step < oldest && !is_best && complete.as_ref() != Some(path)
    });
    delete(dir, steps)
}

/// Deletes the checkpoints after `step` environment steps, which a resumed run will replace. Also removes what interrupted writes have
/// left, as [`keep`] does. The newest is deleted first, and all deletions are flushed to the disk before this returns: after a crash at
/// any time, the remaining checkpoints are a prefix of the run.
pub fn discard_after(dir: &Path, step: u64) -> Result<(), CheckpointError> {
    let mut steps = steps(dir)?;
    steps.retain(|(s, _)| *s > step);
    steps.reverse();
    delete(dir, steps)
}

fn delete(dir: &Path, checkpoints: Vec<(u64, PathBuf)>) -> Result<(), CheckpointError> {
    let mut renamed = Vec::new();
    for (_, path) in checkpoints {
        let temp = temp_beside(&path);
        fs::rename(&path, &temp).map_err(FileError::at("delete", &path))?;
        renamed.push(temp);
    }
    if !renamed.is_empty() {
        sync_dir(dir)?;
    }
    for temp in renamed {
        fs::remove_dir_all(&temp).map_err(FileError::at("delete", &temp))?;
    }
    remove_leftovers(dir);
    Ok(())
}

/// The newest valid checkpoint in the same directory as `dir`, other than it.
pub(super) fn valid_beside(dir: &Path) -> Option<PathBuf> {
    let steps = steps(parent_of(dir)).ok()?;
    let others = steps.into_iter().rev().map(|(_, path)| path);
    others
        .filter(|path| path.file_name() != dir.file_name())
        .find(|path| CheckpointReader::check(path).is_ok())
}

/// All checkpoints, damaged ones included, oldest first: directories with a name of [`step_name`] and a manifest. A missing `dir` contains none.
fn steps(dir: &Path) -> Result<Vec<(u64, PathBuf)>, FileError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(FileError::at("read", dir)(e)),
    };
    let mut steps: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let step = steps_of(&path)?;
            let replaced = place_of(&path).is_some_and(|place| place.exists());
            (path.join(MANIFEST).is_file() && !replaced).then_some((step, path))
        })
        .collect();
    steps.sort();
    Ok(steps)
}

/// Removes temporary directories whose writers are dead, which released their locks. A checkpoint that was renamed to `step_*.old` gets its
/// name back, or is removed if its replacement is in place. Errors are ignored: they are no reason to stop a run.
fn remove_leftovers(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if let Some(place) = place_of(&entry.path()) {
            let _ = if place.exists() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::rename(entry.path(), place)
            };
            continue;
        }
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
