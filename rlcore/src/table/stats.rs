//! Five numbers for a list of values, under rlpyt's names (`record_tabular_misc_stat` of its logger), computed as NumPy does.

/// Summary of a list. All are NaN when the list is empty or holds a NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Mean.
    pub average: f64,
    /// Population standard deviation (NumPy's default: divided by n).
    pub std: f64,
    /// Median; for an even count the mean of the middle two.
    pub median: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
}

impl Stats {
    /// The statistics of `values`, in any order.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() || values.iter().any(|x| x.is_nan()) {
            return Self {
                average: f64::NAN,
                std: f64::NAN,
                median: f64::NAN,
                min: f64::NAN,
                max: f64::NAN,
            };
        }
        let n = values.len() as f64;
        let average = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - average).powi(2)).sum::<f64>() / n;
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (middle, last) = (sorted.len() / 2, sorted.len() - 1);
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Self { average, std: variance.sqrt(), median, min: sorted[0], max: sorted[last] }
    }

    /// `ReturnAverage`, `ReturnStd`, `ReturnMedian`, `ReturnMin`, `ReturnMax` for the name `Return`.
    pub fn columns(&self, name: &str) -> [(String, f64); 5] {
        [
            (format!("{name}Average"), self.average),
            (format!("{name}Std"), self.std),
            (format!("{name}Median"), self.median),
            (format!("{name}Min"), self.min),
            (format!("{name}Max"), self.max),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_numpy() {
        let s = Stats::of(&[4.0, 1.0, 2.0, 9.0]);
        assert_eq!((s.average, s.median, s.min, s.max), (4.0, 3.0, 1.0, 9.0));
        assert!((s.std - 9.5f64.sqrt()).abs() < 1e-15); // (0 + 9 + 4 + 25) / 4
        let s = Stats::of(&[5.0, -1.0, 2.0]);
        assert_eq!((s.median, s.min), (2.0, -1.0));
        for bad in [&[][..], &[1.0, f64::NAN]] {
            assert!(Stats::of(bad).columns("Return").iter().all(|(_, x)| x.is_nan()));
        }
        let names = Stats::of(&[1.0]).columns("Return").map(|(name, _)| name);
        let wanted = ["ReturnAverage", "ReturnStd", "ReturnMedian", "ReturnMin", "ReturnMax"];
        assert_eq!(names, wanted);
    }
}
