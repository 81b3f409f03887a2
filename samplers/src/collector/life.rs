//! The beginning and the end of a collector's environments, and what a checkpoint keeps of them.
use super::{Collector, CollectorError};
use crate::state::{ColumnState, column_bytes, set_column_bytes};
use agents::RandomAgent;
use rand::RngExt;
use rlcore::envs::columns::ResetMode;
use rlcore::progress::Progress;
use rlcore::seed::{self, Rng, Role};
use rlcore::traj::Trackers;

impl Collector {
    /// Seeds and resets every environment, then takes up to `max_steps` random steps in each.
    pub fn start(&mut self, max_steps: usize, progress: &Progress) -> Result<(), CollectorError> {
        for c in 0..self.spec.columns {
            let rank = self.spec.first_rank.offset(c).0 as u64;
            self.envs.seed(c, seed::seed_of(self.spec.seed, Role::Env, rank));
            self.rng[c] = seed::rng(seed::seed_of(self.spec.seed, Role::Act, rank));
        }
        self.reset_all(progress)?;
        if max_steps > 0 { self.decorrelate(max_steps, progress) } else { Ok(()) }
    }

    /// Seeds and resets every environment for evaluation `number`; each may start `quota[column]` episodes.
    pub fn start_evaluation(
        &mut self,
        number: u64,
        quota: &[usize],
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        for c in 0..self.spec.columns {
            let rank = self.spec.first_rank.offset(c).0 as u64;
            self.envs.seed(c, seed::seed_of_pair(self.spec.seed, Role::EvalEnv, number, rank));
            self.rng[c] =
                seed::rng(seed::seed_of_pair(self.spec.seed, Role::EvalAct, number, rank));
        }
        self.quota = Some(quota.to_vec());
        self.reset_all(progress)
    }

    fn reset_all(&mut self, progress: &Progress) -> Result<(), CollectorError> {
        let last = self.last_row();
        for c in 0..self.spec.columns {
            self.reset(c, last, progress)?;
            self.trackers.restart(c);
            self.state.cell_mut(0, c).zero();
        }
        self.fresh.fill(1);
        self.to_reset.fill(0);
        Ok(())
    }

    fn decorrelate(&mut self, max_steps: usize, progress: &Progress) -> Result<(), CollectorError> {
        let agent = RandomAgent::new(self.spaces.action.clone(), self.spaces.action_mask);
        let draw = |rng: &mut Rng| 1 + (rng.random::<f64>() * max_steps as f64) as usize;
        let steps: Vec<usize> = self.rng.iter_mut().map(draw).collect();
        let (last, at) = (self.last_row(), self.t() - 1);
        for step in 0..steps.iter().copied().max().unwrap_or(0) {
            for (c, n) in steps.iter().enumerate() {
                self.running[c] = u8::from(step < *n);
                if step < *n {
                    let seen = self.columns.observation.row(last);
                    agent.draw(c, seen, &mut self.columns.action.row_mut(at), &mut self.rng[c]);
                }
            }
            self.final_used.fill(0);
            self.step_envs(at, last, ResetMode::AtOnce, progress)?;
            let flags = self.columns.flags.row_mut(at).split::<u8, 4>();
            for c in (0..steps.len()).filter(|c| step < steps[*c]) {
                self.fresh[c] = flags[0][c] | flags[1][c];
                if flags[2][c] != 0 {
                    self.trackers.restart(c);
                    self.envs.take_notes(c);
                }
                // The rows are used anew by columns that take more steps.
                self.carried_action.cell_mut(0, c).copy_from(self.columns.action.cell(at, c));
                self.carried_reward[c] = self.columns.reward.row(at).get::<f32>(0)[c];
            }
        }
        Ok(())
    }

    /// Everything that the future of each column depends on, taken between batches.
    pub fn save(&self) -> Vec<ColumnState> {
        let last = self.last_row();
        let mut envs = self.envs.save_states();
        let one = |c: usize| {
            let mut tracker = Trackers::new(1, self.spec.discount, &self.spaces);
            tracker.paste(0, &self.trackers, c);
            ColumnState {
                env: envs.as_mut().map(|e| std::mem::take(&mut e[c])),
                observation: column_bytes(&self.columns.observation, last, c),
                action: column_bytes(&self.carried_action, 0, c),
                reward: self.carried_reward[c],
                fresh: self.fresh[c],
                to_reset: self.to_reset[c],
                state: column_bytes(&self.state, 0, c),
                rng: self.rng[c].clone(),
                tracker,
            }
        };
        (0..self.spec.columns).map(one).collect()
    }

    /// Takes back what [`Collector::save`] gave. Environments that could not save start a new episode, with a seed that their
    /// acting stream gives, so that no resume repeats the run's first episodes.
    pub fn load(
        &mut self,
        saved: &[ColumnState],
        progress: &Progress,
    ) -> Result<(), CollectorError> {
        let last = self.last_row();
        for (c, s) in saved.iter().enumerate() {
            progress.tick(c);
            self.rng[c] = s.rng.clone();
            if let Some(env) = &s.env {
                self.envs.load_state(c, env).map_err(|e| self.spec.env_failed(e))?;
                set_column_bytes(&mut self.columns.observation, last, c, &s.observation);
                set_column_bytes(&mut self.carried_action, 0, c, &s.action);
                set_column_bytes(&mut self.state, 0, c, &s.state);
                self.carried_reward[c] = s.reward;
                self.fresh[c] = s.fresh;
                self.to_reset[c] = s.to_reset;
                self.trackers.paste(c, &s.tracker, 0);
            } else {
                self.envs.seed(c, self.rng[c].random::<u64>());
                self.reset(c, last, progress)?;
                self.trackers.restart(c);
                self.state.cell_mut(0, c).zero();
                (self.fresh[c], self.to_reset[c]) = (1, 0);
            }
        }
        Ok(())
    }

    /// Ends the environments in order.
    pub fn close(&mut self) {
        self.envs.close();
    }
}
