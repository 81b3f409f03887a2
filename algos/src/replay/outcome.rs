//! How a step ended, as the replay keeps it.
use rlcore::block::{Columns, flag};

/// How a step ended. One value, since terminated beats truncated and a skipped step is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The next row continues the episode.
    Running = 0,
    /// The value of what follows is zero; also a lost life, which goes on without a reset.
    Terminated = 1,
    /// Cut off; what follows has the value of the step's own final observation.
    Truncated = 2,
    /// The step did not happen (its environment waited for a reset), or what followed it was lost:
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

    /// How many steps of the stored bytes ended so.
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
