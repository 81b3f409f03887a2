//! The size of a batch, the environments of this replica, and the counting of environment steps.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// `T` time steps by `B` environments: the leading dimensions of sample arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSpec {
    /// Time steps in one batch, at least 1.
    pub t: usize,
    /// Environments in one batch (columns), at least 1.
    pub b: usize,
}

impl BatchSpec {
    /// `T * B`, the environment steps in one full batch; `usize::MAX` on overflow.
    pub fn steps(self) -> usize {
        self.t.saturating_mul(self.b)
    }
}

/// This process among the replicas of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// `0..size`.
    pub rank: usize,
    /// Number of replicas, at least 1.
    pub size: usize,
}

impl Default for World {
    fn default() -> Self {
        Self { rank: 0, size: 1 }
    }
}

impl World {
    /// `B * world_size`: environments over all replicas.
    pub fn global_b(self, spec: BatchSpec) -> usize {
        spec.b.saturating_mul(self.size)
    }

    /// The env rank behind column 0 of this replica's block.
    pub fn first_rank(self, spec: BatchSpec) -> EnvRank {
        EnvRank(self.rank * spec.b)
    }

    /// Steps of all replicas, if each takes as many steps as this one: `steps * world_size`.
    pub fn global(self, steps: LocalSteps) -> GlobalSteps {
        GlobalSteps(steps.0 * self.size as u64)
    }
}

/// Environment steps of this replica. Counts of the whole run are [`GlobalSteps`]: see [`World::global`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LocalSteps(pub u64);

/// Environment steps of all replicas together, in which schedules, intervals and budgets are given.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct GlobalSteps(pub u64);

impl Add for LocalSteps {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for LocalSteps {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Add for GlobalSteps {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for GlobalSteps {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// Steps since an earlier count; zero where that is the later one.
impl Sub for GlobalSteps {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for GlobalSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Global number of an environment, `0..global_B`. Everything that differs by environment (seed, epsilon) is a function
/// of it, never of the worker or the column that happens to host the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EnvRank(pub usize);

impl EnvRank {
    /// The rank `columns` after this one.
    #[must_use]
    pub fn offset(self, columns: usize) -> Self {
        Self(self.0 + columns)
    }
}

/// Divides `b` columns among `workers`; the first `b % workers` of them get one more than the others (as in rlpyt).
pub fn split_columns(b: usize, workers: usize) -> Vec<std::ops::Range<usize>> {
    let (base, extra) = (b / workers, b % workers);
    let mut start = 0;
    (0..workers)
        .map(|w| {
            let len = base + usize::from(w < extra);
            start += len;
            start - len..start
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_own_disjoint_ranks() {
        let spec = BatchSpec { t: 2, b: 3 };
        let world = World { rank: 2, size: 4 };
        assert_eq!(world.global_b(spec), 12);
        assert_eq!(world.first_rank(spec), EnvRank(6));
        assert_eq!(world.global(LocalSteps(5)), GlobalSteps(20));
    }

    proptest::proptest! {
        #[test]
        fn split_covers_every_column_once(b in 1usize..200, w in 1usize..40) {
            let w = w.min(b);
            let parts = split_columns(b, w);
            let all: Vec<usize> = parts.iter().flat_map(Clone::clone).collect();
            proptest::prop_assert_eq!(all, (0..b).collect::<Vec<_>>());
            let (min, max) = (parts.iter().map(ExactSizeIterator::len).min(), parts.iter().map(ExactSizeIterator::len).max());
            proptest::prop_assert!(max.unwrap() - min.unwrap() <= 1);
        }
    }
}
