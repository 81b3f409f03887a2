//! Documentation of settings, read from their doc comments.
mod comments;
mod markdown;
mod schema;
#[cfg(test)]
mod tests;

use toml::{Table, Value};

/// What is known of a setting, or of a table of settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Docs {
    /// What it is for: the doc comment, paragraphs separated by an empty line.
    pub about: String,
    /// Which values it takes, in words such as `a number`; empty for a table.
    pub takes: String,
    /// Its value where nothing gives another.
    pub default: Option<Value>,
    /// Whether it may be unset.
    pub is_optional: bool,
    /// The words that it takes, each with what it means, where it takes words.
    pub words: Vec<(String, String)>,
    /// The settings of a table, in order.
    pub keys: Vec<(String, Docs)>,
    /// The kinds of a table, each with the settings that only this kind has.
    pub kinds: Vec<(String, Docs)>,
}

impl Docs {
    /// The documentation of a settings type.
    pub fn of<C: schemars::JsonSchema>() -> Self {
        schema::read(&schema::inline::<C>())
    }

    /// The setting `key` of a table of this kind.
    pub fn key(&self, key: &str, kind: Option<&str>) -> Option<&Self> {
        let find = |all: &'_ [(String, Self)]| all.iter().position(|(k, _)| k == key);
        if let Some(i) = find(&self.keys) {
            return Some(&self.keys[i].1);
        }
        let (_, of_kind) = self.kinds.iter().find(|(k, _)| Some(k.as_str()) == kind)?;
        find(&of_kind.keys).map(|i| &of_kind.keys[i].1)
    }

    /// Whether this is a table.
    pub fn is_table(&self) -> bool {
        !self.keys.is_empty() || !self.kinds.is_empty()
    }

    /// `table` as TOML, every setting under a comment that says what it is for; what is not documented stands bare.
    pub fn commented(&self, table: &Table) -> String {
        comments::write(self, table)
    }

    /// The settings as tables in Markdown, one section per table and kind; headings begin with `level` signs `#`.
    pub fn markdown(&self, level: usize) -> String {
        markdown::write(self, level)
    }

    /// Full paths of all settings, those of all kinds; a table is known by its settings.
    pub fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect("", &mut all);
        all.sort();
        all.dedup();
        all
    }

    fn collect(&self, path: &str, all: &mut Vec<String>) {
        let of_kinds = self.kinds.iter().flat_map(|(_, docs)| &docs.keys);
        for (key, docs) in self.keys.iter().chain(of_kinds) {
            let full = join(path, key);
            docs.collect(&full, all);
            if !docs.is_table() {
                all.push(full);
            }
        }
        if !self.kinds.is_empty() {
            all.push(join(path, "kind"));
        }
    }
}

/// A value as a person writes it in TOML: `1e-8` for 0.00000001.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(x) if *x != 0.0 && x.is_finite() && !(1e-3..1e7).contains(&x.abs()) => {
            format!("{x:e}")
        }
        other => other.to_string(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
