//! A sequence word on which one process wakes another: watch it for a while, then sleep on a futex, always with a limit after
//! which the caller looks whether its peer is alive.
//!
//! | state | who leaves it | how |
//! |---|---|---|
//! | `seq == old`, no sleeper | poster | stores `seq` (release), fence, reads `sleepers == 0`: no system call |
//! | waiter announces | waiter | `sleepers += 1`, fence, reads `seq` again before it sleeps |
//! | `seq == old`, sleeper | poster | stores `seq`, fence, reads `sleepers > 0`, wakes all; the kernel compares `seq` with `old` under its lock, so a store between the waiter's check and its sleep is seen |
//! | `seq != old` | waiter | `sleepers -= 1`, reads `seq` (acquire) and returns it; data written before the post is visible |
//!
//! Store-then-load on both sides needs a sequentially consistent fence between (Dekker's pattern); the model check
//! `tests/loom.rs` finds the deadlock without it. One poster a word; any number of waiters. A waiter that is killed leaves `sleepers` too high, which
//! costs a needless wake and nothing else. Futexes are the shared kind: the word lies in memory of several processes.
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

/// How long to watch a word before sleeping: a sleeper costs whoever wakes it a system call, and comes late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Patience {
    /// Looks without a pause, some 13 ns each.
    pub spins: u32,
    /// Looks after those, each after all others that want the core have had it.
    pub yields: u32,
}

impl Patience {
    /// Sleeps at once.
    pub const NONE: Self = Self { spins: 0, yields: 0 };
    /// For a waiter with a core to itself, some 350 us: twenty times what a sleep costs. Yields end the spinning early where
    /// the core is not its own after all, since it may be waiting for whoever wants it.
    // PERF: GPU-style, MLP 64-64, B=1024, one worker: 0.90 of the bound, 0.79 where the worker sleeps after 50 us.
    pub const OWN_CORE: Self = Self { spins: 4000, yields: 600 };
    /// For waiters that outnumber the cores and hand over within microseconds; some 400 us on a core that nobody else wants.
    pub const SHARED_CORE: Self = Self { spins: 0, yields: 800 };
}

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

    /// Hands over: everything written before is visible to whoever sees the new number. One poster only.
    pub fn post(&self) {
        let next = self.seq.load(Ordering::Relaxed).wrapping_add(1);
        self.seq.store(next, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.futex_wake();
        }
    }

    /// Waits until the number differs from `old` and returns it, or `None` after `timeout` (or an early wake-up: call again).
    pub fn wait(&self, old: u32, patience: Patience, timeout: Duration) -> Option<u32> {
        for look in 0..patience.spins + patience.yields {
            let now = self.current();
            if now != old {
                return Some(now);
            }
            if look < patience.spins {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.seq.load(Ordering::Relaxed) == old {
            self.futex_wait(old, timeout);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        let now = self.current();
        (now != old).then_some(now)
    }

    /// Waits until the number differs from `old`, calling `check` every `slice` while it does not.
    pub fn wait_checked<E>(
        &self,
        old: u32,
        patience: Patience,
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
        assert_eq!(word.wait(0, Patience { spins: 10, yields: 2 }, Duration::from_millis(1)), None);
        std::thread::scope(|s| {
            s.spawn(|| word.post());
            let got = word
                .wait_checked(0, Patience::NONE, Duration::from_millis(50), || Ok::<(), ()>(()));
            assert_eq!(got, Ok(1));
        });
    }

    #[test]
    fn ping_pong_never_stops() {
        let (ping, pong) = (WakeWord::default(), WakeWord::default());
        std::thread::scope(|s| {
            s.spawn(|| {
                for i in 0..2000 {
                    let _ =
                        ping.wait_checked(i, Patience::SHARED_CORE, Duration::from_secs(1), || {
                            Ok::<(), ()>(())
                        });
                    pong.post();
                }
            });
            for i in 0..2000 {
                ping.post();
                let _ = pong.wait_checked(i, Patience::SHARED_CORE, Duration::from_secs(1), || {
                    Ok::<(), ()>(())
                });
            }
        });
        assert_eq!((ping.current(), pong.current()), (2000, 2000));
    }
}
