//! Estimate of the memory that a sampler will take.
//!
//! Counted: the block, the blocks of the evaluation, the published weights, every agent's copy of them, the activations of acting, views
//! of the block's rows, and the state per column. Not counted: allocations of environments, and the base size of a process (about
//! 200 MB with libtorch, most of it shared by all processes of a run).
use crate::config::{HostKind, SamplerKind};
use crate::evaluation::EVAL_T;
use crate::setup::Plan;
use rlcore::BatchSpec;
use rlcore::block::{BlockOptions, Layout};
use rlcore::memory::Need;

/// Bytes of a tensor that is a view of one row of one leaf.
const VIEW: u64 = 600;
/// Bytes kept per column: two random streams, the sums of an episode, a small environment, and the numbers of a checkpoint as values and
/// as JSON while it is written. Measured: 4.1 KiB.
const COLUMN: u64 = 6 << 10;
/// Copies of a column's observation, action and recurrent state while a checkpoint is written: the state of the worker, its message,
/// the received bytes, the state of the master, the array, each buffer with room to grow. Measured: 3.
const COPIES: u64 = 8;
/// Bytes that a worker process takes of its own: heap, stacks, buffers of libtorch.
const WORKER: u64 = 24 << 20;
/// Copies of the widest layer that an agent holds at once while it acts: a layer's input, its output, a temporary.
const LAYERS: u64 = 3;

impl Plan {
    /// The memory that this sampler will take, by purpose.
    pub fn needs(&self) -> Vec<Need> {
        let config = &self.setup.config;
        let (t, b) = (config.t as u64, config.b as u64);
        let slots = self.setup.slots as u64;
        let mut needs = vec![Need::new(
            "the block of samples",
            product(&[slots, self.layout.bytes as u64]),
            "sampler.t or sampler.b",
        )];
        let (seen, done) = (self.spaces.observation.leaves(""), self.spaces.action.leaves(""));
        let cells = seen.iter().chain(&done).chain(&self.schema.state);
        let cells = cells.map(|leaf| leaf.cell_bytes() as u64).fold(0, u64::saturating_add);
        let column = cells.saturating_mul(COPIES).saturating_add(COLUMN);
        needs.push(Need::new(
            "what is kept of each environment",
            product(&[b, column]),
            "sampler.b",
        ));
        let leaves = |root: &rlcore::Space| root.leaves("").len() as u64;
        let leaves = leaves(&self.spaces.observation) + leaves(&self.spaces.action) + 1;
        // Each process that acts has views of every row of its columns; an alternating sampler has two sets of columns.
        let lookers = match config.kind {
            SamplerKind::Serial | SamplerKind::Gpu => 1,
            SamplerKind::Alternating => 2,
            SamplerKind::Cpu => config.workers() as u64,
        };
        let views = product(&[slots, t.saturating_add(1), leaves, lookers, VIEW]);
        needs.push(Need::new("views of the block's rows", views, "sampler.t"));

        let here = config.kind == SamplerKind::Serial;
        let workers = if here { 0 } else { config.workers() as u64 };
        let act_in_workers = config.kind == SamplerKind::Cpu || self.setup.eval.is_some();
        let on_host = config.kind != SamplerKind::Cpu && self.setup.device == "cpu";
        let agents = u64::from(on_host) + if act_in_workers { workers } else { 0 };
        // Published weights lie in two buffers.
        let copies = agents.saturating_add(2);
        let weights = product(&[self.model.params as u64, 4, copies]);
        let what = format!("{copies} copies of the weights, for agents");
        let lower = if workers > 1 {
            "sampler.worker.n or the sizes in agent.model"
        } else {
            "the sizes in agent.model"
        };
        needs.push(Need::new(what, weights, lower));
        let rows = product(&[b, self.model.widest as u64, 4, LAYERS]);
        needs.push(Need::new(
            "layers of acting agents",
            rows,
            "sampler.b or the sizes in agent.model",
        ));
        if config.worker.host == HostKind::Process {
            needs.push(Need::new(
                "worker processes",
                product(&[workers, WORKER]),
                "sampler.worker.n",
            ));
        }
        needs.extend(self.evaluation());
        needs
    }

    fn evaluation(&self) -> Option<Need> {
        let (_, config) = self.setup.eval.as_ref()?;
        let spec = BatchSpec { t: EVAL_T, b: config.n_envs };
        let spaces = self.eval_spaces.as_ref()?;
        let block = Layout::new(spec, spaces, &self.schema, BlockOptions::default()).bytes as u64;
        let layers = product(&[self.model.widest as u64, 4, LAYERS]);
        let columns = product(&[config.n_envs as u64, layers.saturating_add(COLUMN)]);
        Some(Need::new("evaluation", block.saturating_add(columns), "eval.n_envs"))
    }
}

/// `u64::MAX` on overflow.
fn product(factors: &[u64]) -> u64 {
    factors.iter().fold(1, |n, f| n.saturating_mul(*f))
}
