//! The replay against rlpyt's own samples.
use super::testing::{self, empty_block, set_step};
use super::*;
use ::golden::{cases, numbers, size};
use rlcore::block::Part;
use rlcore::seed::rng;
use rlcore::{BatchSpec, DType, EnvSpaces, Space};
use std::collections::BTreeSet;

/// Every valid index of several snapshots (vector observations only: frames come later).
#[test]
fn golden_samples() {
    let mut seen = 0;
    for case in cases("replay_uniform").iter().filter(|c| c["frames"] == 0) {
        let (b, n, wide) = (size(&case["B"]), size(&case["n"]), size(&case["action_dim"]));
        let action = if wide == 0 {
            Space::Discrete { n: 1000 }
        } else {
            Space::uniform_box(DType::F32, &[wide], -1e9, 1e9)
        };
        let spaces = EnvSpaces::new(Space::uniform_box(DType::F32, &[2], -1e9, 1e9), action);
        let settings = ReplaySettings {
            size: size(&case["size"]),
            n_step: n,
            discount: case["gamma"].as_f64().unwrap(),
        };
        let spec = BatchSpec { t: 1, b };
        let mut replay = TransitionReplay::new(&spaces, spec, settings, Box::new(Uniform)).unwrap();
        assert_eq!(replay.store().rows(), size(&case["T_ring"]));
        let mut first = 0;
        for (i, chunk) in case["chunks"].as_array().unwrap().iter().map(size).enumerate() {
            let mut block = empty_block(&spaces, chunk, b);
            for t in 0..chunk {
                let row = |key: &str| numbers(&case["stream"][key][first + t]);
                for (value, x) in row("observation").iter().enumerate() {
                    block.observation.row_mut(t).get::<f32>(0)[value] = *x as f32;
                }
                for (value, x) in row("action").iter().enumerate() {
                    match wide {
                        0 => block.action.row_mut(t).get::<i64>(0)[value] = *x as i64,
                        _ => block.action.row_mut(t).get::<f32>(0)[value] = *x as f32,
                    }
                }
                for column in 0..b {
                    let done = row("done")[column] != 0.0;
                    let outcome = if done { Outcome::Terminated } else { Outcome::Running };
                    let reward = row("reward")[column] as f32;
                    set_step(&mut block, t, column, testing::Step { reward, outcome });
                }
            }
            replay.append(&block).unwrap();
            first += chunk;
            let snapshots = case["snapshots"].as_array().unwrap();
            if let Some(snapshot) = snapshots.iter().find(|s| size(&s["appends"]) == i + 1) {
                golden_snapshot(&mut replay, snapshot, b);
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 20);
}

fn golden_snapshot(replay: &mut TransitionReplay, snapshot: &serde_json::Value, b: usize) {
    let store = replay.store();
    assert_eq!(store.cursor(), size(&snapshot["cursor"]));
    assert_eq!(store.is_full(), size(&snapshot["full"]) != 0);
    let rows: BTreeSet<usize> = snapshot["valid_T"].as_array().unwrap().iter().map(size).collect();
    let valid: BTreeSet<_> = rows.iter().flat_map(|t| (0..b).map(move |c| t * b + c)).collect();
    assert_eq!(replay.drawable().cells().collect::<BTreeSet<_>>(), valid);
    assert_eq!(replay.drawable().len(), valid.len());
    if valid.is_empty() {
        return;
    }
    let samples = &snapshot["samples"];
    let column = |key: &str| numbers(&samples[key]);
    let at: Vec<(usize, usize)> = column("T_idx")
        .iter()
        .zip(column("B_idx"))
        .map(|(t, b)| (*t as usize, b as usize))
        .collect();
    for (i, (t, c)) in at.iter().enumerate() {
        let cell = t * b + c;
        assert_eq!(store.outcome_at(cell) != Outcome::Running, column("done")[i] != 0.0);
        let before = store.previous(*t, *c);
        let reward = before.map_or(0.0, |p| store.reward_at(p * b + c));
        assert_eq!(reward as f64, column("prev_reward")[i]);
        let want = numbers(&samples["prev_action"][i]);
        let action = before.map(|p| store.bytes_of(Part::Action, "action", p, *c).unwrap());
        let action = action.map_or(vec![0.0; want.len()], |bytes| match bytes.len() {
            8 if want.len() == 1 => vec![i64::from_ne_bytes(bytes.try_into().unwrap()) as f64],
            _ => bytes
                .chunks_exact(4)
                .map(|b| f32::from_ne_bytes(b.try_into().unwrap()) as f64)
                .collect(),
        });
        assert_eq!(action, want);
        assert_eq!(replay.window(cell).end != Outcome::Running, column("done_n")[i] != 0.0);
    }
    // Enough draws to meet every index; each is looked up in the golden list.
    let (mut keys, mut drawn) = (Vec::new(), replay.batch::<tch::Tensor>(400));
    replay.draw(&mut rng(9), 400, &mut keys).unwrap();
    replay.gather(&keys, &mut drawn).unwrap();
    let mut met = BTreeSet::new();
    for (i, key) in keys.iter().enumerate() {
        let found = at.iter().position(|x| *x == replay.row_and_column(*key)).unwrap();
        met.insert(found);
        let row = |key: &str| numbers(&samples[key][found]);
        let got = |t: &tch::Tensor| numbers_of(&t.get(i as i64));
        assert_eq!(got(&drawn.observation[0]), row("observation"));
        assert_eq!(got(&drawn.action[0]), row("action"));
        let (want, got_return) = (column("return_")[found], got(&drawn.return_)[0]);
        assert!((want - got_return).abs() <= 1e-5 * (1.0 + want.abs()));
        if column("done_n")[found] == 0.0 {
            assert_eq!(got(&drawn.next_observation[0]), row("target_observation"));
        } else {
            assert_eq!(got(&drawn.bootstrap)[0], 0.0);
        }
    }
    assert_eq!(met.len(), at.len());
}

fn numbers_of(t: &tch::Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(t.to_kind(tch::Kind::Double).view(-1)).unwrap()
}
