//! Running mean and variance of every feature of the observations.
//!
//! Merged batch by batch (Chan, Golub, LeVeque 1979), as in rlpyt's `models/running_mean_std.py`; in f64 here, since the
//! weights of old batches differ from those of new ones by many orders of magnitude.
use serde::{Deserialize, Serialize};

/// Moments of `F` features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Observations seen.
    pub count: u64,
    /// `[F]`.
    pub mean: Vec<f64>,
    /// `[F]`: the sum of squares over `count`.
    pub var: Vec<f64>,
}

impl Moments {
    /// Nothing seen yet: mean 0 and variance 1.
    pub fn new(features: usize) -> Self {
        Self { count: 0, mean: vec![0.0; features], var: vec![1.0; features] }
    }

    /// Takes in rows of `F` features each, `rows: [N * F]`, of which `valid` `[N]` keeps some.
    pub fn merge(&mut self, rows: &[f32], valid: &[u8]) {
        let features = self.mean.len();
        let kept =
            || rows.chunks_exact(features).zip(valid).filter(|(_, v)| **v != 0).map(|(row, _)| row);
        let n = kept().count();
        if n == 0 {
            return;
        }
        let (mut mean, mut square) = (vec![0.0; features], vec![0.0; features]);
        for row in kept() {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x));
        }
        for m in &mut mean {
            *m /= n as f64;
        }
        for row in kept() {
            for ((s, x), m) in square.iter_mut().zip(row).zip(&mean) {
                *s += (f64::from(*x) - m).powi(2);
            }
        }
        let (old, new) = (self.count as f64, n as f64);
        let total = old + new;
        for f in 0..features {
            let delta = mean[f] - self.mean[f];
            self.mean[f] += delta * new / total;
            self.var[f] =
                (self.var[f] * old + square[f] + delta * delta * old * new / total) / total;
        }
        self.count += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces as at once, by the definition; broken by a missing cross term, by f32 sums, by rows that do not count.
    #[test]
    fn pieces_make_the_whole() {
        let value = |i: usize, f: usize| {
            1e4 * f as f32 + ((i * 7 + f) as f32).sin() * 3f32.powi(f as i32 - 1)
        };
        let (features, n) = (3, 1000);
        let rows: Vec<f32> = (0..n).flat_map(|i| (0..features).map(move |f| value(i, f))).collect();
        let mut moments = Moments::new(features);
        for piece in [0..1, 1..400, 400..400, 400..1000] {
            let valid = vec![1; piece.len()];
            moments.merge(&rows[piece.start * features..piece.end * features], &valid);
        }
        assert_eq!(moments.count, n as u64);
        for f in 0..features {
            let column: Vec<f64> = (0..n).map(|i| f64::from(value(i, f))).collect();
            let mean = column.iter().sum::<f64>() / n as f64;
            let var = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            assert!((moments.mean[f] - mean).abs() < 1e-9 * (1.0 + mean.abs()), "{f}");
            assert!((moments.var[f] - var).abs() < 1e-9 * (1.0 + var), "{f}");
        }
    }

    #[test]
    fn skipped_rows_do_not_count() {
        let mut moments = Moments::new(1);
        moments.merge(&[1.0, 100.0, 3.0], &[1, 0, 1]);
        assert_eq!(moments, Moments { count: 2, mean: vec![2.0], var: vec![1.0] });
        moments.merge(&[7.0], &[0]);
        assert_eq!(moments.count, 2);
    }
}
