//! Reading `tests/golden/distributions.json` in a test.
use serde_json::Value;
use tch::{Kind, Tensor};

/// The cases of one kind.
pub(super) fn cases(kind: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/distributions.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let all = file["cases"].as_array().unwrap();
    let found: Vec<Value> = all.iter().filter(|c| c["kind"] == kind).cloned().collect();
    assert!(found.len() >= 5, "{kind}");
    found
}

/// A column of numbers, or a matrix row by row.
pub(super) fn floats(v: &Value) -> Vec<f64> {
    let rows = v.as_array().unwrap();
    rows.iter().flat_map(|x| x.as_f64().map_or_else(|| floats(x), |x| vec![x])).collect()
}

/// The same as a tensor `[N, width]` of `kind`.
pub(super) fn matrix(v: &Value, width: i64, kind: Kind) -> Tensor {
    Tensor::from_slice(&floats(v)).reshape([-1, width]).to_kind(kind)
}

/// 1e-9 for f64, 2e-5 for f32, relative to `1 + |want|`.
pub(super) fn assert_close(what: &str, got: &Tensor, want: &Value, kind: Kind) {
    let tolerance = if kind == Kind::Double { 1e-9 } else { 2e-5 };
    let got = Vec::<f64>::try_from(got.reshape([-1]).to_kind(Kind::Double)).unwrap();
    let want = floats(want);
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(&want) {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "{what}: {got:?} is not {want:?}");
    }
}
