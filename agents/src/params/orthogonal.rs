//! Orthogonal initial values from our own generator: Gram-Schmidt over normal draws.
//!
//! The result is that of `torch.nn.init.orthogonal_` (the Q of a QR decomposition whose R has a positive diagonal), computed in plain
//! Rust in f64, so that a seed gives the same weights on every machine.
use crate::AgentError;
use rand_distr::{Distribution, StandardNormal};
use rlcore::seed::Rng;

/// Fills `out` with a row-major matrix `[rows, columns]` whose rows (whose columns, where there are fewer) are orthogonal and of length
/// `gain`.
pub(super) fn orthogonal(
    rows: usize,
    columns: usize,
    gain: f64,
    rng: &mut Rng,
    out: &mut [f32],
) -> Result<(), AgentError> {
    let (count, len) = if rows <= columns { (rows, columns) } else { (columns, rows) };
    let mut vectors: Vec<f64> = Vec::new();
    vectors.try_reserve_exact(out.len()).map_err(|_| {
        AgentError::new(format!(
            "no memory for the initial values of a parameter [{rows}, {columns}]: lower the sizes of the model's layers"
        ))
    })?;
    vectors.extend((0..out.len()).map(|_| -> f64 { StandardNormal.sample(rng) }));
    for i in 0..count {
        let (done, rest) = vectors.split_at_mut(i * len);
        let v = &mut rest[..len];
        for q in done.chunks_exact(len) {
            let along = dot(q, v);
            v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
        }
        let norm = dot(v, v).sqrt();
        for v in v.iter_mut() {
            *v /= norm;
        }
    }
    let at = |r: usize, c: usize| vectors[if rows <= columns { r * len + c } else { c * len + r }];
    for (i, out) in out.iter_mut().enumerate() {
        *out = (gain * at(i / columns, i % columns)) as f32;
    }
    Ok(())
}

/// Dot product in eight partial sums, which the compiler vectorises.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a8, a1) = a.as_chunks::<8>();
    let (b8, b1) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + a1.iter().zip(b1).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_side_is_orthogonal() {
        let gain = 2f64.sqrt();
        for (rows, columns) in [(3, 20), (20, 3), (16, 16), (1, 9)] {
            let mut m = vec![0.0; rows * columns];
            orthogonal(rows, columns, gain, &mut rlcore::seed::rng(5), &mut m).unwrap();
            let at = |r: usize, c: usize| f64::from(m[r * columns + c]);
            for i in 0..rows.min(columns) {
                for j in 0..rows.min(columns) {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| at(i, k) * at(j, k)).sum()
                    } else {
                        (0..rows).map(|k| at(k, i) * at(k, j)).sum()
                    };
                    let want = if i == j { gain * gain } else { 0.0 };
                    assert!((product - want).abs() < 1e-6, "{rows}x{columns} {i},{j}: {product}");
                }
            }
        }
    }
}
