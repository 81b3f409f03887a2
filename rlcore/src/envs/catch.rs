//! Catch: a ball falls down a board, and the paddle in the bottom row must be below it when it lands.
//!
//! After bsuite (`bsuite/environments/catch.py`) and dm_env's example of the same name: the ball starts in a random column
//! of the top row and falls one row per step; the paddle starts in the middle. Observations are bytes 0 and 255, instead of floats
//! 0 and 1. The best return is 1; the mean return of any policy that ignores the ball is `2/columns - 1`.
use super::{MOST, after_end, at_least, at_most, invalid_action};
use crate::cells::{CellMut, CellRef};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Step, from_state, to_state};
use crate::schema::DType;
use crate::seed::{self, Rng};
use crate::space::Space;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of [`CatchEnv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Catch {
    /// Number of rows, at least 2; an episode has one step less (bsuite: 10).
    pub rows: usize,
    /// Number of columns, at least 1 (bsuite: 5).
    pub columns: usize,
}

impl Default for Catch {
    fn default() -> Self {
        Self { rows: 10, columns: 5 }
    }
}

impl MakeEnv for Catch {
    type Env = CatchEnv;

    fn make(&self, _context: &EnvContext) -> Result<CatchEnv, EnvError> {
        at_least("rows", self.rows, 2)?;
        at_least("columns", self.columns, 1)?;
        at_most("rows * columns", self.rows.saturating_mul(self.columns), MOST)?;
        let now = Now { ball: [0, 0], paddle: 0, over: true, rng: seed::rng(0) };
        Ok(CatchEnv { board: self.clone(), now })
    }
}

/// The environment. Observation `[1, rows, columns] u8`, 255 at ball and paddle; actions left, stay, right. The reward is 1
/// or -1 on the last step and 0 before.
#[derive(Clone, Debug)]
pub struct CatchEnv {
    board: Catch,
    now: Now,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Now {
    /// Row, column.
    ball: [usize; 2],
    /// Column.
    paddle: usize,
    over: bool,
    rng: Rng,
}

impl CatchEnv {
    fn draw(&self, observation: &mut CellMut<'_>) {
        let pixels = observation.u8(0);
        pixels.fill(0);
        let Catch { rows, columns } = self.board;
        pixels[self.now.ball[0] * columns + self.now.ball[1]] = 255;
        pixels[(rows - 1) * columns + self.now.paddle] = 255;
    }
}

impl Env for CatchEnv {
    fn spaces(&self) -> EnvSpaces {
        let shape = [1, self.board.rows, self.board.columns];
        EnvSpaces::new(Space::uniform_box(DType::U8, &shape, 0.0, 255.0), Space::Discrete { n: 3 })
    }

    fn seed(&mut self, seed: u64) {
        self.now.rng = seed::rng(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let columns = self.board.columns;
        self.now.ball = [0, self.now.rng.random_range(0..columns)];
        self.now.paddle = columns / 2;
        self.now.over = false;
        self.draw(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let now = &mut self.now;
        if now.over {
            return Err(after_end());
        }
        now.paddle = match action.discrete() {
            0 => now.paddle.saturating_sub(1),
            1 => now.paddle,
            2 => (now.paddle + 1).min(self.board.columns - 1),
            other => return Err(invalid_action(other, 3)),
        };
        now.ball[0] += 1;
        now.over = now.ball[0] == self.board.rows - 1;
        let caught = now.ball[1] == now.paddle;
        let step = match (now.over, caught) {
            (false, _) => Step::running(0.0),
            (true, true) => Step::terminated(1.0),
            (true, false) => Step::terminated(-1.0),
        };
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::testing::Fixture;

    /// The return and the length of one episode of a player who sees ball and paddle columns.
    fn play(stage: &mut Fixture<CatchEnv>, player: impl Fn(usize, usize) -> i64) -> (f64, usize) {
        stage.reset();
        for length in 1.. {
            let action = player(stage.env.now.ball[1], stage.env.now.paddle);
            let step = stage.step(action).unwrap();
            if step.reset {
                return (step.reward, length);
            }
            assert_eq!(step, Step::running(0.0));
        }
        unreachable!()
    }

    #[test]
    fn who_follows_the_ball_catches_it_and_who_flees_does_not() {
        let mut stage = Fixture::new(&Catch::default(), 3);
        for _ in 0..50 {
            let follow = |ball: usize, paddle: usize| 1 + (ball as i64 - paddle as i64).signum();
            assert_eq!(play(&mut stage, follow), (1.0, 9));
            let flee = |ball, _| if ball <= 2 { 2 } else { 0 };
            assert_eq!(play(&mut stage, flee), (-1.0, 9));
        }
    }

    #[test]
    fn boards_that_cannot_be_counted_are_refused() {
        let context = EnvContext { env_rank: crate::EnvRank(0) };
        for (rows, columns) in [(usize::MAX, 5), (10, usize::MAX), (1 << 20, 1 << 20)] {
            let text = Catch { rows, columns }.make(&context).unwrap_err().to_string();
            assert!(text.contains("must be at most"), "{text}");
        }
    }

    #[test]
    fn the_image_is_a_ball_over_a_paddle() {
        let mut stage = Fixture::new(&Catch { rows: 3, columns: 3 }, 1);
        stage.env.now.ball = [0, 2];
        stage.step(0).unwrap();
        assert_eq!(stage.observation().u8(0), [0, 0, 0, 0, 0, 255, 255, 0, 0]);
        assert_eq!(stage.step(0).unwrap(), Step::terminated(-1.0));
        assert_eq!(
            stage.observation().u8(0),
            [0, 0, 0, 0, 0, 0, 255, 0, 255],
            "the wall stops the paddle"
        );
        assert!(stage.step(1).is_err());
    }
}
