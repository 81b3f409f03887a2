//! The layout of a block: its parts, their leading dimensions and offsets. Part of the manifest that other languages read
//! ([`crate::manifest`]).
use crate::batch_spec::BatchSpec;
use crate::env::EnvSpaces;
use crate::schema::{DType, Lead, LeafSpec};
use crate::traj;
use serde::{Deserialize, Serialize};

/// Alignment of every array: two cache lines, because prefetchers fetch pairs of lines.
pub(crate) const ALIGN: usize = 128;

/// The leaves that an agent records, and its recurrent state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentSchema {
    /// Leaves of `agent_info`, written at each step.
    pub info: Vec<LeafSpec>,
    /// Recurrent state of one environment; the sampler owns the rows.
    pub state: Vec<LeafSpec>,
}

/// Parts of the block: trees of leaves with the same leading dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `[T+1, B]`; row T follows the last step and becomes row 0 of the next batch.
    Observation,
    /// `[T, B]`.
    Action,
    /// `[T+1, B]`: the action before the step, null after `done`; row T becomes row 0 of the next batch.
    PrevAction,
    /// `[T, B] f32`: reward of the step.
    Reward,
    /// `[T+1, B] f32`: the reward before the step, zero after `done`; row T as above.
    PrevReward,
    /// `[T, B]`: leaf 0 terminated, 1 truncated, 2 reset, 3 valid.
    Flags,
    /// `[K, B]`: the k-th truncated step of a column finds its true last observation in row k.
    FinalObservation,
    /// `[T, B]`.
    EnvInfo,
    /// `[T, B]`.
    AgentInfo,
    /// `[ceil(T/k), B]`: recurrent state before steps 0, k, 2k, ...
    AgentState,
    /// `[B] f32`: value of the observation in row T, if requested.
    BootstrapValue,
    /// `[T, B] f64`: row k of a column is the record of the k-th episode that it finished in this batch (see
    /// [`crate::traj`]); the reset flags say when.
    Trajectory,
}

const PARTS: [Part; 12] = [
    Part::Observation,
    Part::Action,
    Part::PrevAction,
    Part::Reward,
    Part::PrevReward,
    Part::Flags,
    Part::FinalObservation,
    Part::EnvInfo,
    Part::AgentInfo,
    Part::AgentState,
    Part::BootstrapValue,
    Part::Trajectory,
];

/// Optional parts of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockOptions {
    /// Record the recurrent state every `state_interval` steps.
    pub state_interval: usize,
    /// Record the value of the observation in row T.
    pub bootstrap_value: bool,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { state_interval: 1, bootstrap_value: false }
    }
}

/// One part: its leading dimensions, and its leaves with their byte offsets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartLayout {
    /// Which part.
    pub part: Part,
    /// Leading dimensions.
    pub lead: Lead,
    /// Number of rows of `B` cells.
    pub rows: usize,
    /// The leaves.
    pub leaves: Vec<LeafSpec>,
    /// Offset of each leaf, bytes.
    pub offsets: Vec<usize>,
}

/// The layout of a block. Part of the manifest that another language reads ([`crate::manifest`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Version of this format; raised when the meaning of a field changes.
    pub version: u32,
    /// `T` and `B`.
    pub spec: BatchSpec,
    /// All parts, including empty ones.
    pub parts: Vec<PartLayout>,
    /// Size in bytes; `usize::MAX` on overflow, which no segment can hold. The offsets are meaningless then.
    pub bytes: usize,
}

impl Layout {
    /// The layout of a block for these spaces and this agent.
    pub fn new(
        spec: BatchSpec,
        env: &EnvSpaces,
        agent: &AgentSchema,
        options: BlockOptions,
    ) -> Self {
        let observation = env.observation.leaves("observation");
        let mut bytes = 0usize;
        let mut place = |part: Part| {
            let (lead, leaves) = match part {
                Part::Observation => (Lead::StepsPlusOne, observation.clone()),
                Part::Action => (Lead::Steps, env.action.leaves("action")),
                Part::PrevAction => (Lead::StepsPlusOne, env.action.leaves("prev_action")),
                Part::Reward => (Lead::Steps, vec![LeafSpec::scalar("reward", DType::F32)]),
                Part::PrevReward => {
                    (Lead::StepsPlusOne, vec![LeafSpec::scalar("prev_reward", DType::F32)])
                }
                Part::Flags => {
                    let names = ["terminated", "truncated", "reset", "valid"];
                    (Lead::Steps, names.map(|n| LeafSpec::scalar(n, DType::Bool)).to_vec())
                }
                Part::FinalObservation => match env.truncates_every {
                    Some(every) => (
                        Lead::Slots((spec.t / every.max(1)).saturating_add(1)),
                        renamed(&observation, "final_observation"),
                    ),
                    None => (Lead::Slots(0), vec![]),
                },
                Part::EnvInfo => (Lead::Steps, env.info.iter().map(|i| i.spec.clone()).collect()),
                Part::AgentInfo => (Lead::Steps, agent.info.clone()),
                Part::AgentState => {
                    (Lead::Every(options.state_interval.max(1)), agent.state.clone())
                }
                Part::BootstrapValue => {
                    let asked = usize::from(options.bootstrap_value);
                    (Lead::Envs, vec![LeafSpec::scalar("bootstrap_value", DType::F32); asked])
                }
                Part::Trajectory => {
                    let width = traj::FIXED_FIELDS + traj::user_fields(env).len();
                    (Lead::Steps, vec![LeafSpec::array("trajectory", DType::F64, &[width])])
                }
            };
            let rows = lead.rows(spec);
            let mut offsets = Vec::new();
            for leaf in &leaves {
                offsets.push(bytes);
                bytes = bytes.saturating_add(leaf.array_bytes(rows, spec.b, ALIGN));
            }
            PartLayout { part, lead, rows, leaves, offsets }
        };
        let parts = PARTS.map(&mut place).to_vec();
        Self { version: 2, spec, parts, bytes }
    }

    /// One part.
    pub fn part(&self, part: Part) -> &PartLayout {
        &self.parts[part as usize]
    }
}

fn renamed(leaves: &[LeafSpec], root: &str) -> Vec<LeafSpec> {
    let rename = |l: &LeafSpec| {
        let rest = l.name.split_once('.').map_or(String::new(), |(_, rest)| format!(".{rest}"));
        LeafSpec { name: format!("{root}{rest}"), ..l.clone() }
    };
    leaves.iter().map(rename).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::testing::{agent, spaces};
    use proptest::prelude::*;

    #[test]
    fn a_block_that_cannot_be_counted_is_a_size_that_no_segment_holds() {
        let huge = usize::MAX;
        let mut wide = agent();
        wide.state.push(LeafSpec::array("h", DType::F32, &[huge, 2]));
        for (spec, agent) in [
            (BatchSpec { t: huge, b: 1 }, agent()),
            (BatchSpec { t: 2, b: huge }, agent()),
            (BatchSpec { t: 2, b: 2 }, wide),
        ] {
            let layout = Layout::new(spec, &spaces(Some(1)), &agent, BlockOptions::default());
            assert_eq!(layout.bytes, huge);
            let text = crate::block::Block::create(layout).unwrap_err().to_string();
            assert!(text.contains("sample block"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn leaves_are_disjoint_aligned_and_inside(t in 1usize..9, b in 1usize..9, k in 1usize..4, every in 1usize..5) {
            let options = BlockOptions { state_interval: k, bootstrap_value: true };
            let layout = Layout::new(BatchSpec { t, b }, &spaces(Some(every)), &agent(), options);
            let mut spans: Vec<(usize, usize)> = layout.parts.iter().flat_map(|p| {
                p.leaves.iter().zip(&p.offsets).map(|(l, o)| (*o, *o + p.rows * b * l.cell_bytes()))
            }).collect();
            spans.sort_unstable();
            for pair in spans.windows(2) {
                prop_assert!(pair[0].1 <= pair[1].0);
            }
            prop_assert!(spans.iter().all(|s| s.0 % ALIGN == 0 && s.1 <= layout.bytes));
            prop_assert_eq!(layout.part(Part::AgentState).rows, t.div_ceil(k));
            let back: Layout = serde_json::from_value(serde_json::to_value(&layout).unwrap()).unwrap();
            prop_assert_eq!(back, layout);
        }
    }
}
