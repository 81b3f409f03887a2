//! Draws episodes as pictures, for `experiments watch`.
//!
//! [`play`] runs an agent in one environment and keeps the observations; a [`Renderer`] draws one observation; [`gif`] and [`sheet`]
//! combine the drawings. A renderer is given only the observation, so it does not depend on the internals of the environment.
pub mod canvas;
pub(crate) mod cartpole;
pub(crate) mod catch;
pub mod frame;
pub mod gif;
mod observation;
pub(crate) mod pendulum;
pub mod play;
pub mod sheet;

pub use observation::Observation;

use canvas::Canvas;

type Paint = Box<dyn Fn(&mut Canvas, &Observation)>;

/// Draws one environment's observations.
pub struct Renderer {
    /// Width and height of a picture at scale 1.
    pub size: (u32, u32),
    /// Duration of a step, hundredths of a second.
    pub delay: u16,
    paint: Paint,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Renderer({} x {})", self.size.0, self.size.1)
    }
}

impl Renderer {
    /// `size`: width and height of a picture, in the units in which `paint` draws. `delay`: hundredths of a second that a step
    /// lasts.
    pub fn new(
        size: (u32, u32),
        delay: u16,
        paint: impl Fn(&mut Canvas, &Observation) + 'static,
    ) -> Self {
        Self { size, delay, paint: Box::new(paint) }
    }

    /// Draws an observation.
    pub fn paint(&self, canvas: &mut Canvas, observation: &Observation) {
        (self.paint)(canvas, observation);
    }
}

#[cfg(test)]
mod tests {
    use super::canvas::WHITE;
    use super::*;
    use crate::Program;
    use std::sync::Arc;

    /// Two observations each, that look different.
    #[test]
    fn every_renderer_shows_what_is_observed() {
        let program = Program::new();
        let mut board = [vec![0.0; 50], vec![0.0; 50]];
        (board[0][1], board[1][7]) = (255.0, 255.0);
        let known = [
            ("cartpole", [vec![0.0; 4], vec![1.0, 0.0, 0.1, 0.0]]),
            ("catch", board),
            ("pendulum", [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]]),
        ];
        for (kind, observations) in known {
            let env = program.env_defaults(kind).unwrap();
            let factory = crate::assemble::env_factory(&program, "env", &env, None).unwrap();
            let spaces = factory.spaces().unwrap();
            let leaves: Arc<[_]> = spaces.observation.leaves("observation").into();
            let renderer = program.renderer_of(&env, &spaces).unwrap();
            let drawn = observations.map(|observation| {
                let mut canvas = Canvas::new(renderer.size, 0.5, WHITE);
                renderer.paint(&mut canvas, &Observation::new(&leaves, vec![observation]));
                canvas.rgb().collect::<Vec<_>>()
            });
            assert!(drawn.iter().all(|d| d.iter().any(|c| *c != WHITE)), "{kind}");
            assert_ne!(drawn[0], drawn[1], "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_says_what_can() {
        let program = Program::new();
        let env = program.env_defaults("memory").unwrap();
        let factory = crate::assemble::env_factory(&program, "env", &env, None).unwrap();
        let text = program.renderer_of(&env, &factory.spaces().unwrap()).unwrap_err().to_string();
        assert!(
            text.contains("memory has no renderer") && text.contains("cartpole, pendulum, catch"),
            "{text}"
        );
    }
}
