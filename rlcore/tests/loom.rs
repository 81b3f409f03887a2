//! Model check of the wake word: run with `RUSTFLAGS="--cfg loom" cargo test -p rlcore --no-default-features --release
//! --test loom`. Every interleaving of two threads is tried: a waiter
//! looks once, and takes the data where it sees the post, or sleeps. A lost wake-up is a deadlock, a missing ordering a stale read.
#![cfg(loom)]
#![allow(missing_docs)]
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use rlcore::patience::Patience;
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
        if s.word.wait(old, &mut Patience::default(), Duration::from_secs(1)).is_some() {
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
        while back.wait(0, &mut Patience::default(), Duration::from_secs(1)).is_none() {}
        assert_eq!(there.data.with(|d| unsafe { *d }), 2);
        t.join().unwrap();
    });
}

/// Two rounds through a gate with two workers. Broken by an arrival that does not acquire, and by a count that is put back
/// after the master is told.
#[test]
fn a_gate_shows_everybodys_data_to_the_master_and_back() {
    use rlcore::gate::Gate;
    let mut model = loom::model::Builder::new();
    // Three threads: all interleavings with up to this many preemptions.
    model.preemption_bound = Some(2);
    model.check(|| {
        let gate = Arc::new(Gate::default());
        let data = Arc::new([Cell(UnsafeCell::new(0)), Cell(UnsafeCell::new(0))]);
        let workers = [0, 1].map(|i| {
            let (gate, data) = (gate.clone(), data.clone());
            loom::thread::spawn(move || {
                data[i].0.with_mut(|d| unsafe { *d = 1 });
                gate.arrive(2);
                while gate.open.wait(0, &mut Patience::default(), Duration::from_secs(1)).is_none()
                {
                }
                data[i].0.with_mut(|d| unsafe { *d += 1 });
                gate.arrive(2);
            })
        });
        for (round, want) in [(0, 1), (1, 11)] {
            while gate.all.wait(round, &mut Patience::default(), Duration::from_secs(1)).is_none() {
            }
            for d in data.iter() {
                d.0.with_mut(|d| unsafe {
                    assert_eq!(*d, want);
                    *d = 10;
                });
            }
            if round == 0 {
                gate.open.post();
            }
        }
        workers.map(|w| w.join().unwrap());
    });
}

struct Cell(UnsafeCell<u32>);
// SAFETY: the gate orders access, which is what the model checks.
unsafe impl Sync for Cell {}
unsafe impl Send for Cell {}
