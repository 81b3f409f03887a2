//! Measuring an agent: a fixed number of episodes in each environment, all of them counted.
//!
//! rlpyt returns whatever is finished when enough is, which favours short episodes; here every episode that an environment's
//! quota started is waited for. Environments and streams are seeded by (run seed, evaluation number, env rank), so an
//! evaluation depends on nothing that came before, and training depends on no evaluation.
use crate::collector::{Collector, CollectorError};
use crate::config::EvalConfig;
use agents::{Agent, Phase};
use rlcore::block::flag;
use rlcore::progress::Progress;
use rlcore::traj::TrajInfo;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Time steps between two looks at who has finished.
pub(crate) const EVAL_T: usize = 16;

/// What an evaluation found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Finished episodes, by env rank, then in order of time.
    pub trajectories: Vec<TrajInfo>,
    /// Environment steps taken.
    pub steps: u64,
    /// Episodes that `eval.max_steps` left out, cut off or never begun; they are not among the trajectories.
    pub unfinished: usize,
}

impl Evaluation {
    /// Mean return; none without a finished episode.
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

/// One evaluation's order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) env_steps: u64,
    pub(crate) episodes: usize,
    pub(crate) config: EvalConfig,
}

impl Order {
    fn quota(&self, ranks: &Range<usize>) -> Vec<usize> {
        let (n_envs, n_episodes) = (self.config.n_envs, self.episodes);
        ranks
            .clone()
            .map(|rank| n_episodes / n_envs + usize::from(rank < n_episodes % n_envs))
            .collect()
    }
}

/// Runs the part of an evaluation that the collector's environments have.
pub(crate) fn evaluate(
    collector: &mut Collector,
    agent: &mut dyn Agent,
    order: &Order,
    ranks: &Range<usize>,
    progress: &Progress,
) -> Result<Evaluation, CollectorError> {
    collector.start_evaluation(order.number, &order.quota(ranks), progress)?;
    let phase = Phase::Evaluate { env_steps: order.env_steps };
    let mut by_rank: Vec<Vec<TrajInfo>> = vec![Vec::new(); ranks.len()];
    let mut out = Evaluation::default();
    let mut t = 0;
    while collector.still_running() > 0 && t < order.config.max_steps {
        collector.collect(agent, phase, progress)?;
        let columns = collector.columns();
        for row in 0..EVAL_T {
            out.steps += columns
                .flags
                .row(row)
                .get::<u8>(flag::VALID)
                .iter()
                .map(|v| u64::from(*v))
                .sum::<u64>();
        }
        let _ = collector.take_notes();
        let columns = collector.columns();
        for info in trajectories(columns, t, ranks.start) {
            by_rank[info.env_rank - ranks.start].push(info);
        }
        t += EVAL_T;
    }
    out.unfinished = collector.episodes_left();
    out.trajectories = by_rank.concat();
    Ok(out)
}

/// Reads a batch's records, ordered by (t, env rank).
pub(crate) fn trajectories(
    columns: &rlcore::block::Columns,
    first_t: usize,
    first_rank: usize,
) -> Vec<TrajInfo> {
    let mut used = vec![0; columns.reward.columns()];
    let mut out = Vec::new();
    for t in 0..columns.reward.rows() {
        let reset = columns.flags.row(t).get::<u8>(flag::RESET);
        // Most rows end no episode: a whole row is looked at as bytes first.
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
