//! A store of every kind of leaf against the stream that it was fed.
use super::leaf::StoredLeaf;
use super::store::Store;
use super::testing::{Step, set_step, values};
use super::{Outcome, ReplayError};
use proptest::prelude::*;
use rand::RngExt;
use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, Part};
use rlcore::seed::rng;
use rlcore::{BatchSpec, DType, EnvSpaces, LeafSpec, Space};

fn spaces() -> EnvSpaces {
    let observation = Space::uniform_box(DType::U8, &[3], 0.0, 255.0);
    EnvSpaces::new(observation, Space::Discrete { n: 1_000_000 })
}

fn agent() -> AgentSchema {
    AgentSchema {
        info: vec![LeafSpec::scalar("value", DType::F32), LeafSpec::array("q", DType::F64, &[2])],
        state: vec![LeafSpec::array("h", DType::F32, &[3])],
    }
}

/// One leaf of most parts, `q` without the `value` before it, and the state every k steps.
fn leaves(k: usize) -> Vec<StoredLeaf> {
    let layout = layout(BatchSpec { t: k, b: 1 }, k);
    let all = |part: Part| StoredLeaf::each_step(part, &layout.part(part).leaves);
    let parts = [Part::Observation, Part::Action, Part::PrevAction, Part::PrevReward];
    let mut leaves: Vec<_> = parts.into_iter().flat_map(all).collect();
    leaves.extend(all(Part::AgentInfo).filter(|leaf| leaf.spec.name == "q"));
    let state = all(Part::AgentState).map(|leaf| StoredLeaf { every: k, ..leaf });
    leaves.extend(state);
    leaves
}

fn layout(spec: BatchSpec, k: usize) -> Layout {
    let options = BlockOptions { state_interval: k, bootstrap_value: false };
    Layout::new(spec, &spaces(), &agent(), options)
}

/// What each leaf holds at one step: a number of its own.
fn action(s: usize, column: usize) -> i64 {
    (s * 10 + column) as i64
}

/// Steps `first..first + t` of a stream whose column c is done at the steps that `done` says.
fn block(
    first: usize,
    t: usize,
    b: usize,
    k: usize,
    done: impl Fn(usize, usize) -> bool,
) -> Columns {
    let mut block = Columns::owned(&layout(BatchSpec { t, b }, k));
    for i in 0..t {
        for c in 0..b {
            let (s, x) = (first + i, action(first + i, c));
            let outcome = if done(s, c) { Outcome::Terminated } else { Outcome::Running };
            set_step(&mut block, i, c, Step { reward: x as f32, outcome });
            block.observation.cell_mut(i, c).u8(0).fill(x as u8);
            block.action.cell_mut(i, c).i64(0)[0] = x;
            if s > 0 && !done(s - 1, c) {
                block.prev_action.cell_mut(i, c).i64(0)[0] = action(s - 1, c);
                block.prev_reward.cell_mut(i, c).f32(0)[0] = action(s - 1, c) as f32;
            }
            block.agent_info.cell_mut(i, c).f64(1).fill(x as f64 + 0.5);
            if i % k == 0 {
                block.agent_state.cell_mut(i / k, c).f32(0).fill(x as f32 + 0.25);
            }
        }
    }
    block
}

proptest! {
    #[test]
    fn every_leaf_holds_its_step(
        seed: u64, k in 1usize..5, intervals in 1usize..6, b in 1usize..4,
    ) {
        let (rows, mut draws, mut head) = (k * intervals, rng(seed), 0);
        let mut store = Store::new(BatchSpec { t: k, b }, rows, leaves(k), false).unwrap();
        let done = |s: usize, c: usize| (s * 7 + c * 3 + seed as usize % 5).is_multiple_of(4);
        for _ in 0..12 {
            let steps = k * draws.random_range(1..=intervals);
            store.append(&block(head, steps, b, k, done)).unwrap();
            head += steps;
            for s in head.saturating_sub(rows)..head {
                for c in 0..b {
                    let (row, x) = (s % rows, action(s, c));
                    let bytes = |part, name| store.bytes_of(part, name, row, c).unwrap();
                    let floats = |part, name| -> Vec<f32> {
                        values(bytes(part, name))
                    };
                    prop_assert_eq!(bytes(Part::Observation, "observation"), [x as u8; 3]);
                    prop_assert_eq!(bytes(Part::Action, "action"), x.to_ne_bytes());
                    let q = bytes(Part::AgentInfo, "q");
                    prop_assert_eq!(values::<f64>(q), [x as f64 + 0.5; 2]);
                    let h = action(s - s % k, c) as f32 + 0.25;
                    prop_assert_eq!(floats(Part::AgentState, "h"), [h; 3]);
                    let null = s == 0 || done(s - 1, c);
                    let before = if null { 0 } else { action(s - 1, c) };
                    let kept = bytes(Part::PrevAction, "prev_action");
                    prop_assert_eq!(kept, before.to_ne_bytes());
                    prop_assert_eq!(floats(Part::PrevReward, "prev_reward"), [before as f32]);
                    if s > head.saturating_sub(rows) {
                        let row = store.previous(row, c);
                        prop_assert_eq!(row.is_none(), null);
                        let action = row.map(|row| store.bytes_of(Part::Action, "action", row, c));
                        prop_assert!(action.is_none_or(|bytes| bytes.unwrap() == kept));
                    }
                }
            }
        }
        prop_assert!(store.bytes_of(Part::AgentInfo, "value", 0, 0).is_none());
    }
}

#[test]
fn intervals_that_do_not_divide_say_what_to_change() {
    let refused = |t, rows| Store::new(BatchSpec { t, b: 2 }, rows, leaves(4), false).unwrap_err();
    let text = refused(6, 8).to_string();
    assert!(text.contains("`h` is stored every 4 time steps, but a batch has 6"), "{text}");
    assert!(text.contains("make that a multiple of 4"), "{text}");
    assert!(refused(8, 10).to_string().contains("but the ring has 10 time steps"));

    let mut store = Store::new(BatchSpec { t: 4, b: 2 }, 8, leaves(4), false).unwrap();
    let none = |_, _| false;
    assert!(matches!(
        store.append(&block(0, 6, 2, 2, none)),
        Err(ReplayError::Interval { every: 4, steps: 6, .. })
    ));
    let text = store.append(&block(0, 4, 2, 2, none)).unwrap_err().to_string();
    assert!(text.contains("1 rows in 4 time steps, but the block recorded 2"), "{text}");
    assert_eq!(store.head(), 0);
    store.append(&block(0, 4, 2, 4, none)).unwrap();
}
