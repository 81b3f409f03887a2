//! TensorBoard's event file: every number of `progress.csv` as a scalar under its column's name, over environment steps.
//!
//! Records (`tfrecord`) of the message `Event` (`tensorboard/compat/proto/{event,summary}.proto`), encoded by hand: a version, a
//! session start, then one record per row. Scalars are f32, as TensorBoard stores them; NaN (statistics
//! of an empty list) is left out.
//!
//! As in TensorFlow, each process that continues a run begins a new file, whose session start makes a running TensorBoard discard later
//! steps. Earlier event files are truncated in place, because TensorBoard may have them open and waits for a file that disappears.
use super::Cell;
use super::tfrecord::{framed, records};
use crate::file::{FileError, sync_dir};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Prefix by which TensorBoard recognises an event file; followed by seconds since 1970 and by the run's name (TensorFlow puts the host
/// name there).
pub(crate) const NAME: &str = "events.out.tfevents";

/// Most bytes of the run's name in a file name, which is limited to 255 bytes.
const LONGEST: usize = 100;

/// Number of records before the first row.
const HEAD: usize = 2;

/// Field numbers of `Event`.
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;

/// The event files of a run.
#[derive(Debug)]
pub struct Events {
    dir: PathBuf,
    /// First step that this process may write.
    from: u64,
    out: Option<Out>,
}

/// The parts of the event files that will be kept.
#[derive(Debug)]
pub struct KeptEvents {
    dir: PathBuf,
    from: u64,
    /// Files that are too long, and the size that each is cut to.
    cuts: Vec<(PathBuf, u64)>,
}

impl Events {
    /// Events of a new run in `dir`. The file is created with the first row.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), from: 0, out: None }
    }

    /// Finds rows after `step` (environment steps) and incomplete records. A damaged record ends its file.
    pub fn look(dir: &Path, step: u64) -> Result<KeptEvents, FileError> {
        let mut cuts = Vec::new();
        for path in files(dir)? {
            let bytes = fs::read(&path).map_err(FileError::at("read", &path))?;
            // The records of the head are no rows; their step may be later.
            let kept = |(i, (_, event)): &(usize, (&[u8], &[u8]))| {
                *i < HEAD || step_of(event).is_some_and(|s| s <= step)
            };
            let kept = records(&bytes).enumerate().take_while(kept);
            let kept: usize = kept.map(|(_, (whole, _))| whole.len()).sum();
            if kept < bytes.len() {
                cuts.push((path, kept as u64));
            }
        }
        Ok(KeptEvents { dir: dir.to_owned(), from: step + 1, cuts })
    }

    /// Flushes the rows to the disk.
    pub fn sync(&mut self) -> Result<(), FileError> {
        let Some(out) = &self.out else { return Ok(()) };
        out.file.sync_all().map_err(FileError::at("flush", &out.path))
    }

    /// Appends a row's numbers at `step` (environment steps) to the file; texts and NaN are left out. After
    /// an error the file is unchanged.
    pub fn row<S: AsRef<str>>(&mut self, step: u64, cells: &[(S, Cell)]) -> Result<(), FileError> {
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
        let row = framed(&event(step, SUMMARY, &summary));
        let out = match &mut self.out {
            Some(out) => out,
            none => none.insert(Out::create(&self.dir)?),
        };
        let head = if out.bytes == 0 { head(self.from) } else { vec![] };
        out.write(&[head, row].concat())
    }
}

impl KeptEvents {
    /// Truncates the files and flushes them to the disk; the next row begins a new file.
    pub fn cut(self) -> Result<Events, FileError> {
        for (path, size) in self.cuts {
            let file = File::options().write(true).open(&path);
            let cut = |f: File| f.set_len(size).and_then(|()| f.sync_all());
            file.and_then(cut).map_err(FileError::at("cut back", &path))?;
        }
        Ok(Events { dir: self.dir, from: self.from, out: None })
    }
}

/// The file of this process.
#[derive(Debug)]
struct Out {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Out {
    fn create(dir: &Path) -> Result<Self, FileError> {
        let seconds = files(dir)?.last().map_or(0, |newest| seconds_of(newest) + 1);
        let path = named(dir, now().as_secs().max(seconds));
        let file = File::options().append(true).create_new(true).open(&path);
        let file = file.map_err(FileError::at("create", &path))?;
        sync_dir(dir)?;
        Ok(Self { file, path, bytes: 0 })
    }

    fn write(&mut self, records: &[u8]) -> Result<(), FileError> {
        if let Err(e) = self.file.write_all(records) {
            let _ = self.file.set_len(self.bytes); // a part of the record may have been written
            return Err(FileError::at("write", &self.path)(e));
        }
        self.bytes += records.len() as u64;
        Ok(())
    }
}

/// The head of a file: its version, and a session start that makes a reader discard the steps from `from` on.
fn head(from: u64) -> Vec<u8> {
    let version = event(from, FILE_VERSION, b"brain.Event:2");
    let start = event(from, SESSION_LOG, &[8, 1]); // status: START
    [framed(&version), framed(&start)].concat()
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
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
