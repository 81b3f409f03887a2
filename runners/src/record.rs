//! The counters and windows of a run, and the rows of progress.csv that are made from them. The columns are rlpyt's
//! (`runners/minibatch_rl.py`).
use crate::config::RunnerConfig;
use crate::journal::Stop;
use rlcore::GlobalSteps;
use rlcore::table::{Cell, Stats, Values};
use rlcore::traj::TrajInfo;
use samplers::Evaluation;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The runner's state in a checkpoint. Everything except times continues to the bit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Iterations so far: batches collected and learned from.
    pub(crate) itr: u64,
    /// Environment steps done.
    pub(crate) env_steps: GlobalSteps,
    /// Training episodes finished so far.
    pub(crate) completed: u64,
    /// Seconds so far, including evaluation and the parts of the run before it was resumed.
    pub(crate) seconds: f64,
    /// Seconds of evaluation, a part of `seconds`.
    pub(crate) eval_seconds: f64,
    /// Evaluations so far.
    pub(crate) evaluations: u64,
    /// Mean return of the last evaluation.
    pub(crate) last_return: Option<f64>,
    /// The mean return that may end the run: `last_return`, or that of its confirmation; none if the confirmation failed.
    pub(crate) trusted_return: Option<f64>,
    /// Environment steps at the last evaluation.
    #[serde(default)]
    pub(crate) evaluated_at: GlobalSteps,
    /// Best mean return of an evaluation, and the name of its checkpoint.
    pub(crate) best: Option<(f64, String)>,
    /// Rows of progress.csv so far.
    pub(crate) rows: u64,
    /// Environment steps at the newest checkpoint.
    pub(crate) saved_at: GlobalSteps,
    /// Environment steps at the newest checkpoint that has its replay.
    pub(crate) replay_saved_at: GlobalSteps,
    /// The training episodes that finished last, at most `log_traj_window`.
    window: VecDeque<TrajInfo>,
    /// Returns of the training episodes that ended since the last row. A checkpoint from before this was logged has none.
    #[serde(default)]
    new_returns: Returns,
    /// Episodes finished since the last row.
    new_completed: u64,
    /// Values that the updates since the last row reported, by name.
    opt: Vec<(String, Vec<f64>)>,
    /// At the last row: environment steps, updates, seconds of training.
    at_row: (GlobalSteps, u64, f64),
}

/// Summary of returns, without the returns: there may be millions between two rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Returns {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Returns {
    fn add(&mut self, ret: f64) {
        let first = self.count == 0;
        self.min = if first { ret } else { self.min.min(ret) };
        self.max = if first { ret } else { self.max.max(ret) };
        self.sum += ret;
        self.count += 1;
    }

    /// Mean, least and greatest, NaN where no episode ended.
    fn columns(&self) -> [(String, f64); 3] {
        let some = |value: f64| if self.count == 0 { f64::NAN } else { value };
        [
            (format!("{TRAIN_RETURN}Average"), self.sum / self.count as f64),
            (format!("{TRAIN_RETURN}Min"), some(self.min)),
            (format!("{TRAIN_RETURN}Max"), some(self.max)),
        ]
    }
}

/// The column of training returns: those that ended since the last row.
const TRAIN_RETURN: &str = "TrainReturn";

impl Record {
    pub(crate) fn add_trajectories(&mut self, infos: Vec<TrajInfo>, window: usize) {
        for info in &infos {
            self.new_returns.add(info.ret);
        }
        self.completed += infos.len() as u64;
        self.new_completed += infos.len() as u64;
        self.window.extend(infos);
        let surplus = self.window.len().saturating_sub(window);
        self.window.drain(..surplus);
    }

    pub(crate) fn add_opt(&mut self, info: algos::OptInfo) {
        for (name, values) in info {
            match self.opt.iter_mut().find(|(n, _)| n == name) {
                Some((_, all)) => all.extend(values),
                None => self.opt.push((name.to_owned(), values)),
            }
        }
    }

    /// Mean return of the training episodes in the window; none until `window` episodes have finished.
    pub(crate) fn online_return(&self, window: usize) -> Option<f64> {
        let full = self.window.len() >= window;
        full.then(|| self.window.iter().map(|t| t.ret).sum::<f64>() / self.window.len() as f64)
    }

    /// Why a run of these settings ends here, if it does.
    pub(crate) fn stop(&self, config: &RunnerConfig) -> Option<Stop> {
        let reached = if config.evaluate {
            self.trusted_return
        } else {
            self.online_return(config.log_traj_window)
        };
        if let (Some(reached), Some(wanted)) = (reached, config.stop_return)
            && reached >= wanted
        {
            return Some(Stop::Return(reached));
        }
        if config.stop_seconds.is_some_and(|s| self.seconds >= s) {
            return Some(Stop::Seconds);
        }
        (self.env_steps >= GlobalSteps(config.n_steps)).then_some(Stop::Steps)
    }

    /// Mean return of the training episodes in the window, however few; for the progress bar.
    pub(crate) fn recent_return(&self) -> Option<f64> {
        self.online_return(self.window.len().max(1))
    }

    /// The next row; what is counted since the last one starts anew. `schedules`: their values now.
    pub(crate) fn row(
        &mut self,
        updates: u64,
        batch_size: usize,
        user: &[String],
        evaluation: Option<&Evaluation>,
        schedules: Values,
    ) -> Vec<(String, Cell)> {
        let train_seconds = self.seconds - self.eval_seconds;
        let (steps, new_updates) = (self.env_steps - self.at_row.0, updates - self.at_row.1);
        let span = train_seconds - self.at_row.2;
        let ratio = |updates: u64, steps: GlobalSteps| {
            (updates as f64 * batch_size as f64) / (steps.0 as f64).max(1.0)
        };
        let int = |v: u64| Cell::Int(v as i64);
        let mut row = Vec::new();
        let mut diagnostic =
            |name: &str, cell: Cell| row.push((format!("Diagnostics/{name}"), cell));
        diagnostic("Iteration", int(self.itr));
        diagnostic("CumTime (s)", self.seconds.into());
        diagnostic("CumSteps", int(self.env_steps.0));
        diagnostic("CumCompletedTrajs", int(self.completed));
        diagnostic("CumUpdates", int(updates));
        diagnostic("StepsPerSecond", (steps.0 as f64 / span.max(1e-9)).into());
        diagnostic("UpdatesPerSecond", (new_updates as f64 / span.max(1e-9)).into());
        diagnostic("ReplayRatio", ratio(new_updates, steps).into());
        diagnostic("CumReplayRatio", ratio(updates, self.env_steps).into());
        if let Some(e) = evaluation {
            diagnostic("StepsInEval", int(e.steps.0));
            diagnostic("TrajsInEval", int(e.trajectories.len() as u64));
            diagnostic("UnfinishedInEval", int(e.unfinished as u64));
            diagnostic("CumEvalTime", self.eval_seconds.into());
            diagnostic("CumTrainTime", train_seconds.into());
            diagnostic("NewCompletedTrajs", int(self.new_completed));
        } else {
            diagnostic("NewCompletedTrajs", int(self.new_completed));
            let in_window: f64 = self.window.iter().map(|t| t.length).sum();
            diagnostic("StepsInTrajWindow", int(in_window as u64));
        }
        let seen: Vec<&TrajInfo> =
            evaluation.map_or(self.window.iter().collect(), |e| e.trajectories.iter().collect());
        let names = ["Length", "Return", "NonzeroRewards", "DiscountedReturn"];
        for (i, name) in names.into_iter().chain(user.iter().map(String::as_str)).enumerate() {
            let values: Vec<f64> = seen.iter().map(|t| t.fields(user)[i].1).collect();
            row.extend(Stats::of(&values).columns(name).map(|(n, v)| (n, v.into())));
        }
        for (name, values) in &mut self.opt {
            row.extend(Stats::of(values).columns(name).map(|(n, v)| (n, v.into())));
            values.clear();
        }
        row.extend(self.new_returns.columns().map(|(n, v)| (n, v.into())));
        row.extend(schedules.into_iter().map(|(n, v)| (n, v.into())));
        self.new_returns = Returns::default();
        self.new_completed = 0;
        self.at_row = (self.env_steps, updates, train_seconds);
        self.rows += 1;
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(ret: f64) -> TrajInfo {
        let user = vec![];
        TrajInfo {
            t: 0,
            env_rank: 0,
            length: 1.0,
            ret,
            nonzero_rewards: 1.0,
            discounted_return: ret,
            user,
        }
    }

    fn cell(row: &[(String, Cell)], name: &str) -> f64 {
        match row.iter().find(|(n, _)| n == name).map(|(_, c)| c) {
            Some(Cell::Float(v)) => *v,
            Some(Cell::Int(v)) => *v as f64,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Broken by counting an episode in two rows, by a window in place of the episodes since the last row, and by 0 for no episode.
    #[test]
    fn training_returns_are_those_since_the_last_row() {
        let mut record = Record::default();
        let names = ["TrainReturnAverage", "TrainReturnMin", "TrainReturnMax"];
        let mut row = |returns: &[f64]| {
            record.add_trajectories(returns.iter().map(|r| episode(*r)).collect(), 100);
            // A checkpoint in the midst of an interval loses nothing.
            let saved = serde_json::to_string(&record).unwrap();
            record = serde_json::from_str(&saved).unwrap();
            record.add_trajectories(vec![], 100);
            let row = record.row(0, 1, &[], None, vec![("epsilon".into(), 0.5)]);
            assert_eq!(cell(&row, "epsilon"), 0.5);
            (cell(&row, "Diagnostics/NewCompletedTrajs"), names.map(|n| cell(&row, n)))
        };
        assert_eq!(row(&[-3.0, 5.0, 1.0]), (3.0, [1.0, -3.0, 5.0]));
        assert_eq!(row(&[-7.0]), (1.0, [-7.0; 3]));
        let (count, none) = row(&[]);
        assert!(count == 0.0 && none.iter().all(|v| v.is_nan()), "{none:?}");
    }

    /// A checkpoint from before training returns were logged.
    #[test]
    fn an_older_record_can_be_read() {
        let mut old = serde_json::to_value(Record::default()).unwrap();
        assert!(old.as_object_mut().unwrap().remove("new_returns").is_some());
        let record: Record = serde_json::from_value(old).unwrap();
        assert_eq!(record.new_returns.count, 0);
    }
}
