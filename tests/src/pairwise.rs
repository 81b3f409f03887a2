//! Pairwise testing: a small set of combinations that contains every pair of settings. Most faults depend on no more than two
//! settings.
//!
//! Greedy, after Cohen et al. (1997), "The AETG System": repeatedly takes the row of the full product that contains most of the
//! missing pairs, and the first of several such rows. Deterministic.
use std::collections::HashSet;

type Pair = (usize, usize, usize, usize);

/// Pairs of a row, as (axis, value, later axis, value).
fn pairs(row: &[usize]) -> impl Iterator<Item = Pair> + '_ {
    (0..row.len()).flat_map(move |a| (a + 1..row.len()).map(move |b| (a, row[a], b, row[b])))
}

/// Every `valid` combination of one value per axis; axis `i` has the values `0..sizes[i]`.
pub fn product(sizes: &[usize], valid: impl Fn(&[usize]) -> bool) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![]];
    for size in sizes {
        let longer = |row: &Vec<usize>| {
            let row = row.clone();
            (0..*size).map(move |value| [&row[..], &[value]].concat())
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    rows.retain(|row| valid(row));
    rows
}

/// A subset of `rows` that contains every pair of values that any of them contains.
pub fn pairwise(rows: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut missing: HashSet<Pair> = rows.iter().flat_map(|row| pairs(row)).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let news = |row: &[usize]| pairs(row).filter(|p| missing.contains(p)).count();
        // Reversed, because `max_by_key` returns the last of several maxima.
        let best = rows.iter().rev().max_by_key(|row| news(row)).expect("a missing pair has a row");
        pairs(best).for_each(|p| {
            missing.remove(&p);
        });
        chosen.push(best.clone());
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_that_can_be_is_there_and_the_rows_are_few() {
        let sizes = [4, 3, 2, 5, 2];
        // One pair is forbidden, and with it nothing else.
        let rows = product(&sizes, |row| row[0] != 3 || row[3] != 1);
        assert_eq!(rows.len(), 4 * 3 * 2 * 5 * 2 - 3 * 2 * 2);
        let chosen = pairwise(&rows);
        for (a, b) in (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))) {
            for (x, y) in (0..sizes[a]).flat_map(|x| (0..sizes[b]).map(move |y| (x, y))) {
                let there = chosen.iter().any(|row| row[a] == x && row[b] == y);
                assert_eq!(there, (a, x, b, y) != (0, 3, 3, 1), "{:?}", (a, x, b, y));
            }
        }
        assert!(chosen.iter().all(|row| rows.contains(row)));
        assert!((19..25).contains(&chosen.len()), "{} rows", chosen.len());
        assert_eq!(chosen, pairwise(&rows));
    }
}
