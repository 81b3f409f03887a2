//! Files and `--set` arguments as lists of single settings that remember where they came from.
use super::{ConfigError, UNSET};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// The file, as named on the command line.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// On the command line: the right side of `--set`.
    Set(String),
    /// On the command line: a flag that is short for a setting, with its value, such as `--device cuda`.
    Flag(String),
}

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// The right side of `--set`: `key=value`.
    Set(String),
    /// A flag that is short for a setting.
    Flag {
        /// The flag and its value as given, such as `--device cuda`: what an error says.
        flag: String,
        /// Full dotted path of the setting.
        key: String,
        /// Its value.
        value: Value,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Set(text) => write!(f, "--set {text}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One setting: a leaf, or an empty table.
#[derive(Debug, Clone)]
pub(super) struct Assign {
    pub(super) path: Vec<String>,
    /// `None` removes the key.
    pub(super) value: Option<Value>,
    pub(super) origin: Box<Origin>,
}

impl Assign {
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }
}

impl Given {
    /// The setting `key` from a flag that is short for it, such as `--device`.
    pub fn flag(flag: &str, key: &str, value: Value) -> Self {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self::Flag { flag: format!("{flag} {shown}"), key: key.to_owned(), value }
    }
}

pub(super) fn from_file(path: &Path, text: &str) -> Result<Vec<Assign>, ConfigError> {
    let syntax = |e: toml::de::Error| ConfigError::Syntax {
        file: path.to_owned(),
        line: line_of(text, e.span().map_or(0, |s| s.start)),
        message: in_words(text, &e),
    };
    let spans = DeTable::parse(text).map_err(syntax)?;
    let table: Table = toml::from_str(text).map_err(syntax)?;
    let mut out = Vec::new();
    leaves(&table, Some(spans.get_ref()), &mut Vec::new(), &mut |at, value, line| {
        let line = line.map_or(1, |start| line_of(text, start));
        let origin = Box::new(Origin::File { path: path.to_owned(), line });
        out.push(Assign { path: at.to_vec(), value: Some(value.clone()), origin });
    });
    Ok(out)
}

/// What the parser says, and what to write where it does not say it.
fn in_words(text: &str, e: &toml::de::Error) -> String {
    let start = e.span().map_or(0, |s| s.start);
    let line = text.lines().nth(line_of(text, start) - 1).unwrap_or_default();
    let bare = line.split('#').next().unwrap_or_default();
    let Some((key, value)) = bare.split_once('=') else { return e.message().to_owned() };
    let (key, value) = (key.trim(), value.trim());
    if value.is_empty() {
        format!("`{key}` has no value: `{key} = \"{UNSET}\"` unsets an optional setting")
    } else if toml::from_str::<Table>(&format!("v = \"{value}\"")).is_ok()
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        format!("text is written in quotes: `{key} = \"{value}\"`")
    } else {
        e.message().to_owned()
    }
}

pub(super) fn from_given(given: &Given) -> Result<Vec<Assign>, ConfigError> {
    match given {
        Given::Set(text) => from_set(text),
        Given::Flag { flag, key, value } => Ok(vec![Assign {
            path: key.split('.').map(str::to_owned).collect(),
            value: Some(value.clone()),
            origin: Box::new(Origin::Flag(flag.clone())),
        }]),
    }
}

fn from_set(text: &str) -> Result<Vec<Assign>, ConfigError> {
    let fail = |message: String| ConfigError::Set { text: text.to_owned(), message };
    let (key, value) =
        text.split_once('=').ok_or_else(|| fail("it lacks `=`: write it as KEY=VALUE".into()))?;
    let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
    if path.iter().any(String::is_empty) {
        return Err(fail("a part of the key is empty; write it as table.key".into()));
    }
    let origin = Box::new(Origin::Set(text.to_owned()));
    let value = value.trim();
    if value.is_empty() {
        return Ok(vec![Assign { path, value: None, origin }]);
    }
    match parse_value(value).map_err(fail)? {
        Value::Table(table) if !table.is_empty() => {
            let mut out = Vec::new();
            leaves(&table, None, &mut path.clone(), &mut |at, value, _| {
                let origin = origin.clone();
                out.push(Assign { path: at.to_vec(), value: Some(value.clone()), origin });
            });
            Ok(out)
        }
        value => Ok(vec![Assign { path, value: Some(value), origin }]),
    }
}

/// TOML, and what people type into a shell: bare words, `1e6` for an integer, `.5`.
pub(super) fn parse_value(text: &str) -> Result<Value, String> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
    if let Some(x) = number
        && text.contains(['e', 'E'])
        && x.fract() == 0.0
        && x.abs() <= (1u64 << 53) as f64
    {
        return Ok(Value::Integer(x as i64)); // a float setting takes integers too
    }
    match toml::from_str::<Table>(&format!("v = {text}")) {
        Ok(mut table) if table.len() == 1 => match table.remove("v") {
            Some(Value::Datetime(_)) | None => Ok(Value::String(text.to_owned())),
            Some(value) => Ok(value),
        },
        Err(e) if text.starts_with(['[', '{', '"', '\'']) => Err(e.message().to_owned()),
        _ => match number {
            Some(x) if text.contains('.') => Ok(Value::Float(x)),
            _ => Ok(Value::String(text.to_owned())),
        },
    }
}

type Each<'a> = dyn FnMut(&[String], &Value, Option<usize>) + 'a;

/// Calls `each` with path, value and byte offset of every leaf below `table`.
fn leaves(table: &Table, spans: Option<&DeTable<'_>>, at: &mut Vec<String>, each: &mut Each<'_>) {
    for (key, value) in table {
        let span = spans.and_then(|s| s.iter().find(|(k, _)| k.get_ref() == key));
        at.push(key.clone());
        match value {
            Value::Table(inner) if !inner.is_empty() => {
                let spans = span.and_then(|(_, v)| match v.get_ref() {
                    DeValue::Table(t) => Some(t),
                    _ => None,
                });
                leaves(inner, spans, at, each);
            }
            value => each(at, value, span.map(|(k, _)| k.span().start)),
        }
        at.pop();
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}
