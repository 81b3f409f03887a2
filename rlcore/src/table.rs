//! The tabular progress log: `progress.csv` with rlpyt's column names, one row per log interval.
//!
//! rlpyt writes the header once and breaks when a later row has other columns. Here new columns widen the file (atomically; older rows
//! get empty cells), missing ones are empty. Every row reaches the file before `row` returns. Resuming cuts the file back to what
//! it was at the checkpoint, byte for byte. Cells are quoted after RFC 4180; lines end in `\n`.
use crate::run_dir::{FileError, atomic_write};
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Written in the shortest form that parses back to the same bits; `NaN`, `inf`, `-inf` as pandas reads them.
    Float(f64),
    /// A count.
    Int(i64),
    /// Anything.
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
    /// Fewer rows than the checkpoint counted.
    #[error("{} has {found} rows but the checkpoint was made after {wanted}: it was cut or replaced; resume from an older checkpoint, or put the file back", path.display())]
    TooFewRows {
        /// The file.
        path: PathBuf,
        /// Rows there are.
        found: u64,
        /// Rows there should be.
        wanted: u64,
    },
    /// Two values for one column of a row.
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

impl ProgressCsv {
    /// A new log; fails if `path` exists.
    pub fn create(path: &Path) -> Result<Self, TableError> {
        let file = File::options().append(true).create_new(true).open(path);
        let file = file.map_err(FileError::at("create", path))?;
        Ok(Self { path: path.to_owned(), file, columns: Vec::new(), rows: 0, bytes: 0 })
    }

    /// Opens `path` (made if missing) to write behind its last whole row; a row cut off by a crash is removed.
    pub fn append(path: &Path) -> Result<Self, TableError> {
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(FileError::at("open", path))?;
        let mut csv = Self { path: path.to_owned(), file, columns: Vec::new(), rows: 0, bytes: 0 };
        let text = csv.text()?;
        let lines = lines(&text);
        csv.columns =
            lines.first().map_or(Vec::new(), |l| fields(l).into_iter().map(unquoted).collect());
        csv.rows = lines.len().saturating_sub(1) as u64;
        csv.cut(lines.iter().map(|l| l.len() as u64).sum())?;
        Ok(csv)
    }

    /// As [`ProgressCsv::append`], then [`ProgressCsv::truncate_to_rows`]: how a run is resumed.
    pub fn open_at(path: &Path, rows: u64) -> Result<Self, TableError> {
        let mut csv = Self::append(path)?;
        csv.truncate_to_rows(rows)?;
        Ok(csv)
    }

    /// Rows without the header; a checkpoint stores this.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Column names, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Appends one row and hands it to the system. After an error the file is as before and the row may be tried again.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[(S, Cell)]) -> Result<(), TableError> {
        if cells.is_empty() && self.columns.is_empty() {
            return Ok(()); // an empty line would later be read as the header
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
            self.rewrite(columns)?;
        }
        let cell =
            |column: &String| cells.iter().find(|(n, _)| n.as_ref() == column).map(|(_, c)| c);
        let line =
            joined(self.columns.iter().map(|column| cell(column).map_or(String::new(), written)));
        let result =
            self.file.write_all(line.as_bytes()).map_err(FileError::at("write", &self.path));
        if let Err(e) = result {
            let _ = self.file.set_len(self.bytes); // a part of the row may have got through
            return Err(e.into());
        }
        self.rows += 1;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Makes the file what it was when it had `rows` rows: later rows go, and so do the columns that came with them.
    pub fn truncate_to_rows(&mut self, rows: u64) -> Result<(), TableError> {
        if rows > self.rows {
            let path = self.path.clone();
            return Err(TableError::TooFewRows { path, found: self.rows, wanted: rows });
        }
        let text = self.text()?;
        let kept = if rows == 0 { 0 } else { rows as usize + 1 };
        let lines = &lines(&text)[..kept];
        self.rows = rows;
        self.cut(lines.iter().map(|l| l.len() as u64).sum())?;
        // A column enters the header with the first row that fills it, if only with a quoted empty text.
        let used =
            lines.iter().skip(1).filter_map(|l| fields(l).iter().rposition(|f| !f.is_empty()));
        let used = used.max().map_or(0, |last| last + 1);
        if used < self.columns.len() {
            let columns = self.columns[..used].to_vec();
            self.rewrite(columns)?;
        }
        Ok(())
    }

    /// Writes the file anew with a header that is longer or shorter at its end.
    fn rewrite(&mut self, columns: Vec<String>) -> Result<(), TableError> {
        let text = self.text()?;
        let mut new = String::new();
        if !columns.is_empty() {
            new.push_str(&joined(columns.iter().map(|c| quoted(c))));
            for line in lines(&text).iter().skip(1) {
                let mut row = fields(line);
                row.resize(columns.len(), "");
                new.push_str(&joined(row.into_iter()));
            }
        }
        atomic_write(&self.path, new.as_bytes())?;
        let file = File::options().append(true).open(&self.path);
        self.file = file.map_err(FileError::at("open", &self.path))?;
        self.columns = columns;
        self.bytes = new.len() as u64;
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> Result<(), TableError> {
        self.bytes = bytes;
        if bytes == 0 {
            self.columns.clear();
        }
        Ok(self.file.set_len(bytes).map_err(FileError::at("cut back", &self.path))?)
    }

    fn text(&self) -> Result<String, TableError> {
        let bytes = std::fs::read(&self.path).map_err(FileError::at("read", &self.path))?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| {
            // A crash may have cut a character in two; what is whole ends before it.
            let valid = e.utf8_error().valid_up_to();
            String::from_utf8_lossy(&e.as_bytes()[..valid]).into_owned()
        }))
    }
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

/// Whole lines with their ends; a line break within quotes is none.
fn lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    let whole = text.split_inclusive(|c| {
        inside ^= c == '"';
        c == '\n' && !inside
    });
    let mut lines: Vec<_> = whole.collect();
    if inside || !text.ends_with('\n') {
        lines.pop();
    }
    lines
}

/// The fields of a line, still quoted.
fn fields(line: &str) -> Vec<&str> {
    let mut inside = false;
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.split(|c| {
        inside ^= c == '"';
        c == ',' && !inside
    })
    .collect()
}

mod events;
mod stats;
mod tfrecord;
pub use events::Events;
pub(crate) use events::NAME as EVENTS;
pub use stats::Stats;

#[cfg(test)]
mod tests;
