//! From a JSON schema, in which schemars keeps doc comments and defaults.
use super::Docs;
use crate::config::UNSET;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value as Json;
use toml::Value;

/// The schema of `C` without references.
pub(super) fn inline<C: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    Schema::to_value(settings.into_generator().into_root_schema_for::<C>())
}

pub(super) fn read(schema: &Json) -> Docs {
    let mut docs = Docs { about: about(schema), ..Docs::default() };
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => vec![],
    };
    docs.is_optional = types.contains(&"null")
        || schema["enum"].as_array().is_some_and(|e| e.contains(&Json::Null));
    if let Some(properties) = schema["properties"].as_object() {
        docs.keys = properties.iter().map(|(key, s)| (key.clone(), read(s))).collect();
        states(&mut docs, &schema["default"]);
    } else if schema["enum"].is_array() || schema["const"].is_string() {
        docs.words = words(schema);
    } else if let Some(choices) = schema["oneOf"].as_array() {
        choose(&mut docs, choices);
    } else if let Some(choices) = schema["anyOf"].as_array() {
        let set: Vec<&Json> = choices.iter().filter(|c| c["type"] != "null").collect();
        docs.is_optional |= set.len() < choices.len();
        if let [one] = set[..] {
            let inner = read(one);
            let about = if docs.about.is_empty() { inner.about.clone() } else { docs.about };
            docs = Docs { about, is_optional: docs.is_optional, ..inner };
        }
    }
    docs.takes = takes(schema, &types, &docs);
    docs.default = schema.get("default").and_then(|d| default(d, &docs));
    docs
}

/// A table's default states those of its settings.
fn states(docs: &mut Docs, table: &Json) {
    for (key, docs) in &mut docs.keys {
        match table.get(key.as_str()) {
            Some(inner @ Json::Object(_)) => states(docs, inner),
            Some(value) => docs.default = default(value, docs),
            None => {}
        }
    }
}

fn about(schema: &Json) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|p| unlinked(&p.replace('\n', " ")));
    paragraphs.collect::<Vec<_>>().join("\n\n").trim().to_owned()
}

/// Without the links of rustdoc.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        let target = after.strip_prefix('(').and_then(|t| t.split_once(')'));
        out.extend([before, "`", name, "`"]);
        rest = target.map_or(after, |(_, after)| after);
    }
    out + rest
}

/// Words, or the kinds of a table.
fn choose(docs: &mut Docs, choices: &[Json]) {
    for choice in choices {
        let Some(kind) = choice["properties"]["kind"]["const"].as_str() else {
            docs.words.extend(words(choice));
            continue;
        };
        let mut of_kind = read(choice);
        of_kind.keys.retain(|(key, _)| key != "kind");
        docs.kinds.push((kind.to_owned(), of_kind));
    }
}

fn words(schema: &Json) -> Vec<(String, String)> {
    let one = schema["const"].as_str().into_iter();
    let several = schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
    one.chain(several).map(|word| (word.to_owned(), about(schema))).collect()
}

fn takes(schema: &Json, types: &[&str], docs: &Docs) -> String {
    if docs.is_table() {
        return String::new();
    }
    if !docs.words.is_empty() {
        let words: Vec<String> = docs.words.iter().map(|(w, _)| format!("`{w}`")).collect();
        return words.join(", ");
    }
    match types.iter().find(|t| **t != "null") {
        Some(&"integer") if schema["minimum"] == 0 => "a whole number, 0 or more".into(),
        Some(&"integer") => "a whole number".into(),
        Some(&"number") => "a number".into(),
        Some(&"boolean") => "`true` or `false`".into(),
        Some(&"string") => "text".into(),
        Some(&"array") => match read(&schema["items"]).takes.as_str() {
            "a number" => "a list of numbers".into(),
            of if of.starts_with("a whole number") => "a list of whole numbers".into(),
            _ => "a list".into(),
        },
        Some(&"object") => "a table".into(),
        _ => docs.takes.clone(),
    }
}

fn default(json: &Json, docs: &Docs) -> Option<Value> {
    Some(match json {
        Json::Null if docs.is_optional => UNSET.into(),
        Json::Null => Value::Float(f64::INFINITY), // JSON has no word for it
        Json::Bool(b) => Value::Boolean(*b),
        Json::Number(n) => match n.as_i64() {
            Some(n) if docs.takes != "a number" => Value::Integer(n),
            _ => Value::Float(n.as_f64()?),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(all) => {
            let items = Docs { is_optional: false, ..docs.clone() };
            Value::Array(all.iter().filter_map(|j| default(j, &items)).collect())
        }
        Json::Object(_) => return None, // a table: its settings have defaults of their own
    })
}
