//! Evaluation of an agent: a fixed number of episodes per environment, all of which count.
//!
//! rlpyt stops as soon as enough episodes have ended, which favours short episodes; here every episode of an environment's quota is
//! played to its end. Environments and streams are seeded by (run seed, evaluation number, env rank), so an
//! evaluation depends on nothing that came before, and training depends on no evaluation.
use crate::collector::actor::RowViews;
use crate::collector::{Collector, CollectorError, CollectorSpec};
use crate::config::EvalConfig;
use crate::slots::Place;
use agents::{Agent, Phase};
use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, flag};
use rlcore::manifest::SharedMemory;
use rlcore::progress::Progress;
use rlcore::segment::Pages;
use rlcore::traj::TrajInfo;
use rlcore::{BatchSpec, GlobalSteps, LocalSteps, SlicePlace};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Time steps between two checks for environments that have played their quota.
pub(crate) const EVAL_T: usize = 16;

/// Result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Finished episodes, by env rank, then in order of time.
    pub trajectories: Vec<TrajInfo>,
    /// Environment steps taken, by this replica.
    pub steps: LocalSteps,
    /// Number of episodes that `eval.max_steps` cut off or that were never begun; they are not among the trajectories.
    pub unfinished: usize,
}

impl Evaluation {
    /// Mean return; `None` if no episode finished.
    pub fn mean_return(&self) -> Option<f64> {
        let n = self.trajectories.len();
        (n > 0).then(|| self.trajectories.iter().map(|t| t.ret).sum::<f64>() / n as f64)
    }

    pub(crate) fn merge(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.trajectories.extend(part.trajectories);
            all.steps += part.steps;
            all.unfinished += part.unfinished;
        }
        all
    }
}

/// An order to run an evaluation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct EvaluationOrder {
    /// See [`rlcore::seed::EvalSeries::number`].
    pub(crate) number: u64,
    pub(crate) now: GlobalSteps,
    pub(crate) episodes: usize,
    pub(crate) config: EvalConfig,
}

impl EvaluationOrder {
    fn quota(&self, ranks: &Range<usize>) -> Vec<usize> {
        let (n_envs, n_episodes) = (self.config.n_envs, self.episodes);
        ranks
            .clone()
            .map(|rank| n_episodes / n_envs + usize::from(rank < n_episodes % n_envs))
            .collect()
    }
}

/// The environments of the evaluation, with a block of their own.
pub(crate) struct Evaluator {
    collector: Collector,
    columns: Columns,
    ranks: Range<usize>,
    /// Dropped last: the other fields are views of these pages.
    _pages: Arc<Pages>,
}

impl Evaluator {
    /// Builds the environments.
    pub(crate) fn new(
        spec: CollectorSpec,
        schema: &AgentSchema,
        progress: &Progress,
    ) -> Result<Self, CollectorError> {
        let batch = BatchSpec { t: EVAL_T, b: spec.columns };
        let layout = Layout::new(batch, &spec.spaces, schema, BlockOptions::default());
        let memory = SharedMemory::for_block(layout, spec.env.doors(spec.columns))?;
        let block = memory.block(0);
        let pages = block.pages();
        let columns = block.columns(0..spec.columns);
        let ranks = spec.first_rank.0..spec.first_rank.0 + spec.columns;
        let place = SlicePlace { columns: 0..spec.columns, memory: Some(memory) };
        let rows = vec![RowViews::of(&columns)];
        let collector = Collector::new(spec, rows, schema, &place, progress)?;
        Ok(Self { collector, columns, ranks, _pages: pages })
    }

    /// Runs the episodes of an evaluation that are these environments' quota.
    pub(crate) fn run(
        &mut self,
        agent: &mut dyn Agent,
        order: &EvaluationOrder,
        progress: &Progress,
    ) -> Result<Evaluation, CollectorError> {
        let Self { collector, columns, ranks, .. } = self;
        collector.start_evaluation(columns, order.number, &order.quota(ranks), progress)?;
        let phase = Phase::Evaluate { now: order.now };
        let mut by_rank: Vec<Vec<TrajInfo>> = vec![Vec::new(); ranks.len()];
        let mut out = Evaluation::default();
        let mut t = 0;
        while collector.still_running() > 0 && t < order.config.max_steps {
            let place = Place { slot: 0, columns, last: None };
            collector.collect(place, agent, phase, progress)?;
            out.steps += columns.valid_steps();
            let _ = collector.take_notes();
            for info in trajectories(columns, t, ranks.start) {
                by_rank[info.env_rank - ranks.start].push(info);
            }
            t += EVAL_T;
        }
        out.unfinished = collector.episodes_left();
        out.trajectories = by_rank.concat();
        Ok(out)
    }

    /// Env ranks.
    pub(crate) fn ranks(&self) -> &Range<usize> {
        &self.ranks
    }

    /// Asks environments that lie outside this process to end, without waiting for them.
    pub(crate) fn begin_close(&mut self) {
        self.collector.begin_close();
    }

    /// Closes the environments; waits for those that were asked to end.
    pub(crate) fn close(&mut self) {
        self.collector.close();
    }
}

/// Reads the episode records of a batch, ordered by (t, env rank).
pub(crate) fn trajectories(columns: &Columns, first_t: usize, first_rank: usize) -> Vec<TrajInfo> {
    let mut used = vec![0; columns.reward.columns()];
    let mut out = Vec::new();
    for t in 0..columns.reward.rows() {
        let reset = columns.flags.row(t).get::<u8>(flag::RESET);
        // In most rows no episode ends: test the whole row first.
        if reset.iter().fold(0, |any, r| any | *r) == 0 {
            continue;
        }
        for (column, _) in reset.iter().enumerate().filter(|(_, r)| **r != 0) {
            let record = columns.trajectory.cell(used[column], column).f64(0);
            out.push(TrajInfo::from_record(first_t + t, first_rank + column, record));
            used[column] += 1;
        }
    }
    out
}
