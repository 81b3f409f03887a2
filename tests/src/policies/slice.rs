//! A policy that uses plain slices and no libtorch.
use super::draw;
use agents::model::action_count;
use agents::{ActIo, Agent, AgentContext, AgentError, MakeAgent, Phase, Seen};
use rlcore::block::AgentSchema;
use rlcore::{DType, LeafSpec, Space};
use serde::{Deserialize, Serialize};

/// A policy that depends on every byte of its input: observation, previous action and reward, recurrent state, phase and random
/// stream. A row does not depend on other rows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct SlicePolicy {}

/// See [`SlicePolicy`].
#[derive(Debug)]
pub struct SliceAgent {
    /// Number of discrete actions; `None` for a box.
    actions: Option<u64>,
    mask: Option<usize>,
}

impl MakeAgent for SlicePolicy {
    type Agent = SliceAgent;

    fn make(&self, context: &AgentContext) -> Result<SliceAgent, AgentError> {
        let actions = match &context.spaces.action {
            Space::Box(_) => None,
            _ => Some(action_count(&context.spaces)? as u64),
        };
        Ok(SliceAgent { actions, mask: context.spaces.action_mask })
    }
}

fn hash(mut h: u64, bytes: &[u8]) -> u64 {
    for b in bytes {
        h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    h
}

impl Agent for SliceAgent {
    fn schema(&self) -> AgentSchema {
        AgentSchema {
            info: vec![LeafSpec::array("seen", DType::I64, &[2])],
            state: vec![
                LeafSpec::array("count", DType::F32, &[2]),
                LeafSpec::scalar("hash", DType::I64),
            ],
        }
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        for c in 0..io.rng.len() {
            let mut state = io.state.cell(c);
            let carried = state.i64(1)[0];
            let mut h = hash(0xcbf2_9ce4_8422_2325, &carried.to_le_bytes());
            for leaf in 0..io.seen.observation.leaves() {
                h = hash(h, io.seen.observation.cell(c).bytes(leaf));
            }
            h = hash(h, io.seen.prev_action.cell(c).bytes(0));
            h = hash(h, &io.seen.prev_reward[c].to_le_bytes());
            h = hash(h, &state.f32(0)[0].to_le_bytes());
            if let Phase::Sample { now } = phase {
                h = hash(h, &now.0.to_le_bytes());
            }
            state.f32(0)[0] += 1.0;
            state.i64(1)[0] = h as i64;
            io.info.cell(c).i64(0).copy_from_slice(&[h as i64, carried]);
            let drawn = h ^ draw(&mut io.rng[c], 1 << 40);
            let Some(actions) = self.actions else {
                // Multiples of 1/256 within +-2.
                let bits = (0..).map(|i| (drawn >> (i % 8)) % 1024);
                let mut cell = io.action.cell(c);
                let values = cell.f32(0).iter_mut().zip(bits);
                values.for_each(|(a, bits)| *a = (bits as f32 - 512.0) / 256.0);
                continue;
            };
            let pick = drawn % actions;
            let pick = match self.mask {
                Some(leaf) => {
                    let allowed = io.seen.observation.cell(c).u8(leaf);
                    let n = allowed.len() as u64;
                    (0..n).map(|i| (pick + i) % n).find(|a| allowed[*a as usize] != 0).unwrap_or(0)
                }
                None => pick,
            };
            io.action.cell(c).i64(0)[0] = pick as i64;
        }
        Ok(())
    }

    fn value(&mut self, seen: &Seen<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        for (c, v) in out.iter_mut().enumerate() {
            // No tensors here: slicing a tensor allocates, and this policy must not allocate.
            let carried = seen.tensors.state[1].int64_value(&[c as i64]);
            let mut h = hash(1, &carried.to_le_bytes());
            h = hash(h, seen.observation.cell(c).bytes(0));
            h = hash(h, seen.prev_action.cell(c).bytes(0));
            h = hash(h, &seen.prev_reward[c].to_le_bytes());
            *v = (h >> 40) as f32;
        }
        Ok(())
    }
}
