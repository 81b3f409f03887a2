//! Seeds of one configuration as one line and a band.
//!
//! Seeds are logged at steps (or seconds) of their own. Each is interpolated linearly onto all points of all seeds, from where
//! the last of them begins: nothing is extrapolated backwards. Forwards, a seed that ends before the longest holds its last
//! value: runs stop when they are solved, and a mean over those that are left would be a mean over the slow ones. From the first
//! such end on the line is dashed ([`Curve::all_until`]).

/// More points than this are not seen, and make an SVG slow.
const MOST_POINTS: usize = 1000;

/// What the band shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// One seed: no band.
    None,
    /// Two seeds: both.
    Range,
    /// Three and more: the mean plus and minus one sample standard deviation (divisor n - 1).
    Std,
}

/// A line with its band.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Steps or seconds, rising.
    pub x: Vec<f64>,
    /// Mean over seeds.
    pub mean: Vec<f64>,
    /// Lower edge of the band.
    pub low: Vec<f64>,
    /// Upper edge of the band.
    pub high: Vec<f64>,
    /// What the edges are.
    pub band: Band,
    /// Where the first seed ended; beyond it values are held.
    pub all_until: f64,
}

/// One seed: `(x, y)` with finite numbers, x rising.
pub type Points = Vec<(f64, f64)>;

/// A run's points: rows without a finite value are left out, and of rows at the same x the last counts.
pub fn points(x: &[f64], y: &[f64]) -> Points {
    let mut points: Points = Vec::new();
    for (x, y) in x.iter().zip(y).filter(|(x, y)| x.is_finite() && y.is_finite()) {
        while points.last().is_some_and(|(last, _)| last >= x) {
            points.pop();
        }
        points.push((*x, *y));
    }
    points
}

/// The mean of every point and the `n - 1` before it (fewer at the start), so that no point knows its future.
pub fn smooth(points: &Points, n: usize) -> Points {
    let one = |i: usize| {
        let window = &points[(i + 1).saturating_sub(n.max(1))..=i];
        (points[i].0, window.iter().map(|p| p.1).sum::<f64>() / window.len() as f64)
    };
    (0..points.len()).map(one).collect()
}

/// Linear between the points, the last value beyond them. `x` is not before the first.
fn at(points: &Points, x: f64) -> f64 {
    let after = points.partition_point(|p| p.0 <= x);
    match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (Some((_, y)), None) | (None, Some(&(_, y))) => y,
        (None, None) => f64::NAN,
    }
}

/// Seeds as a curve, from where the last of them begins; none without a seed. Every seed has a point.
pub fn curve(seeds: &[Points]) -> Option<Curve> {
    let first = seeds.iter().filter_map(|s| s.first()).map(|p| p.0).fold(f64::MIN, f64::max);
    let all_until = seeds.iter().filter_map(|s| s.last()).map(|p| p.0).fold(f64::MAX, f64::min);
    let mut x: Vec<f64> = seeds.iter().flatten().map(|p| p.0).filter(|x| *x >= first).collect();
    x.sort_by(f64::total_cmp);
    x.dedup();
    if x.is_empty() {
        return None;
    }
    if x.len() > MOST_POINTS {
        let last = x.len() - 1;
        x = (0..MOST_POINTS).map(|i| x[i * last / (MOST_POINTS - 1)]).collect();
    }
    let band = match seeds.len() {
        1 => Band::None,
        2 => Band::Range,
        _ => Band::Std,
    };
    let mut curve = Curve { x, mean: vec![], low: vec![], high: vec![], band, all_until };
    for x in &curve.x {
        let values: Vec<f64> = seeds.iter().map(|s| at(s, *x)).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let (low, high) = match band {
            Band::None => (mean, mean),
            Band::Range => (values[0].min(values[1]), values[0].max(values[1])),
            Band::Std => {
                let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
                let std = (squares / (n - 1.0)).sqrt();
                (mean - std, mean + std)
            }
        };
        curve.mean.push(mean);
        curve.low.push(low);
        curve.high.push(high);
    }
    Some(curve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_on_grids_of_their_own() {
        let a = vec![(0.0, 0.0), (10.0, 10.0), (20.0, 20.0)];
        let b = vec![(5.0, 1.0), (15.0, 3.0)];
        let c = curve(&[a, b]).unwrap();
        // From 5, where the second begins; beyond 15 it holds its 3.
        assert_eq!(c.x, [5.0, 10.0, 15.0, 20.0]);
        assert_eq!(c.mean, [3.0, 6.0, 9.0, 11.5]);
        assert_eq!(c.low, [1.0, 2.0, 3.0, 3.0]);
        assert_eq!(c.high, [5.0, 10.0, 15.0, 20.0]);
        assert_eq!((c.band, c.all_until), (Band::Range, 15.0));
    }

    #[test]
    fn three_seeds_have_their_standard_deviation() {
        let seed = |y: f64| vec![(0.0, y), (1.0, 2.0 * y)];
        let c = curve(&[seed(1.0), seed(2.0), seed(3.0)]).unwrap();
        assert_eq!((c.mean, c.low, c.high), (vec![2.0, 4.0], vec![1.0, 2.0], vec![3.0, 6.0]));
        assert_eq!(c.band, Band::Std);
    }

    #[test]
    fn one_seed_is_a_line() {
        let c = curve(&[vec![(0.0, 1.0), (2.0, 5.0)]]).unwrap();
        assert_eq!((c.band, &c.low, c.all_until), (Band::None, &c.mean, 2.0));
    }

    /// Along time on a busy machine, one seed may have ended before another has a first row: its last value is held.
    #[test]
    fn seeds_that_never_meet_are_drawn_where_the_last_begins() {
        let c = curve(&[vec![(0.0, 1.0)], vec![(5.0, 2.0), (6.0, 4.0)]]).unwrap();
        assert_eq!((c.x, c.mean, c.all_until), (vec![5.0, 6.0], vec![1.5, 2.5], 0.0));
        assert_eq!(curve(&[]), None);
    }

    #[test]
    fn many_points_are_thinned_with_both_ends() {
        let long: Points = (0..12_345).map(|i| (i as f64, 0.0)).collect();
        let c = curve(&[long]).unwrap();
        assert_eq!((c.x.len(), c.x[0], c.x[MOST_POINTS - 1]), (MOST_POINTS, 0.0, 12_344.0));
    }

    #[test]
    fn rows_without_a_value_are_left_out() {
        let (x, y) = ([0.0, 1.0, 2.0, 2.0, f64::NAN], [f64::NAN, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(points(&x, &y), [(1.0, 1.0), (2.0, 3.0)]);
    }

    #[test]
    fn smoothing_looks_back() {
        let p = vec![(0.0, 3.0), (1.0, 5.0), (2.0, 10.0), (3.0, 0.0)];
        assert_eq!(smooth(&p, 2), [(0.0, 3.0), (1.0, 4.0), (2.0, 7.5), (3.0, 5.0)]);
        assert_eq!(smooth(&p, 1), p);
    }
}
