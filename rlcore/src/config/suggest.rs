//! What serde's messages and the known keys say about a mistake.
use super::assign::Assign;
use super::{ConfigError, Repair};
use toml::{Table, Value};

/// The error for `assign`, given the message that serde answered it with and a configuration that was good.
pub(super) fn explain(assign: &Assign, message: &str, good: &Table) -> ConfigError {
    let quoted = backticked(message);
    if message.starts_with("unknown field") {
        let field = quoted.first().map_or("", String::as_str);
        let part = assign.path.iter().position(|p| p == field);
        let mut key: Vec<String> =
            assign.path[..part.map_or(assign.path.len(), |i| i + 1)].to_vec();
        if part.is_none() {
            key.push(field.to_owned()); // inside an array of tables
        }
        let learned = quoted.get(1..).unwrap_or_default().to_vec();
        return unknown(assign, &key, good, &learned);
    }
    let given = assign.value.as_ref().map_or(String::new(), Value::to_string);
    let wanted = message.split_once("expected ").map_or(message, |(_, w)| w);
    let nearest = match &assign.value {
        Some(Value::String(word)) if message.starts_with("unknown variant") => {
            closest(word, quoted.get(1..).unwrap_or_default().iter().cloned())
        }
        _ => None,
    };
    let (key, origin) = (assign.key(), assign.origin.clone());
    let wanted = in_words(wanted);
    ConfigError::WrongType { key, wanted, given, repair: nearest.map(Repair::Nearest), origin }
}

/// `key` does not exist: its table has the keys of `good` and those `learned` from serde.
pub(super) fn unknown(
    assign: &Assign,
    key: &[String],
    good: &Table,
    learned: &[String],
) -> ConfigError {
    let prefix = &key[..key.len() - 1];
    let mut known = learned.to_vec();
    if let Some(table) = table_at(good, prefix) {
        known.extend(table.keys().cloned());
    }
    known.sort();
    known.dedup();
    let mut all = Vec::new();
    flatten(good, "", &mut all);
    let dotted = |name: &String| [prefix, std::slice::from_ref(name)].concat().join(".");
    all.extend(known.iter().map(dotted));
    let wrong = key.join(".");
    // A key whose table was misspelt is known below the right table; a bare one may belong in some table.
    let nearest = closest(&assign.key(), all.iter().cloned())
        .or_else(|| closest(&wrong, all.iter().cloned()))
        .or_else(|| {
            let last = assign.path.last()?;
            all.iter().find(|k| k.rsplit('.').next() == Some(last)).cloned()
        });
    ConfigError::UnknownKey { key: wrong, nearest, known, origin: assign.origin.clone() }
}

/// The table at `path`.
pub(super) fn table_at<'a>(table: &'a Table, path: &[String]) -> Option<&'a Table> {
    path.iter().try_fold(table, |t, key| t.get(key)?.as_table())
}

/// The one of `known` that `word` was probably meant to be.
pub fn closest(word: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let scored = known.into_iter().map(|k| (strsim::normalized_damerau_levenshtein(word, &k), k));
    scored.filter(|(s, _)| *s >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

fn flatten(table: &Table, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Value::Table(inner) = value {
            flatten(inner, &full, out);
        }
        out.push(full);
    }
}

fn backticked(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn in_words(wanted: &str) -> String {
    match wanted {
        "f32" | "f64" => format!("a number ({wanted})"),
        "usize" | "u8" | "u16" | "u32" | "u64" => format!("a whole number, 0 or more ({wanted})"),
        "isize" | "i8" | "i16" | "i32" | "i64" => format!("a whole number ({wanted})"),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table of settings".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("internally tagged enum ") => {
            "a table of settings with a `kind`".to_owned()
        }
        other if other.starts_with("struct ") => "a table of settings".to_owned(),
        other => other.to_owned(),
    }
}
