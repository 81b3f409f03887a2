//! Estimates a run's present speed and remaining time.
//!
//! Steps and seconds are summed with exponentially decaying weights, whose time constant is [`MEMORY`]. The ratio of two such
//! sums needs no bias correction at the start, and each iteration has a weight in proportion to its duration.

/// Time constant of the estimate, seconds.
const MEMORY: f64 = 10.0;

/// See the module documentation. All times are seconds since the start of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    last: Option<(u64, f64, f64)>,
    steps: f64,
    seconds: f64,
    training: f64,
}

impl Speed {
    /// Reports that the run has made `env_steps` in `seconds`, of which `training` seconds were not spent on evaluation. The first
    /// call sets the starting point.
    pub(crate) fn seen(&mut self, env_steps: u64, seconds: f64, training: f64) {
        if let Some((steps, before, trained)) = self.last {
            let kept = (-(seconds - before) / MEMORY).exp();
            self.steps = self.steps * kept + env_steps.saturating_sub(steps) as f64;
            self.seconds = self.seconds * kept + seconds - before;
            self.training = self.training * kept + training - trained;
        }
        self.last = Some((env_steps, seconds, training));
    }

    /// Environment steps per second of training, evaluation excluded.
    pub(crate) fn steps_per_second(&self) -> Option<f64> {
        (self.training > 0.0).then(|| self.steps / self.training)
    }

    /// Estimated seconds for `steps` more environment steps, evaluation included.
    pub(crate) fn seconds_for(&self, steps: u64) -> Option<f64> {
        (self.steps > 0.0).then(|| steps as f64 * self.seconds / self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_take_time_but_no_speed() {
        let mut speed = Speed::default();
        assert_eq!((speed.steps_per_second(), speed.seconds_for(1)), (None, None));
        // A resumed run: what was before says nothing about now.
        speed.seen(1_000_000, 5.0, 4.0);
        assert_eq!((speed.steps_per_second(), speed.seconds_for(1)), (None, None));
        for i in 1..=100u64 {
            speed.seen(1_000_000 + 50 * i, 5.0 + i as f64, 4.0 + 0.5 * i as f64);
        }
        assert!((speed.steps_per_second().unwrap() - 100.0).abs() < 1e-9);
        assert!((speed.seconds_for(500).unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_change_is_followed() {
        let mut speed = Speed::default();
        let (mut steps, mut time) = (0, 0.0);
        let mut go = |rate: u64, seconds: u64| {
            for _ in 0..seconds * 10 {
                speed.seen(steps, time, time);
                steps += rate / 10;
                time += 0.1;
            }
            speed.steps_per_second().unwrap()
        };
        assert!((go(1000, 5) - 1000.0).abs() < 1e-6);
        let soon = go(100, 7);
        assert!(soon > 200.0 && soon < 700.0, "{soon}");
        let later = go(100, 60);
        assert!((later - 100.0).abs() < 5.0, "{later}");
    }
}
