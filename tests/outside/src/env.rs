//! A point walks on a plane to a goal.
use experiments::render::Renderer;
use experiments::render::canvas::{INK, ORANGE};
use rand::RngExt;
use rlcore::env::{from_state, to_state};
use rlcore::seed::{self, Rng};
use rlcore::{CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, MakeEnv, Space, Step};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Steps until an episode is cut off.
    max_steps: usize,
    /// Length of a step; the plane is 2 wide.
    stride: f32,
}

impl Default for Reach {
    fn default() -> Self {
        Self { max_steps: 40, stride: 0.2 }
    }
}

impl MakeEnv for Reach {
    type Env = ReachEnv;

    fn make(&self, _context: &EnvContext) -> Result<ReachEnv, EnvError> {
        let now = Now { position: [0.0; 2], goal: [0.0; 2], left: 0, rng: seed::rng(0) };
        Ok(ReachEnv { settings: self.clone(), now })
    }
}

pub struct ReachEnv {
    settings: Reach,
    now: Now,
}

#[derive(Serialize, Deserialize)]
struct Now {
    position: [f32; 2],
    goal: [f32; 2],
    left: usize,
    rng: Rng,
}

impl ReachEnv {
    fn show(&self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        observation.write(0, &self.now.position)?;
        Ok(observation.write(1, &self.now.goal)?)
    }
}

impl Env for ReachEnv {
    fn spaces(&self) -> EnvSpaces {
        let plane = Space::uniform_box(DType::F32, &[2], -1.0, 1.0);
        let observation =
            Space::Dict(vec![("position".into(), plane.clone()), ("goal".into(), plane)]);
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: 4 });
        EnvSpaces { truncates_every: Some(self.settings.max_steps), ..spaces }
    }

    fn seed(&mut self, seed: u64) {
        self.now.rng = seed::rng(seed);
    }

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        let mut draw = || self.now.rng.random_range(-1.0..1.0);
        let (position, goal) = ([draw(), draw()], [draw(), draw()]);
        (self.now.position, self.now.goal) = (position, goal);
        self.now.left = self.settings.max_steps;
        self.show(observation)
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let no_step = || EnvError::new("stepped without a reset");
        self.now.left = self.now.left.checked_sub(1).ok_or_else(no_step)?;
        let (axis, sign) = match action.discrete() {
            a @ 0..4 => ((a / 2) as usize, if a % 2 == 0 { 1.0 } else { -1.0 }),
            a => return Err(EnvError::new(format!("action {a} is not one of 0..4"))),
        };
        let at = &mut self.now.position[axis];
        *at = (*at + sign * self.settings.stride).clamp(-1.0, 1.0);
        self.show(observation)?;
        let [dx, dy] = [0, 1].map(|i| self.now.position[i] - self.now.goal[i]);
        let there = dx.hypot(dy) < self.settings.stride;
        Ok(match (there, self.now.left) {
            (true, _) => {
                self.now.left = 0;
                Step::terminated(1.0)
            }
            (false, 0) => Step::truncated(-0.01),
            (false, _) => Step::running(-0.01),
        })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.now)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.now = from_state(state)?;
        Ok(())
    }
}

pub fn renderer() -> Renderer {
    Renderer::new((220, 220), 10, |canvas, seen| {
        let on = |leaf: &str| {
            let at = seen.named(leaf);
            (110.0 + 100.0 * at[0] as f32, 110.0 - 100.0 * at[1] as f32)
        };
        canvas.circle(on("goal"), 14.0, ORANGE);
        canvas.circle(on("position"), 7.0, INK);
    })
}

#[cfg(test)]
mod tests {
    use rlcore::conformance::{Options, assert_conforms};

    #[test]
    fn it_conforms() {
        assert_conforms(&super::Reach::default(), &Options::default());
    }
}
