//! Random streams: one run seed, and one independent stream per (role, index).
//!
//! Adding a rank to a seed makes neighbouring runs overlap (rlpyt gives 16 environments on 4 workers 7 distinct seeds);
//! here the triple is mixed by SplitMix64's finaliser (Steele, Lea, Flood 2014), so streams never coincide in practice.
use rand::SeedableRng;

/// The generator of all random streams: fixed algorithm, serialisable state.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// The purpose of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Role {
    /// Training environments, by env rank.
    Env = 1,
    /// Acting draws while sampling, by env rank.
    Act = 2,
    /// Evaluation environments, by evaluation number and env rank.
    EvalEnv = 3,
    /// Acting draws while evaluating, by evaluation number and env rank.
    EvalAct = 4,
    /// Initial weights.
    Init = 5,
    /// Learner draws (replay indices), by update number.
    Learner = 6,
    /// Random steps before the first batch, by env rank.
    Decorrelate = 7,
}

/// The series of evaluations. Each series has its own numbers, so that no two evaluations play the same episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalSeries {
    /// Evaluations during training, by the number of evaluations before.
    Training(u64),
    /// Re-evaluations on fresh episodes before training stops at a return, by the number of evaluations before.
    Confirmation(u64),
    /// Evaluations of a trained agent, by a number that the user gives.
    Fresh(u32),
    /// Evaluations in tests that training works.
    Check(u64),
}

impl EvalSeries {
    /// The number that seeds the streams together with the env rank: `major` of [`seed_of_pair`].
    pub fn number(self) -> u64 {
        match self {
            Self::Training(n) => n,
            Self::Fresh(n) => (1 << 32) + u64::from(n),
            Self::Confirmation(n) => (1 << 33) + n,
            Self::Check(n) => (1 << 40) + n,
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The seed of stream `index` of `role` in the run `run_seed`.
pub fn seed_of(run_seed: u64, role: Role, index: u64) -> u64 {
    mix(mix(mix(run_seed) ^ role as u64) ^ index)
}

/// As [`seed_of`], for streams numbered by a pair (evaluation number, env rank).
pub fn seed_of_pair(run_seed: u64, role: Role, major: u64, minor: u64) -> u64 {
    mix(seed_of(run_seed, role, major) ^ minor)
}

/// A generator started from `seed`.
pub fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn series_of_evaluations_are_apart() {
        let most = u64::from(u32::MAX);
        let ranges = [
            [EvalSeries::Training(0), EvalSeries::Training(most)],
            [EvalSeries::Fresh(0), EvalSeries::Fresh(u32::MAX)],
            [EvalSeries::Confirmation(0), EvalSeries::Confirmation(most)],
            [EvalSeries::Check(0), EvalSeries::Check(most)],
        ];
        let numbers: Vec<u64> = ranges.iter().flatten().map(|s| s.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn streams_of_neighbouring_runs_are_distinct() {
        let mut seen = HashSet::new();
        for run in 0..8 {
            for role in [
                Role::Env,
                Role::Act,
                Role::EvalEnv,
                Role::EvalAct,
                Role::Init,
                Role::Learner,
                Role::Decorrelate,
            ] {
                for index in 0..64 {
                    assert!(seen.insert(seed_of(run, role, index)));
                }
            }
        }
    }
}
