//! The golden numbers of distributions.
use serde_json::Value;
use tch::{Kind, Tensor};

/// The cases of one kind of distribution.
pub(super) fn cases(kind: &str) -> Vec<Value> {
    let found = golden::cases_with("distributions", "kind", kind);
    assert!(found.len() >= 5, "{kind}");
    found
}

/// Numbers as a tensor `[N, width]` of `kind`.
pub(super) fn matrix(v: &Value, width: i64, kind: Kind) -> Tensor {
    Tensor::from_slice(&golden::numbers(v)).reshape([-1, width]).to_kind(kind)
}

/// 1e-9 for f64, 2e-5 for f32, relative to `1 + |want|`.
pub(super) fn assert_close(what: &str, got: &Tensor, want: &Value, kind: Kind) {
    let tolerance = if kind == Kind::Double { 1e-9 } else { 2e-5 };
    let got = Vec::<f64>::try_from(got.reshape([-1]).to_kind(Kind::Double)).unwrap();
    golden::close(what, &got, want, tolerance);
}
