//! A configuration as TOML, with documentation as comments.
use super::{Docs, join, shown};
use std::fmt::Write;
use toml::{Table, Value};

/// Columns that a line of comment takes at most.
const WIDTH: usize = 96;

pub(super) fn write(docs: &Docs, table: &Table) -> String {
    let mut out = String::new();
    write_table(&mut out, Some(docs), "", table);
    out.trim_start().to_owned()
}

fn write_table(out: &mut String, docs: Option<&Docs>, path: &str, table: &Table) {
    let kind = table.get("kind").and_then(Value::as_str);
    let docs_of = |key: &str| docs.and_then(|d| d.key(key, kind));
    let (tables, single): (Vec<_>, Vec<_>) = table.iter().partition(|(_, v)| v.is_table());
    for (key, value) in single {
        match docs {
            Some(docs) if key == "kind" && !docs.kinds.is_empty() => {
                let kinds = docs.kinds.iter().map(|(kind, docs)| (kind, docs.about.as_str()));
                words(out, kinds);
            }
            _ => comment(out, docs_of(key)),
        }
        let _ = writeln!(out, "{} = {}", name(key), shown(value));
    }
    for (key, value) in tables {
        let Value::Table(inner) = value else { continue };
        let path = join(path, &name(key));
        out.push('\n');
        comment(out, docs_of(key));
        let _ = writeln!(out, "[{path}]");
        write_table(out, docs_of(key), &path, inner);
    }
}

fn comment(out: &mut String, docs: Option<&Docs>) {
    let Some(docs) = docs else { return };
    for paragraph in docs.about.split("\n\n").filter(|p| !p.is_empty()) {
        wrapped(out, "# ", paragraph);
    }
    words(out, docs.words.iter().map(|(word, about)| (word, about.as_str())));
}

/// A line for each word that a setting takes.
fn words<'a>(out: &mut String, words: impl Iterator<Item = (&'a String, &'a str)> + Clone) {
    let width = words.clone().map(|(word, _)| word.len()).max().unwrap_or(0);
    for (word, about) in words {
        let first = about.split("\n\n").next().unwrap_or_default();
        wrapped(out, &format!("#   {word:<width$}  "), first);
    }
}

/// Lines of `text` behind `start`, which later lines repeat as spaces.
fn wrapped(out: &mut String, start: &str, text: &str) {
    let mut line = start.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = format!("#{}", " ".repeat(start.len() - 1));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// A key as TOML takes it.
fn name(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}
