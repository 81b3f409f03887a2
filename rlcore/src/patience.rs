//! What a waiter does before its post comes: look again and again, yield its core between looks, or sleep at once.
//!
//! A hand-over costs 0.2 us where the waiter looks on a core of its own, 1.3 us where it yields the core to the process that it
//! waits for, and 3 to 30 us where it sleeps and has to be woken. But a look keeps the core from others, and a yield beside a
//! process that only computes gives away a whole time slice (some 4 ms), because the kernel takes a yield as a refusal to run. A
//! sleeper gives nothing away: once woken it runs before a process that has had its share, and on a core where it can.
//!
//! So a waiter measures how long its yields and its waits take, and nothing else: neither the number of CPUs nor who runs on
//! them. Unlike a count taken at the start, this also sees a browser, a second run, and the threads of a learner.
//!
//! | what a wait showed | what it means | what the next waits do |
//! |---|---|---|
//! | a yield returned at once | no other process wants this core | twice as many looks before the next yield |
//! | a yield let another process run | processes share this core | one look between yields |
//! | one yield took longer than `WATCH` | whoever ran does not hand over | sleep at once, for `REST` times as long; twice as long as the last time if no watch saw a post since; at most `LONGEST_REST` |
//! | the post took longer than `WATCH` | watching is not worth its CPU time | sleep at once, until a post comes sooner |
use std::time::{Duration, Instant};

/// Most looks between two yields, about 13 us: the longest that another process waits for a core that only this waiter used.
const MOST_LOOKS: u32 = 1024;

/// A yield that takes longer has let another process run; a yield that returns at once takes 0.5 us.
const SWITCHED: Duration = Duration::from_nanos(1500);

/// How long a waiter watches at most. Being woken adds at most some 5% to a wait of this length.
// PERF: GPU-style, MLP 64-64, B=1024, one worker: 0.90 of the bound, 0.79 where the worker sleeps after 50 us.
const WATCH: Duration = Duration::from_micros(500);

/// Rest after a yield that took too long, in lengths of that yield: such yields take at most a fifth of the time.
const REST: u32 = 4;

/// Longest time for which waits sleep at once before a waiter watches again.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What one waiter has learned from its waits; see the module documentation. Each waiter has one, in its own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Before the next yield; 0 is taken as 1.
    looks: u32,
    /// The last wait was longer than [`WATCH`].
    late: bool,
    /// No watch begins before.
    rest_until: Option<Instant>,
    /// Length of the last rest; zero once a watch has seen a post.
    rest: Duration,
}

impl Patience {
    /// Whether to watch the word before sleeping. Reads the clock only in a rest.
    pub(crate) fn watches(&mut self, clock: impl FnOnce() -> Instant) -> bool {
        // The model checker has no clock: it tries a look that sees the post, and one after which the waiter sleeps.
        if cfg!(loom) {
            return true;
        }
        if self.rest_until.is_some_and(|until| clock() < until) {
            return false;
        }
        self.rest_until = None;
        !self.late
    }

    /// Looks before the next yield.
    pub(crate) fn looks(&self) -> u32 {
        self.looks.max(1)
    }

    /// Takes note of a watch that saw the post.
    pub(crate) fn saw(&mut self) {
        self.rest = Duration::ZERO;
    }

    /// Takes note of a yield from `before` to `now`, in a watch that began at `begun`. Whether to go on watching.
    pub(crate) fn yielded(&mut self, begun: Instant, before: Instant, now: Instant) -> bool {
        if cfg!(loom) {
            return false;
        }
        let took = now - before;
        self.looks = if took > SWITCHED { 1 } else { (self.looks() * 2).min(MOST_LOOKS) };
        if took > WATCH {
            self.rest = (self.rest * 2).max(took * REST).min(LONGEST_REST);
            self.rest_until = Some(now + self.rest);
            return false;
        }
        now - begun <= WATCH
    }

    /// Takes note of a wait of this length, which ended with a sleep.
    pub(crate) fn slept(&mut self, waited: Duration) {
        self.late = waited > WATCH;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    /// A waiter in made-up time.
    struct Waiter {
        patience: Patience,
        now: Instant,
    }

    impl Waiter {
        fn new() -> Self {
            Self { patience: Patience::default(), now: Instant::now() }
        }

        fn watches(&mut self) -> bool {
            let now = self.now;
            self.patience.watches(|| now)
        }

        /// A yield of this length at the beginning of a watch. Whether to go on.
        fn yields(&mut self, length: Duration) -> bool {
            let before = self.now;
            self.now += length;
            self.patience.yielded(before, before, self.now)
        }
    }

    #[test]
    fn looks_double_while_the_core_is_free_and_end_when_it_is_shared() {
        let mut w = Waiter::new();
        let mut looks = vec![w.patience.looks()];
        for _ in 0..12 {
            assert!(w.yields(US / 2));
            looks.push(w.patience.looks());
        }
        assert_eq!(looks, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
        assert!(w.yields(US * 3));
        assert_eq!(w.patience.looks(), 1);
        assert!(w.watches(), "sharing a core with whoever hands over is no reason to sleep");
    }

    #[test]
    fn a_yield_that_costs_a_time_slice_is_followed_by_a_rest_that_doubles_until_a_watch_sees_a_post()
     {
        let mut w = Waiter::new();
        let slice = US * 4000;
        for rest in [4, 8, 16, 32, 64, 128] {
            assert!(!w.yields(slice));
            w.now += slice * (rest - 1);
            assert!(!w.watches(), "in the rest of {rest} slices");
            w.now += slice;
            assert!(w.watches(), "after the rest of {rest} slices");
        }
        (0..10).for_each(|_| _ = w.yields(slice));
        w.now += LONGEST_REST;
        assert!(w.watches());
        w.patience.saw();
        assert!(!w.yields(slice));
        w.now += slice * 4;
        assert!(w.watches(), "the rest is short again");
    }

    #[test]
    fn whoever_waited_long_sleeps_at_once_until_a_post_comes_soon() {
        let mut w = Waiter::new();
        let begun = w.now;
        let before = begun + WATCH;
        w.now = before + US;
        assert!(!w.patience.yielded(begun, before, w.now), "watched for long enough");
        assert!(w.watches(), "nobody has said yet how long the wait was");
        w.patience.slept(WATCH * 3);
        assert!(!w.watches());
        w.patience.slept(WATCH * 2);
        assert!(!w.watches());
        w.patience.slept(US * 20);
        assert!(w.watches());
    }
}
