//! Model check of the wake word: run with `RUSTFLAGS="--cfg loom" cargo test -p rlcore --no-default-features --release
//! --test loom`. Every interleaving of two threads is tried; a lost wake-up is a deadlock, a missing ordering a stale read.
#![cfg(loom)]
#![allow(missing_docs)]
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use rlcore::wake::WakeWord;
use std::time::Duration;

struct Shared {
    word: WakeWord,
    data: UnsafeCell<u32>,
}
// SAFETY: the word orders access to the data, which is what the model checks.
unsafe impl Sync for Shared {}
unsafe impl Send for Shared {}

fn take(s: &Shared, old: u32) -> u32 {
    loop {
        if s.word.wait(old, 1, Duration::from_secs(1)).is_some() {
            return s.data.with(|d| unsafe { *d });
        }
    }
}

#[test]
fn a_post_wakes_the_waiter_and_shows_the_data() {
    loom::model(|| {
        let s = Arc::new(Shared { word: WakeWord::default(), data: UnsafeCell::new(0) });
        let poster = s.clone();
        let t = loom::thread::spawn(move || {
            poster.data.with_mut(|d| unsafe { *d = 7 });
            poster.word.post();
        });
        assert_eq!(take(&s, 0), 7);
        t.join().unwrap();
    });
}

#[test]
fn a_round_trip_hands_the_data_back() {
    loom::model(|| {
        let there = Arc::new(Shared { word: WakeWord::default(), data: UnsafeCell::new(0) });
        let back = Arc::new(WakeWord::default());
        let (t2, b2) = (there.clone(), back.clone());
        let t = loom::thread::spawn(move || {
            let v = take(&t2, 0);
            t2.data.with_mut(|d| unsafe { *d = v + 1 });
            b2.post();
        });
        there.data.with_mut(|d| unsafe { *d = 1 });
        there.word.post();
        while back.wait(0, 1, Duration::from_secs(1)).is_none() {}
        assert_eq!(there.data.with(|d| unsafe { *d }), 2);
        t.join().unwrap();
    });
}
