//! A sequence word on which one process wakes another: watch it for as long as that pays ([`crate::patience`]), then sleep on a
//! futex, always with a limit after which the caller looks whether its peer is alive.
//!
//! | state | who leaves it | how |
//! |---|---|---|
//! | `seq == old`, no sleeper | poster | stores `seq` (release), fence, reads `sleepers == 0`: no system call |
//! | waiter announces | waiter | `sleepers += 1`, fence, reads `seq` again before it sleeps |
//! | `seq == old`, sleeper | poster | stores `seq`, fence, reads `sleepers > 0`, wakes all; the kernel compares `seq` with `old` under its lock, so a store between the waiter's check and its sleep is seen |
//! | `seq != old` | waiter | `sleepers -= 1`, reads `seq` (acquire) and returns it; data written before the post is visible |
//!
//! Store-then-load on both sides needs a sequentially consistent fence between (Dekker's pattern); the model check
//! `tests/loom.rs` finds the deadlock without it. Single poster per word, any number of waiters. A waiter that is killed leaves `sleepers` too high, which
//! costs a needless wake and nothing else. Futexes are the shared kind: the word lies in memory of several processes.
use crate::patience::Patience;
#[cfg(loom)]
use loom::{
    sync::atomic::{AtomicU32, Ordering, fence},
    thread::yield_now,
};
use std::time::{Duration, Instant};
#[cfg(not(loom))]
use std::{
    sync::atomic::{AtomicU32, Ordering, fence},
    thread::yield_now,
};

/// See the module documentation.
#[derive(Debug)]
#[cfg_attr(not(loom), repr(C))]
pub struct WakeWord {
    /// Number of posts, wrapping; written by the one poster.
    seq: AtomicU32,
    /// Waiters that sleep or are about to; written by waiters.
    sleepers: AtomicU32,
    #[cfg(loom)]
    kernel: (loom::sync::Mutex<()>, loom::sync::Condvar),
}

impl Default for WakeWord {
    fn default() -> Self {
        Self {
            seq: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            #[cfg(loom)]
            kernel: (loom::sync::Mutex::new(()), loom::sync::Condvar::new()),
        }
    }
}

impl WakeWord {
    /// The number of posts so far.
    pub fn current(&self) -> u32 {
        self.seq.load(Ordering::Acquire)
    }

    /// Posts: everything that was written before is visible to a waiter that sees the new number. There must be only one poster.
    pub fn post(&self) {
        let next = self.seq.load(Ordering::Relaxed).wrapping_add(1);
        self.seq.store(next, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.futex_wake();
        }
    }

    /// Waits until the number differs from `old` and returns it, or `None` after `timeout` (or an early wake-up: call again).
    pub fn wait(&self, old: u32, patience: &mut Patience, timeout: Duration) -> Option<u32> {
        let begun = if patience.watches(Instant::now) {
            match self.watch(old, patience) {
                Ok(now) => return Some(now),
                Err(begun) => begun,
            }
        } else {
            Instant::now()
        };
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.seq.load(Ordering::Relaxed) == old {
            self.futex_wait(old, timeout);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        patience.slept(begun.elapsed());
        let now = self.current();
        (now != old).then_some(now)
    }

    /// Looks and yields until the number differs from `old`; if that takes too long, returns the time of the first yield as an error.
    fn watch(&self, old: u32, patience: &mut Patience) -> Result<u32, Instant> {
        // When the watch began, and when its last yield ended.
        let mut times: Option<(Instant, Instant)> = None;
        loop {
            let looks = patience.looks();
            for _ in 0..looks {
                let now = self.current();
                if now != old {
                    patience.saw();
                    return Ok(now);
                }
                std::hint::spin_loop();
            }
            let (begun, before) = match times {
                // The clock costs as much as two looks.
                Some((begun, last)) if looks == 1 => (begun, last),
                times => {
                    let now = Instant::now();
                    (times.map_or(now, |(begun, _)| begun), now)
                }
            };
            yield_now();
            let now = Instant::now();
            if !patience.yielded(begun, before, now) {
                return Err(begun);
            }
            times = Some((begun, now));
        }
    }

    /// Waits until the number differs from `old`, calling `check` every `slice` while it does not.
    pub fn wait_checked<E>(
        &self,
        old: u32,
        patience: &mut Patience,
        slice: Duration,
        mut check: impl FnMut() -> Result<(), E>,
    ) -> Result<u32, E> {
        loop {
            if let Some(now) = self.wait(old, patience, slice) {
                return Ok(now);
            }
            check()?;
        }
    }

    #[cfg(not(loom))]
    fn futex_wait(&self, old: u32, timeout: Duration) {
        use rustix::thread::futex;
        let limit = futex::Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        // Time-out, interruption and a changed word all mean: look again.
        let _ = futex::wait(&self.seq, futex::Flags::empty(), old, Some(&limit));
    }

    #[cfg(not(loom))]
    fn futex_wake(&self) {
        use rustix::thread::futex;
        let _ = futex::wake(&self.seq, futex::Flags::empty(), i32::MAX as u32);
    }

    #[cfg(loom)]
    fn futex_wait(&self, old: u32, _timeout: Duration) {
        let guard = self.kernel.0.lock().expect("model");
        if self.seq.load(Ordering::Relaxed) == old {
            // The model has no time-out: a lost wake-up shows as a deadlock.
            drop(self.kernel.1.wait(guard).expect("model"));
        }
    }

    #[cfg(loom)]
    fn futex_wake(&self) {
        let _guard = self.kernel.0.lock().expect("model");
        self.kernel.1.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wait_without_a_post_ends_and_one_with_a_post_returns_it() {
        let word = WakeWord::default();
        assert_eq!(word.wait(0, &mut Patience::default(), Duration::from_millis(1)), None);
        std::thread::scope(|s| {
            s.spawn(|| word.post());
            let got =
                word.wait_checked(0, &mut Patience::default(), Duration::from_millis(50), || {
                    Ok::<(), ()>(())
                });
            assert_eq!(got, Ok(1));
        });
    }

    #[test]
    fn ping_pong_never_stops() {
        let (ping, pong) = (WakeWord::default(), WakeWord::default());
        std::thread::scope(|s| {
            s.spawn(|| {
                for i in 0..2000 {
                    let _ = ping.wait_checked(
                        i,
                        &mut Patience::default(),
                        Duration::from_secs(1),
                        || Ok::<(), ()>(()),
                    );
                    pong.post();
                }
            });
            for i in 0..2000 {
                ping.post();
                let _ =
                    pong.wait_checked(i, &mut Patience::default(), Duration::from_secs(1), || {
                        Ok::<(), ()>(())
                    });
            }
        });
        assert_eq!((ping.current(), pong.current()), (2000, 2000));
    }
}
