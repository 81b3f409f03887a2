//! Starting a collector's environments, and saving and restoring their state for a checkpoint.
use super::actor::Continues;
use super::status::{Then, Turn};
use super::stepper::{Stepper, last_row};
use super::{Collector, CollectorError};
use crate::state::{ColumnState, EnvState, column_bytes, set_column_bytes};
use agents::RandomAgent;
use rand::RngExt;
use rlcore::block::Columns;
use rlcore::progress::Progress;
use rlcore::seed::{self, Rng, Role};
use rlcore::slice::{ResetMode, Ticks};
use rlcore::traj::Trackers;

impl Stepper {
    /// Seeds and resets every environment, then takes up to `max_steps` random steps in each.
    pub(crate) fn start(
        &mut self,
        c: &mut Columns,
        max_steps: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        for column in 0..self.spec.columns {
            let rank = self.spec.first_rank.offset(column).0 as u64;
            self.envs.seed(column, seed::seed_of(self.spec.seed, Role::Env, rank));
        }
        self.reset_all(c, progress)?;
        if max_steps > 0 { self.decorrelate(c, max_steps, progress) } else { Ok(()) }
    }

    fn reset_all(&mut self, c: &mut Columns, progress: &Progress) -> Result<(), CollectorError> {
        let last = last_row(c);
        for column in 0..self.spec.columns {
            self.reset(c, column, last, progress)?;
            self.trackers.restart(column);
            self.no_previous(c, column);
        }
        self.fresh.fill(1);
        self.status.iter_mut().for_each(|status| status.turn = Turn::Runs);
        Ok(())
    }

    fn decorrelate(
        &mut self,
        columns: &mut Columns,
        max_steps: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let agent = RandomAgent::new(self.spaces.action.clone(), self.spaces.action_mask);
        let stream = |c: usize| {
            let rank = self.spec.first_rank.offset(c).0 as u64;
            seed::rng(seed::seed_of(self.spec.seed, Role::Decorrelate, rank))
        };
        let mut rngs: Vec<Rng> = (0..self.spec.columns).map(stream).collect();
        let draw = |rng: &mut Rng| 1 + (rng.random::<f64>() * max_steps as f64) as usize;
        let steps: Vec<usize> = rngs.iter_mut().map(draw).collect();
        let last = last_row(columns);
        let at = last - 1;
        for step in 0..steps.iter().copied().max().unwrap_or(0) {
            for (c, n) in steps.iter().enumerate() {
                self.running[c] = u8::from(step < *n);
                if step < *n {
                    let seen = columns.observation.row(last);
                    agent.draw(c, seen, &mut columns.action.row_mut(at), &mut rngs[c]);
                }
            }
            self.final_used.fill(0);
            self.step_envs(columns, at, ResetMode::AtOnce, progress)?;
            // Drops the notes: these episodes belong to no batch.
            self.envs.take_notes();
            for c in (0..steps.len()).filter(|c| step < steps[*c]) {
                let [terminated, truncated, reset, _] = columns.flags.row_mut(at).split::<u8, 4>();
                self.fresh[c] = terminated[c] | truncated[c];
                if reset[c] != 0 {
                    self.trackers.restart(c);
                }
                // Columns that take more steps overwrite these rows.
                columns.prev_action.cell_mut(last, c).copy_from(columns.action.cell(at, c));
                columns.prev_reward.row_mut(last).get::<f32>(0)[c] =
                    columns.reward.row(at).get::<f32>(0)[c];
                if self.fresh[c] != 0 {
                    self.no_previous(columns, c);
                }
            }
        }
        Ok(())
    }

    /// Saves the complete state of each environment; called between batches.
    pub(crate) fn save(
        &mut self,
        columns: &Columns,
        progress: &Progress,
    ) -> Result<Vec<EnvState>, CollectorError> {
        let last = last_row(columns);
        let saved = self.envs.save_states(Ticks::new(progress));
        let mut envs = saved.map_err(|e| self.spec.env_failed(e))?;
        let one = |c: usize| {
            let mut tracker = Trackers::new(1, self.spec.discount, &self.spaces);
            tracker.paste(0, &self.trackers, c);
            EnvState {
                env: envs[c].take(),
                observation: column_bytes(&columns.observation, last, c),
                prev_action: column_bytes(&columns.prev_action, last, c),
                prev_reward: columns.prev_reward.row(last).get::<f32>(0)[c],
                fresh: self.fresh[c],
                to_reset: u8::from(self.status[c].is_reset_next()),
                tracker,
            }
        };
        Ok((0..self.spec.columns).map(one).collect())
    }

    /// Restores the states that [`Stepper::save`] returned. An environment that could not save its state starts a new episode, seeded
    /// from its acting stream, so that a resumed run does not repeat the first episodes of the run.
    pub(crate) fn load(
        &mut self,
        columns: &mut Columns,
        saved: &[ColumnState],
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let last = last_row(columns);
        for (c, ColumnState { env: s, act }) in saved.iter().enumerate() {
            if let Some(env) = &s.env {
                let loaded = self.envs.load_state(c, env, Ticks::new(progress));
                loaded.map_err(|e| self.spec.env_failed(e))?;
                set_column_bytes(&mut columns.observation, last, c, &s.observation);
                set_column_bytes(&mut columns.prev_action, last, c, &s.prev_action);
                columns.prev_reward.row_mut(last).get::<f32>(0)[c] = s.prev_reward;
                self.fresh[c] = s.fresh;
                let waits = Turn::Waits { row: last, then: Then::Reset };
                self.status[c].turn = if s.to_reset != 0 { waits } else { Turn::Runs };
                self.trackers.paste(c, &s.tracker, 0);
            } else {
                let drawn = act.rng.clone().random::<u64>();
                self.envs.seed(c, seed::seed_of(drawn, Role::Env, 0));
                self.reset(columns, c, last, progress)?;
                self.trackers.restart(c);
                self.no_previous(columns, c);
                self.fresh[c] = 1;
                self.status[c].turn = Turn::Runs;
            }
        }
        Ok(())
    }
}

/// How this column continues after it is restored.
pub(crate) fn continues(saved: &ColumnState) -> Continues {
    if saved.env.env.is_some() { Continues::Episode } else { Continues::Nothing }
}

impl Collector {
    /// Seeds and resets every environment, then takes up to `max_steps` random steps in each.
    pub(crate) fn start(
        &mut self,
        c: &mut Columns,
        max_steps: usize,
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        self.actor.seed(self.stepper.spec.seed);
        self.stepper.start(c, max_steps, progress)
    }

    /// Seeds and resets every environment for evaluation `number`; each may start `quota[column]` episodes.
    pub(crate) fn start_evaluation(
        &mut self,
        columns: &mut Columns,
        number: u64,
        quota: &[usize],
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let stepper = &mut self.stepper;
        for c in 0..stepper.spec.columns {
            let rank = stepper.spec.first_rank.offset(c).0 as u64;
            let seed = seed::seed_of_pair(stepper.spec.seed, Role::EvalEnv, number, rank);
            stepper.envs.seed(c, seed);
        }
        self.actor.seed_evaluation(stepper.spec.seed, number);
        for (status, quota) in stepper.status.iter_mut().zip(quota) {
            status.quota = Some(*quota);
        }
        stepper.reset_all(columns, progress)
    }

    /// Saves the complete state of each column; called between batches.
    pub(crate) fn save(
        &mut self,
        columns: &Columns,
        progress: &Progress,
    ) -> Result<Vec<ColumnState>, CollectorError> {
        let envs = self.stepper.save(columns, progress)?;
        let columns = envs.into_iter().zip(self.actor.save());
        Ok(columns.map(|(env, act)| ColumnState { env, act }).collect())
    }

    /// Restores the states that [`Collector::save`] returned.
    pub(crate) fn load(
        &mut self,
        columns: &mut Columns,
        saved: &[ColumnState],
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        self.actor.load(saved.iter().map(|s| (&s.act, continues(s))));
        self.stepper.load(columns, saved, progress)
    }
}
