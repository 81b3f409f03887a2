//! How a step ended, in the form that the replay stores.
use rlcore::block::{Columns, flag};

/// How a step ended. One value: a step that is both terminated and truncated counts as terminated, and a
/// skipped step is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The next row continues the episode.
    Running = 0,
    /// The value of what follows is zero. Includes lost lives, after which the episode goes on without
    /// a reset.
    Terminated = 1,
    /// The episode was cut off; the value of what follows is that of the step's own final observation.
    Truncated = 2,
    /// The step did not happen (its environment waited for a reset), or its successor was lost. It is
    /// never drawn.
    Skipped = 3,
}

impl Outcome {
    /// The outcome that a byte of the store encodes; bytes above 3 are never stored.
    #[inline]
    pub(super) fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Running,
            1 => Self::Terminated,
            2 => Self::Truncated,
            _ => Self::Skipped,
        }
    }

    /// Number of the stored bytes that encode this outcome.
    pub(super) fn count_in(self, outcomes: &[u8]) -> usize {
        outcomes.iter().map(|byte| usize::from(*byte == self as u8)).sum()
    }

    #[inline]
    fn of_flags(valid: bool, terminated: bool, truncated: bool) -> Self {
        if !valid {
            Self::Skipped
        } else if terminated {
            Self::Terminated
        } else if truncated {
            Self::Truncated
        } else {
            Self::Running
        }
    }
}

/// How the step of each column at time `t` of a block ended.
pub(super) fn outcomes(samples: &Columns, t: usize) -> impl Iterator<Item = Outcome> {
    let flags = |leaf| samples.flags.row(t).get::<u8>(leaf).iter().map(|flag| *flag != 0);
    let ends = flags(flag::TERMINATED).zip(flags(flag::TRUNCATED));
    flags(flag::VALID)
        .zip(ends)
        .map(|(valid, (terminated, truncated))| Outcome::of_flags(valid, terminated, truncated))
}
