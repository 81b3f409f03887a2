//! Draws recorded from the replay of commit ac43c5e, the last before the replay was taken apart:
//! uniform draws must stay the same to the bit, or runs would no longer repeat.
use super::testing::*;
use super::*;
use rand::RngExt;
use rlcore::BatchSpec;
use rlcore::seed::rng;

/// Columns, rows and n of a replay; whether columns wait for their reset; whether the stream is cut;
/// the first cells drawn; a hash of everything drawn.
type Recorded = (usize, usize, usize, bool, bool, [usize; 24], u64);

#[rustfmt::skip]
const RECORDED: [Recorded; 6] = [
    (1, 7, 1, false, false, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 6, 3, 6, 3, 5, 0, 5], 0x1464_65ff_e425_176a),
    (3, 11, 2, false, false, [18, 19, 17, 9, 18, 8, 7, 13, 6, 8, 16, 10, 19, 16, 16, 17, 32, 24, 28, 0, 3, 22, 18, 26], 0x57f6_b735_9215_7a65),
    (2, 9, 3, true, false, [2, 3, 4, 4, 4, 4, 5, 5, 5, 6, 4, 2, 5, 6, 7, 5, 4, 6, 6, 0, 16, 0, 4, 0], 0x54f3_c31b_115c_d1eb),
    (4, 16, 5, true, true, [4, 13, 11, 23, 7, 13, 10, 13, 15, 6, 13, 4, 7, 7, 5, 6, 5, 19, 23, 9, 4, 9, 19, 9], 0x277f_b6ad_5189_bef8),
    (2, 5, 3, true, true, [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 3, 3, 2, 3, 3, 2, 3, 3], 0xdcaa_e084_9263_7360),
    (8, 40, 1, true, false, [32, 29, 29, 21, 22, 10, 15, 10, 29, 10, 23, 29, 30, 16, 21, 21, 24, 101, 96, 101, 99, 102, 13, 21], 0x466f_ef64_1d0a_46ca),
];

/// FNV-1a.
fn mix(hash: &mut u64, bytes: &[u8]) {
    for byte in bytes {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

#[test]
fn draws_are_those_of_before_to_the_bit() {
    for (seed, (columns, rows, n, waits, cutting, cells, expected)) in (0..).zip(RECORDED) {
        let settings = ReplaySettings { size: rows * columns, n_step: n, discount: 0.97 };
        let spec = BatchSpec { t: 1, b: columns };
        let mut replay =
            TransitionReplay::new(&spaces(), spec, settings, Box::new(Uniform)).unwrap();
        let (mut stream, mut draws) = (Stream::default(), rng(seed));
        let (mut first, mut hash) = (Vec::new(), 0xcbf2_9ce4_8422_2325);
        let mut batch = replay.batch::<HostLeaf>(16);
        for round in 0..40 {
            let chunk = draws.random_range(1..=rows);
            stream.extend(&mut draws, chunk, columns, waits);
            replay.append(&stream.block(chunk)).unwrap();
            if cutting && draws.random_range(0..3) == 0 {
                replay.cut();
                stream.cut();
            }
            let mut keys = Vec::new();
            if replay.draw(&mut rng(seed * 100 + round), 16, &mut keys).is_err() {
                mix(&mut hash, b"-");
                continue;
            }
            replay.gather(&keys, &mut batch).unwrap();
            first.extend(keys.iter().map(|key| key.cell));
            for key in &keys {
                mix(&mut hash, &(key.cell as u64).to_le_bytes());
            }
            let Transitions { observation, next_observation, action, .. } = &batch;
            let floats = [&batch.return_, &batch.bootstrap, &observation[0], &next_observation[0]];
            for leaf in floats {
                mix(&mut hash, bytemuck::cast_slice(leaf.get::<f32>()));
            }
            for image in [&observation[1], &next_observation[1]] {
                mix(&mut hash, image.get::<u8>());
            }
            mix(&mut hash, bytemuck::cast_slice(action[0].get::<i64>()));
        }
        assert_eq!(first[..24], cells, "case {seed}");
        assert_eq!(hash, expected, "case {seed}");
    }
}
