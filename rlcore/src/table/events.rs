//! TensorBoard's event file: every number of `progress.csv` as a scalar under its column's name, over environment steps.
//!
//! Records (`tfrecord`) of the message `Event` (`tensorboard/compat/proto/{event,summary}.proto`), encoded by hand: a version, a
//! mark that a session starts, then one record for each row. Scalars are f32, as TensorBoard keeps them; NaN (the
//! statistics of nothing) is left out.
//!
//! A resumed run writes a new file, which begins with what is kept of the old one, and removes the old: a TensorBoard that
//! is open follows to the newest name and forgets, at the mark, what it had read, but it never looks back within a file.
use super::Cell;
use super::tfrecord::{framed, records};
use crate::run_dir::{FileError, sync_dir, write_synced};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What TensorBoard knows an event file by; then follow seconds since 1970 and, where others put the machine, the run's name.
pub(crate) const NAME: &str = "events.out.tfevents";

/// Bytes of a run's name in a file's name, which may have 255 in all.
const LONGEST: usize = 100;

/// Numbers of `Event`'s fields.
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;

/// The open event file of a run.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Events {
    /// Opens the newest event file of the run in `dir` (made if there is none) behind its last whole record.
    pub fn append(dir: &Path) -> Result<Self, FileError> {
        let path = match files(dir)?.pop() {
            Some(newest) => newest,
            None => named(dir, now().as_secs()),
        };
        let mut events = Self { file: open(&path)?, path, bytes: 0 };
        let kept: usize = records(&events.read()?).map(|(whole, _)| whole.len()).sum();
        events.file.set_len(kept as u64).map_err(FileError::at("cut back", &events.path))?;
        events.bytes = kept as u64;
        if kept == 0 {
            let version = event(0, FILE_VERSION, b"brain.Event:2");
            let start = event(0, SESSION_LOG, &[8, 1]); // status: START
            events.write(&[framed(&version), framed(&start)].concat())?;
        }
        Ok(events)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a row's numbers at `step` (environment steps) and hands them to the system; texts and NaN are left out. After
    /// an error the file is as before.
    pub fn row<S: AsRef<str>>(
        &mut self,
        step: u64,
        cells: &[(S, Cell)],
    ) -> Result<(), FileError> {
        let mut summary = Vec::new();
        for (tag, cell) in cells {
            let number = match cell {
                Cell::Float(x) if !x.is_nan() => *x as f32,
                Cell::Int(x) => *x as f32,
                Cell::Float(_) | Cell::Text(_) => continue,
            };
            let mut value = Vec::new();
            delimited(&mut value, 1, tag.as_ref().as_bytes());
            value.push(2 << 3 | 5);
            value.extend(number.to_le_bytes());
            delimited(&mut summary, 1, &value);
        }
        self.write(&framed(&event(step, SUMMARY, &summary)))
    }

    /// Goes on in a new file that has the rows up to `step` alone. Every other event file of the run goes.
    pub fn truncate_to_step(&mut self, step: u64) -> Result<(), FileError> {
        let old = self.read()?;
        let kept = records(&old).filter(|(_, event)| step_of(event).is_some_and(|s| s <= step));
        let kept: Vec<u8> = kept.flat_map(|(whole, _)| whole).copied().collect();
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let path = named(dir, now().as_secs().max(seconds_of(&self.path) + 1));
        // Not a name that TensorBoard would open.
        let temp = dir.join(".events.tmp");
        write_synced(&temp, &kept)?;
        fs::rename(&temp, &path).map_err(FileError::at("replace", &path))?;
        for other in files(dir)?.iter().filter(|f| **f != path) {
            fs::remove_file(other).map_err(FileError::at("delete", other))?;
        }
        sync_dir(dir)?;
        *self = Self { file: open(&path)?, path, bytes: kept.len() as u64 };
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if let Err(e) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.bytes); // a part of it may have got through
            return Err(FileError::at("write", &self.path)(e));
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>, FileError> {
        fs::read(&self.path).map_err(FileError::at("read", &self.path))
    }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn open(path: &Path) -> Result<File, FileError> {
    File::options().append(true).create(true).open(path).map_err(FileError::at("open", path))
}

fn named(dir: &Path, seconds: u64) -> PathBuf {
    let dir_name = dir.canonicalize().unwrap_or_default();
    let mut run = dir_name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    run.truncate((0..=LONGEST).rev().find(|end| run.is_char_boundary(*end)).unwrap_or(0));
    dir.join(format!("{NAME}.{seconds:010}.{run}"))
}

fn seconds_of(path: &Path) -> u64 {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.split('.').nth(3).and_then(|s| s.parse().ok()).unwrap_or(0)
}

/// The event files of a run, oldest first.
fn files(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = fs::read_dir(dir).map_err(FileError::at("read", dir))?;
    let ours = |e: &fs::DirEntry| e.file_name().to_string_lossy().starts_with(NAME);
    let mut files: Vec<_> = entries.flatten().filter(ours).map(|e| e.path()).collect();
    files.sort();
    Ok(files)
}

/// `Event { wall_time = 1, step = 2, <field> }`; `step_of` knows this order.
fn event(step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(now().as_secs_f64().to_le_bytes());
    out.push(2 << 3);
    varint(&mut out, step);
    delimited(&mut out, field, content);
    out
}

fn step_of(event: &[u8]) -> Option<u64> {
    let (tag, digits) = event.get(9..)?.split_first()?;
    let last = digits.iter().position(|byte| byte & 0x80 == 0).filter(|last| *last < 10)?;
    let step = digits[..=last].iter().rev().fold(0, |n, byte| n << 7 | u64::from(byte & 0x7f));
    (*tag == 2 << 3).then_some(step)
}

/// A field of bytes, text or a message.
fn delimited(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[cfg(test)]
mod tests;
