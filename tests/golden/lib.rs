//! Golden numbers: what other libraries computed, in one JSON file per topic beside this one. The `doc` field of a file defines
//! its fields, shapes and formulas.
#![allow(clippy::unwrap_used)] // the files are part of the repository
#![forbid(unsafe_code)]
use serde_json::Value;

/// The cases of `tests/golden/<topic>.json`.
pub fn cases(topic: &str) -> Vec<Value> {
    let path = format!("{}/{topic}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let Value::Array(cases) = file["cases"].take() else { panic!("{path} has no list of cases") };
    cases
}

/// The cases whose `key` (`kind`, `env`) is `value`, of which there is one at least.
pub fn cases_with(topic: &str, key: &str, value: &str) -> Vec<Value> {
    let mut cases = cases(topic);
    cases.retain(|case| case[key] == value);
    assert!(!cases.is_empty(), "no case of {topic} has {key} = {value}");
    cases
}

/// The elements of an array.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// All numbers of nested arrays, in order; those of a single number are itself.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// As [`numbers`], for zeros and ones.
pub fn flags(value: &Value) -> Vec<u8> {
    numbers(value).into_iter().map(|x| x as u8).collect()
}

/// A number that is a size or an index.
pub fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Panics with `name` where a number differs from the golden one by more than `tolerance * (1 + |golden|)`.
pub fn close(name: &str, got: &[f64], want: &Value, tolerance: f64) {
    let want = numbers(want);
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "{name}[{i}]: {g} for {w}");
    }
}
