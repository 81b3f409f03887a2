//! Running mean and variance of each feature of the observations.
//!
//! Merged batch by batch (Chan, Golub, LeVeque 1979), as in rlpyt's `models/running_mean_std.py`. Differs: computed in f64, since the
//! counts of old and new observations differ by many orders of magnitude.
use serde::{Deserialize, Serialize};

/// Moments of `F` features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Number of observations.
    pub count: u64,
    /// Means `[F]`.
    pub mean: Vec<f64>,
    /// Variances `[F]`: sums of squares divided by `count`.
    pub var: Vec<f64>,
}

impl Moments {
    /// No observation yet: mean 0 and variance 1.
    pub fn new(features: usize) -> Self {
        Self { count: 0, mean: vec![0.0; features], var: vec![1.0; features] }
    }

    /// Takes in rows of `F` features each, `rows: [N * F]`, of which `valid` `[N]` keeps some. `sum` adds a vector up over the
    /// replicas, each of which calls it equally often: the moments are those of the rows of all replicas.
    ///
    /// # Errors
    /// Those of `sum`; nothing is changed then.
    pub fn merge<E>(
        &mut self,
        rows: &[f32],
        valid: &[u8],
        sum: impl Fn(Vec<f64>) -> Result<Vec<f64>, E>,
    ) -> Result<(), E> {
        let features = self.mean.len();
        let kept =
            || rows.chunks_exact(features).zip(valid).filter(|(_, v)| **v != 0).map(|(row, _)| row);
        let (mut mean, mut square) = (vec![0.0; features], vec![0.0; features]);
        for row in kept() {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x));
        }
        mean.push(kept().count() as f64);
        let mut mean = sum(mean)?;
        let n = mean.pop().unwrap_or(0.0);
        if n == 0.0 {
            return Ok(());
        }
        for m in &mut mean {
            *m /= n;
        }
        for row in kept() {
            for ((s, x), m) in square.iter_mut().zip(row).zip(&mean) {
                *s += (f64::from(*x) - m).powi(2);
            }
        }
        let square = sum(square)?;
        let (old, new) = (self.count as f64, n);
        let total = old + new;
        for f in 0..features {
            let delta = mean[f] - self.mean[f];
            self.mean[f] += delta * new / total;
            self.var[f] =
                (self.var[f] * old + square[f] + delta * delta * old * new / total) / total;
        }
        self.count += n.round() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::{Barrier, Mutex};

    #[allow(clippy::unnecessary_wraps)] // as a sum over replicas, which can fail
    fn alone(own: Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(own)
    }

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
            moments
                .merge(&rows[piece.start * features..piece.end * features], &valid, alone)
                .unwrap();
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
        moments.merge(&[1.0, 100.0, 3.0], &[1, 0, 1], alone).unwrap();
        assert_eq!(moments, Moments { count: 2, mean: vec![2.0], var: vec![1.0] });
        moments.merge(&[7.0], &[0], alone).unwrap();
        assert_eq!(moments.count, 2);
    }

    /// Broken by squares about the mean of one replica, and by a count of its own rows alone.
    #[test]
    fn replicas_have_the_moments_of_all_their_rows() {
        let rows = [[1f32, 2.0, 30.0], [4.0, -5.0, 6.0]];
        let mut whole = Moments::new(1);
        let (meeting, sums) = (Barrier::new(2), Mutex::new(Vec::<Vec<f64>>::new()));
        let sum = |own: Vec<f64>| -> Result<Vec<f64>, Infallible> {
            sums.lock().unwrap().push(own);
            meeting.wait();
            let total = {
                let all = sums.lock().unwrap();
                all[0].iter().zip(&all[1]).map(|(a, b)| a + b).collect()
            };
            if meeting.wait().is_leader() {
                sums.lock().unwrap().clear();
            }
            meeting.wait();
            Ok(total)
        };
        let mut replicas = [Moments::new(1), Moments::new(1)];
        for _ in 0..2 {
            whole.merge(&rows.concat(), &[1; 6], alone).unwrap();
            std::thread::scope(|scope| {
                for (replica, rows) in replicas.iter_mut().zip(&rows) {
                    scope.spawn(move || replica.merge(rows, &[1; 3], sum).unwrap());
                }
            });
        }
        assert_eq!(replicas[0], replicas[1]);
        assert_eq!(replicas[0].count, 12);
        assert!((replicas[0].mean[0] - whole.mean[0]).abs() < 1e-12);
        assert!((replicas[0].var[0] - whole.var[0]).abs() < 1e-10);
    }
}
