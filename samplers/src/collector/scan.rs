//! Fast scans of rows of flags and numbers for rare values.
use rlcore::cells::Row;

/// Column and leaf of a NaN.
pub(super) fn nan_in(row: Row<'_>) -> Option<(usize, String)> {
    row.find_nan().map(|(leaf, column)| (column, format!("a NaN in observation leaf {leaf}")))
}

/// Fast branch-free pass first: a non-finite value is rare and ends the run.
pub(super) fn not_finite(reward: &[f32]) -> Option<(usize, String)> {
    let any = reward.iter().fold(false, |any, r| any | !r.is_finite());
    let column = any.then(|| reward.iter().position(|r| !r.is_finite())).flatten()?;
    Some((column, format!("the reward {}", reward[column])))
}

/// Positions of the bytes that differ from `usual`; most bytes are equal to it.
// PERF: eight bytes at a time; one branch per byte costs 3 ns of the 27 ns of a CartPole step (`experiments bench samplers`).
pub(super) fn others(bytes: &[u8], usual: u8) -> impl Iterator<Item = usize> + '_ {
    let chunks = bytes.chunks(8).enumerate();
    let unusual = chunks.filter(move |(_, chunk)| match <[u8; 8]>::try_from(*chunk) {
        Ok(eight) => u64::from_ne_bytes(eight) != u64::from_ne_bytes([usual; 8]),
        Err(_) => true,
    });
    unusual.flat_map(move |(i, chunk)| {
        let within = chunk.iter().enumerate().filter(move |(_, byte)| **byte != usual);
        within.map(move |(at, _)| 8 * i + at)
    })
}

#[cfg(test)]
mod tests {
    use super::others;

    #[test]
    fn others_are_found_wherever_they_are() {
        for n in 0..40 {
            for at in 0..n {
                let mut bytes = vec![1u8; n];
                bytes[at] = 0;
                bytes[n - 1 - at] = 2;
                let want: Vec<usize> = (0..n).filter(|i| bytes[*i] != 1).collect();
                assert_eq!(others(&bytes, 1).collect::<Vec<_>>(), want);
            }
        }
    }
}
