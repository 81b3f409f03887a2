//! The tabular progress log: `progress.csv` with rlpyt's column names, one row per log interval.
//!
//! rlpyt writes the header once and fails when a later row has other columns. Here new columns are appended to the header (atomically; older
//! rows get empty cells), and missing ones are left empty. Every row is in the file when `row` returns, and on the disk after
//! [`ProgressCsv::sync`]. Resuming cuts the file back to its content at the checkpoint, byte for byte: first [`ProgressCsv::look`], which
//! changes nothing, then [`Kept::cut`]. Cells are quoted after RFC 4180; lines end in `\n`.
use self::parse::{End, fields, head};
use crate::file::{FileError, atomic_write, parent_of, sync_dir};
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Named numbers of one moment, such as the current learning rate; each becomes a column.
pub type Values = Vec<(String, f64)>;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Written in the shortest form that parses back to the same bits; `NaN`, `inf`, `-inf` as pandas reads them.
    Float(f64),
    /// A count.
    Int(i64),
    /// Any text.
    Text(String),
}

impl From<f64> for Cell {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}
impl From<i64> for Cell {
    fn from(x: i64) -> Self {
        Self::Int(x)
    }
}
impl From<&str> for Cell {
    fn from(x: &str) -> Self {
        Self::Text(x.to_owned())
    }
}

/// A progress log that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line among the rows that the checkpoint counts is damaged.
    #[error("{}: line {line} is damaged ({what}), and the checkpoint was made after {wanted} rows: put the file back as it was, resume from an older checkpoint, or delete this line and all after it, which loses those rows", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
        /// Number of rows that are needed.
        wanted: u64,
    },
    /// A row has two values for one column.
    #[error("column `{column}` is twice in one row; rename one of the two diagnostics")]
    DuplicateColumn {
        /// Its name.
        column: String,
    },
}

/// An open progress log.
#[derive(Debug)]
pub struct ProgressCsv {
    path: PathBuf,
    file: File,
    columns: Vec<String>,
    rows: u64,
    bytes: u64,
}

/// The part of a log that will be kept.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    /// Current content of the file; `None` if it does not exist.
    before: Option<Vec<u8>>,
    after: String,
    columns: Vec<String>,
    rows: u64,
}

impl ProgressCsv {
    /// Creates an empty log; returns an error if `path` exists.
    pub fn create(path: &Path) -> Result<Self, TableError> {
        let file = File::options().append(true).create_new(true).open(path);
        let file = file.map_err(FileError::at("create", path))?;
        sync_dir(parent_of(path))?;
        Ok(Self { path: path.to_owned(), file, columns: Vec::new(), rows: 0, bytes: 0 })
    }

    /// Reads the log of a run that is to continue after `rows` rows, and determines its content at that time: without later rows and the
    /// columns that these added. If rows are missing at the end, as after a power cut, the rows before are kept.
    ///
    /// # Errors
    /// A file that cannot be read, or a damaged line before the end.
    pub fn look(path: &Path, rows: u64) -> Result<Kept, TableError> {
        let before = match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(FileError::at("read", path)(e).into()),
        };
        let path = path.to_owned();
        let found = head(before.as_deref().unwrap_or_default(), rows);
        if let End::Damaged { line, what } = found.end {
            return Err(TableError::Damaged { path, line, what, wanted: rows });
        }
        // A column is added to the header with the first row that has a value for it, possibly a quoted empty text.
        let used = found.rows.iter().filter_map(|l| fields(l).iter().rposition(|f| !f.is_empty()));
        let used = used.max().map_or(0, |last| last + 1);
        let columns = found.columns[..used].to_vec();
        let (rows, after) = (found.rows.len() as u64, written_anew(&columns, &found.rows));
        Ok(Kept { path, before, after, columns, rows })
    }

    /// Number of rows without the header; stored in checkpoints.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Column names, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Appends one row to the file. After an error the file is unchanged and the call may be repeated.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[(S, Cell)]) -> Result<(), TableError> {
        if cells.is_empty() && self.columns.is_empty() {
            return Ok(()); // an empty line would be read as the header later
        }
        let mut seen = HashSet::new();
        for (name, _) in cells {
            if !seen.insert(name.as_ref()) {
                return Err(TableError::DuplicateColumn { column: name.as_ref().to_owned() });
            }
        }
        let new = cells.iter().map(|(name, _)| name.as_ref());
        let new: Vec<_> =
            new.filter(|n| !self.columns.iter().any(|c| c == n)).map(str::to_owned).collect();
        if !new.is_empty() {
            let columns = [self.columns.as_slice(), &new].concat();
            self.widen(columns)?;
        }
        let cell =
            |column: &String| cells.iter().find(|(n, _)| n.as_ref() == column).map(|(_, c)| c);
        let line =
            joined(self.columns.iter().map(|column| cell(column).map_or(String::new(), written)));
        let result =
            self.file.write_all(line.as_bytes()).map_err(FileError::at("write", &self.path));
        if let Err(e) = result {
            let _ = self.file.set_len(self.bytes); // a part of the row may have been written
            return Err(e.into());
        }
        self.rows += 1;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Flushes the rows to the disk.
    pub fn sync(&mut self) -> Result<(), TableError> {
        Ok(self.file.sync_all().map_err(FileError::at("flush", &self.path))?)
    }

    /// Rewrites the file with additional columns at the end of the header.
    fn widen(&mut self, columns: Vec<String>) -> Result<(), TableError> {
        let bytes = std::fs::read(&self.path).map_err(FileError::at("read", &self.path))?;
        let found = head(&bytes, self.rows);
        if found.end != End::Enough {
            // Another program has changed the file: rewriting it would lose the rows after the damage.
            let (line, wanted) = (found.rows.len() + 2, self.rows);
            let (path, what) = (self.path.clone(), "it changed while the run wrote it".into());
            return Err(TableError::Damaged { path, line, what, wanted });
        }
        let new = written_anew(&columns, &found.rows);
        atomic_write(&self.path, new.as_bytes())?;
        self.file = opened(&self.path)?;
        self.columns = columns;
        self.bytes = new.len() as u64;
        Ok(())
    }
}

impl Kept {
    /// Number of rows that are kept: fewer than requested if rows are missing.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Cuts the file back atomically and opens it for the next row.
    pub fn cut(self) -> Result<ProgressCsv, TableError> {
        if self.before.is_none_or(|before| before != self.after.as_bytes()) {
            atomic_write(&self.path, self.after.as_bytes())?;
        }
        let (columns, rows, bytes) = (self.columns, self.rows, self.after.len() as u64);
        Ok(ProgressCsv { file: opened(&self.path)?, path: self.path, columns, rows, bytes })
    }
}

fn opened(path: &Path) -> Result<File, FileError> {
    File::options().append(true).open(path).map_err(FileError::at("open", path))
}

/// The text of a log with these columns and rows; rows are padded with empty cells or lose trailing ones.
fn written_anew(columns: &[String], rows: &[&str]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let mut out = joined(columns.iter().map(|c| quoted(c)));
    for line in rows {
        let mut row = fields(line);
        row.resize(columns.len(), "");
        out.push_str(&joined(row.into_iter()));
    }
    out
}

fn written(cell: &Cell) -> String {
    match cell {
        Cell::Float(x) => format!("{x:?}"),
        Cell::Int(x) => x.to_string(),
        Cell::Text(x) => quoted(x),
    }
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn unquoted(field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|f| f.strip_suffix('"'));
    inner.map_or(field.to_owned(), |f| f.replace("\"\"", "\""))
}

fn joined(fields: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut line = fields.fold(String::new(), |line, f| line + f.as_ref() + ",");
    line.pop();
    line + "\n"
}

mod events;
mod parse;
mod stats;
mod tfrecord;
pub(crate) use events::NAME as EVENTS;
pub use events::{Events, KeptEvents};
pub use stats::Stats;

#[cfg(test)]
mod tests;
