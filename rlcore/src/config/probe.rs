//! Asking serde: does this document make a configuration, which keys survive, which does it know?
use super::Form;
use super::suggest::table_at;
use toml::{Table, Value};

/// Why a document makes no configuration, in serde's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct Refusal {
    pub(super) message: String,
    /// The table that it is about, as far as known.
    pub(super) at: String,
}

impl Refusal {
    /// What serde said of the whole document.
    pub fn new(e: &toml::de::Error) -> Self {
        let text = e.to_string();
        let at = text.rsplit_once("in `").map_or("", |(_, at)| at.trim_end().trim_end_matches('`'));
        Self { message: e.message().to_owned(), at: at.to_owned() }
    }

    /// What serde said of the table at `path`, which was read by itself.
    #[must_use]
    pub fn within(path: &str, e: &toml::de::Error) -> Self {
        let Self { message, at } = Self::new(e);
        let at = if at.is_empty() { path.to_owned() } else { format!("{path}.{at}") };
        Self { message, at }
    }

    /// The table at `path` cannot be used, for a reason in words.
    pub fn because(path: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), at: path.to_owned() }
    }

    /// No such kind in the table at `path`.
    pub fn unknown_kind<'a>(
        path: &str,
        kind: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
        let message = format!("unknown variant `{kind}`, expected one of {}", known.join(", "));
        Self { message, at: path.to_owned() }
    }

    pub(super) fn may_be_completed(&self) -> bool {
        const FINAL: [&str; 5] =
            ["unknown field", "unknown variant", "invalid type", "invalid value", "invalid length"];
        !FINAL.iter().any(|f| self.message.starts_with(f))
    }
}

/// The configuration, and the document as it writes it back, unset settings included.
pub(super) fn read<F: Form>(form: &F, doc: &Table) -> Result<(F::Config, Table), Refusal> {
    let config = form.read(doc)?;
    let kept =
        form.write(&config).map_err(|e| Refusal { message: e.to_string(), at: String::new() })?;
    Ok((config, kept))
}

/// The keys that serde lists when it meets a key that cannot exist beside `key`.
pub(super) fn learned<F: Form>(form: &F, doc: &Table, key: &[String]) -> Vec<String> {
    let (mut doc, (last, parent)) = (doc.clone(), split(key));
    let table = table_mut(&mut doc, parent);
    table.remove(last);
    table.insert("\u{1}".into(), Value::Boolean(true));
    match read(form, &doc) {
        Err(e) if e.message.starts_with("unknown field `\u{1}`") => {
            e.message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The first key of `given`, set at `path`, that `kept` lacks.
pub(super) fn lost(given: &Value, kept: &Table, path: &[String]) -> Option<Vec<String>> {
    let (last, parent) = split(path);
    for (i, _) in parent.iter().enumerate() {
        if table_at(kept, &path[..=i]).is_none() {
            return Some(path[..=i].to_vec());
        }
    }
    let Some(found) = table_at(kept, parent).and_then(|t| t.get(last)) else {
        return Some(path.to_vec());
    };
    lost_inside(given, found, path)
}

fn lost_inside(given: &Value, found: &Value, path: &[String]) -> Option<Vec<String>> {
    match (given, found) {
        (Value::Table(given), Value::Table(found)) => given.iter().find_map(|(key, value)| {
            let full = [path, std::slice::from_ref(key)].concat();
            found.get(key).map_or(Some(full.clone()), |f| lost_inside(value, f, &full))
        }),
        (Value::Array(given), Value::Array(found)) => {
            given.iter().zip(found).find_map(|(g, f)| lost_inside(g, f, path))
        }
        _ => None,
    }
}

/// The last key of `path`, and those above it.
pub(super) fn split(path: &[String]) -> (&str, &[String]) {
    path.split_last().map_or(("", path), |(last, parent)| (last.as_str(), parent))
}

/// The table at `path`, made where it is missing.
pub(super) fn table_mut<'a>(table: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().fold(table, |t, key| {
        let entry = t.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        match entry {
            Value::Table(inner) => inner,
            _ => unreachable!("made a table just above"),
        }
    })
}
