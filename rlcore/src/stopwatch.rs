//! A clock for waiting on another process, which excludes time in which the whole run was stopped (Ctrl-Z, SIGSTOP).
use std::time::{Duration, Instant};

/// Most time that is counted between two looks, which normally come every 20 to 200 ms.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// Adds up the time between looks. A longer gap counts as `LONGEST_GAP`: the looking process was stopped (by Ctrl-Z or a scheduler's
/// SIGSTOP), and so, most likely, was the process that it waits for. A worker that is stopped alone is still detected.
#[derive(Debug)]
pub struct Stopwatch {
    looked: Instant,
    sum: Duration,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self { looked: Instant::now(), sum: Duration::ZERO }
    }

    /// Seconds since the start.
    pub fn look(&mut self) -> f64 {
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> f64 {
        self.sum += (now - self.looked).min(LONGEST_GAP);
        self.looked = now;
        self.sum.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut watch = Stopwatch::start();
        let begun = watch.looked;
        let seconds = |watch: &mut Stopwatch, ms: u64| {
            (watch.look_at(begun + Duration::from_millis(ms)) * 1e3).round() as u64
        };
        assert_eq!(seconds(&mut watch, 20), 20);
        assert_eq!(seconds(&mut watch, 220), 220);
        // Stopped for an hour.
        assert_eq!(seconds(&mut watch, 3_600_220), 470);
        assert_eq!(seconds(&mut watch, 3_600_240), 490);
    }
}
