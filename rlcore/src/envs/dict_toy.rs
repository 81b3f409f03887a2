//! DictToy: a walk on a 3x3 grid with every optional feature of an environment: a dict observation, an action mask, lost lives, numeric
//! info and notes. For tests of these features; small enough to be learned in seconds.
//!
//! Stepping onto the goal gives reward 1; stepping onto the trap gives reward -1 and costs a life; either then moves to another cell. The
//! walk continues after a lost life (`terminated` without `reset`) until the last one. An agent that never steps onto a trap walks
//! for ever: wrap the environment in [`TimeLimit`](super::TimeLimit).
use super::{after_end, at_least, invalid_action};
use crate::cells::{CellMut, CellRef};
use crate::env::{
    Env, EnvContext, EnvError, EnvSpaces, InfoLeaf, MakeEnv, Reduce, Step, from_state, to_state,
};
use crate::schema::{DType, LeafSpec};
use crate::seed::{self, Rng};
use crate::space::Space;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const SIDE: usize = 3;
const CELLS: usize = SIDE * SIDE;
/// Up, right, down, left.
const ACTIONS: usize = 4;
// Leaves of the observation and of the info, in the order of the spaces.
const IMAGE: usize = 0;
const POSITION: usize = 1;
const MASK: usize = 2;
const DISTANCE: usize = 0;
const BUMPS: usize = 1;

/// Settings of [`DictToyEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DictToy {
    /// Number of lives: steps onto the trap until the episode ends, at least 1.
    pub lives: usize,
}

impl Default for DictToy {
    fn default() -> Self {
        Self { lives: 3 }
    }
}

impl MakeEnv for DictToy {
    type Env = DictToyEnv;

    fn make(&self, _context: &EnvContext) -> Result<DictToyEnv, EnvError> {
        at_least("lives", self.lives, 1)?;
        let now = Now {
            walker: 0,
            goal: 1,
            trap: 2,
            walk: Walk::default(),
            over: true,
            rng: seed::rng(0),
        };
        Ok(DictToyEnv { lives: self.lives, now })
    }
}

/// The environment. Observation: `image` `[2, 3, 3] u8` (walker; goal 255 and trap 128), `position` `[2] f32` (row and column
/// within -1..=1), `mask` `[4] bool`. Actions up, right, down, left; one that leads out of the grid is masked, and an error.
/// Info: `distance` to the goal (the trajectory keeps the last), `bumps` onto the trap (the trajectory keeps the sum).
#[derive(Clone, Debug)]
pub struct DictToyEnv {
    lives: usize,
    now: Now,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Now {
    walker: usize,
    goal: usize,
    trap: usize,
    walk: Walk,
    over: bool,
    rng: Rng,
}

/// The content of a note.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Walk {
    steps: usize,
    goals: usize,
    bumps: usize,
}

impl Walk {
    fn note(&self) -> String {
        format!(
            "walked {} steps, reached {} goals, bumped into {} traps",
            self.steps, self.goals, self.bumps
        )
    }
}

/// The cell that an action leads to, or `None` if that is outside the grid.
fn neighbour(cell: usize, action: usize) -> Option<usize> {
    let (row, column) = (cell / SIDE, cell % SIDE);
    match action {
        0 if row > 0 => Some(cell - SIDE),
        1 if column + 1 < SIDE => Some(cell + 1),
        2 if row + 1 < SIDE => Some(cell + SIDE),
        3 if column > 0 => Some(cell - 1),
        _ => None,
    }
}

fn distance(a: usize, b: usize) -> usize {
    (a / SIDE).abs_diff(b / SIDE) + (a % SIDE).abs_diff(b % SIDE)
}

/// A uniform draw among the free cells.
fn free_cell(rng: &mut Rng, taken: [usize; 2]) -> usize {
    loop {
        let cell = rng.random_range(0..CELLS);
        if !taken.contains(&cell) {
            return cell;
        }
    }
}

impl DictToyEnv {
    fn draw(&self, observation: &mut CellMut<'_>) {
        let Now { walker, goal, trap, .. } = self.now;
        let image = observation.u8(IMAGE);
        image.fill(0);
        image[walker] = 255;
        image[CELLS + goal] = 255;
        image[CELLS + trap] = 128;
        let scaled = |i: usize| i as f32 * 2.0 / (SIDE - 1) as f32 - 1.0;
        observation.f32(POSITION).copy_from_slice(&[scaled(walker / SIDE), scaled(walker % SIDE)]);
        for (action, allowed) in observation.u8(MASK).iter_mut().enumerate() {
            *allowed = u8::from(neighbour(walker, action).is_some());
        }
    }
}

impl Env for DictToyEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation = Space::Dict(vec![
            ("image".into(), Space::uniform_box(DType::U8, &[2, SIDE, SIDE], 0.0, 255.0)),
            ("position".into(), Space::uniform_box(DType::F32, &[2], -1.0, 1.0)),
            ("mask".into(), Space::uniform_box(DType::Bool, &[ACTIONS], 0.0, 1.0)),
        ]);
        let info = vec![
            InfoLeaf { spec: LeafSpec::scalar("distance", DType::F32), log: Reduce::Last },
            InfoLeaf { spec: LeafSpec::scalar("bumps", DType::I64), log: Reduce::Sum },
        ];
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: ACTIONS });
        EnvSpaces { info, action_mask: Some(MASK), ..spaces }
    }

    fn seed(&mut self, seed: u64) {
        self.now.rng = seed::rng(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let now = &mut self.now;
        now.walker = now.rng.random_range(0..CELLS);
        now.goal = free_cell(&mut now.rng, [now.walker; 2]);
        now.trap = free_cell(&mut now.rng, [now.walker, now.goal]);
        now.walk = Walk::default();
        now.over = false;
        self.draw(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let now = &mut self.now;
        if now.over {
            return Err(after_end());
        }
        let action = action.discrete();
        let index = usize::try_from(action).ok().filter(|a| *a < ACTIONS);
        let index = index.ok_or_else(|| invalid_action(action, ACTIONS))?;
        now.walker = neighbour(now.walker, index).ok_or_else(|| {
            EnvError::new(format!(
                "action {action} is masked: it leads out of the grid from cell {}",
                now.walker
            ))
        })?;
        now.walk.steps += 1;
        info.f32(DISTANCE)[0] = distance(now.walker, now.goal) as f32;
        let step = if now.walker == now.goal {
            now.walk.goals += 1;
            now.goal = free_cell(&mut now.rng, [now.walker, now.trap]);
            Step::running(1.0)
        } else if now.walker == now.trap {
            now.walk.bumps += 1;
            now.trap = free_cell(&mut now.rng, [now.walker, now.goal]);
            info.i64(BUMPS)[0] = 1;
            if now.walk.bumps < self.lives { Step::life_lost(-1.0) } else { Step::terminated(-1.0) }
        } else {
            Step::running(0.0)
        };
        now.over = step.reset;
        self.draw(observation);
        Ok(step)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.now)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.now = from_state(state)?;
        Ok(())
    }

    fn take_notes(&mut self) -> Vec<String> {
        // No note for a walk that has not begun.
        if self.now.walk.steps > 0 { vec![self.now.walk.note()] } else { vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::TimeLimit;
    use crate::envs::testing::Fixture;

    /// Walks to a neighbouring cell onto which `place` has put something.
    fn walk_onto(stage: &mut Fixture<DictToyEnv>, place: impl Fn(&mut Now, usize)) -> Step {
        let action = (0..ACTIONS).find(|a| neighbour(stage.env.now.walker, *a).is_some()).unwrap();
        let target = neighbour(stage.env.now.walker, action).unwrap();
        let away = free_cell(&mut seed::rng(5), [stage.env.now.walker, target]);
        (stage.env.now.goal, stage.env.now.trap) = (away, away);
        place(&mut stage.env.now, target);
        stage.step(action as i64).unwrap()
    }

    #[test]
    fn two_lives_are_lost_and_the_third_ends_the_episode() {
        let mut stage = Fixture::new(&DictToy::default(), 2);
        for _ in 0..2 {
            assert_eq!(walk_onto(&mut stage, |now, cell| now.trap = cell), Step::life_lost(-1.0));
            assert_eq!(stage.info().i64(BUMPS), [1]);
        }
        assert_eq!(walk_onto(&mut stage, |now, cell| now.goal = cell), Step::running(1.0));
        assert_eq!((stage.info().f32(DISTANCE), stage.info().i64(BUMPS)), (&[0.0][..], &[0][..]));
        assert_eq!(walk_onto(&mut stage, |now, cell| now.trap = cell), Step::terminated(-1.0));
        assert_eq!(
            stage.env.take_notes(),
            ["walked 4 steps, reached 1 goals, bumped into 3 traps"]
        );
        stage.reset();
        assert!(stage.env.take_notes().is_empty(), "another walk");
    }

    #[test]
    fn the_mask_allows_exactly_the_moves_that_do_not_fail() {
        for (seed, action) in
            (0..60).flat_map(|seed| (0..ACTIONS).map(move |action| (seed, action)))
        {
            let mut stage = Fixture::new(&DictToy::default(), seed);
            let allowed = stage.observation().u8(MASK)[action] != 0;
            let [row, column] = [stage.env.now.walker / SIDE, stage.env.now.walker % SIDE];
            assert_eq!(allowed, [row > 0, column < 2, row < 2, column > 0][action]);
            assert_eq!(stage.step(action as i64).is_ok(), allowed);
        }
    }

    #[test]
    fn a_lost_life_does_not_start_the_time_limit_anew() {
        let mut stage =
            Fixture::new(&TimeLimit { env: DictToy { lives: usize::MAX }, max_steps: 60 }, 4);
        let mut lost = 0;
        for t in 1..=60 {
            let mask = stage.observation().u8(MASK);
            let action = (0..ACTIONS).filter(|a| mask[*a] != 0).nth(t % 2).unwrap();
            let step = stage.step(action as i64).unwrap();
            lost += usize::from(step.terminated);
            assert_eq!((step.truncated, step.reset), (t == 60, t == 60));
        }
        assert!(lost > 0, "the walk found no trap: choose another seed");
        assert_eq!(stage.env.take_notes().len(), 1);
    }
}
