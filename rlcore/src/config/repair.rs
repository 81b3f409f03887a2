//! What a value of the wrong type was probably meant to be.
use super::assign::{Assign, Origin, parse_value};
use toml::{Table, Value};

/// The first reading of a refused value that `fits`, as one writes it in the place where the value was given.
pub(super) fn instead(assign: &Assign, fits: impl Fn(&Value) -> bool) -> Option<String> {
    let given = assign.value.as_ref()?;
    let value = readings(given).into_iter().find(fits)?;
    let kind = value.as_table().and_then(|t| t.get("kind")).filter(|_| !given.is_table());
    let mut path: Vec<&str> = assign.path.iter().map(String::as_str).collect();
    // A file names a key within its table.
    let within = path.len() - 1;
    path.extend(kind.map(|_| "kind"));
    let value = kind.unwrap_or(&value);
    match &*assign.origin {
        Origin::Set(_) => Some(format!("--set {}={}", path.join("."), quoted(value))),
        Origin::File { .. } => Some(format!("`{} = {value}`", path[within..].join("."))),
        Origin::Flag(_) => None,
    }
}

fn readings(given: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut read = |text: String| all.extend(parse_value(&text).ok());
    match given {
        Value::String(text) => {
            let text = text.trim();
            read(text.to_lowercase()); // True, FALSE
            let separated = text.split([',', ' ']).filter(|part| !part.is_empty());
            read(format!("[{}]", separated.collect::<Vec<_>>().join(", ")));
            all.extend(
                match text.to_lowercase().as_str() {
                    "yes" | "on" => Some(true),
                    "no" | "off" => Some(false),
                    _ => None,
                }
                .map(Value::Boolean),
            );
            all.push(Value::Table(Table::from_iter([("kind".to_owned(), text.into())])));
        }
        Value::Integer(n) => {
            all.extend([0, 1].contains(n).then_some(Value::Boolean(*n == 1)));
        }
        Value::Float(x) if x.fract() == 0.0 && x.abs() <= (1u64 << 53) as f64 => {
            all.push(Value::Integer(*x as i64));
        }
        _ => {}
    }
    if !matches!(given, Value::Table(_) | Value::Array(_)) {
        all.push(Value::Array(vec![given.clone()]));
        all.push(Value::String(given.to_string()));
    }
    all
}

/// A value as a shell takes it.
fn quoted(value: &Value) -> String {
    let text = match value {
        Value::String(text) if parse_value(text) == Ok(value.clone()) => text.clone(),
        other => other.to_string(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+".contains(c);
    if text.chars().all(plain) {
        text
    } else if text.contains('"') {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}
