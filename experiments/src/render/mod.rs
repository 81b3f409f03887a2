//! Episodes as pictures: what `experiments watch` writes.
//!
//! [`play`] runs an agent in one environment and keeps what was seen; a [`Renderer`] draws one observation; [`gif`] and [`sheet`]
//! put the drawings together. Renderers see the observation alone, so they need nothing of an environment's inside.
pub mod canvas;
mod cartpole;
mod catch;
pub mod frame;
pub mod gif;
mod pendulum;
pub mod play;
pub mod sheet;

use anyhow::{Result, bail, ensure};
use canvas::Canvas;
use rlcore::space::Space;

/// Draws one environment's observations.
#[derive(Clone, Debug)]
pub struct Renderer {
    /// Width and height of a picture at scale 1.
    pub size: (u32, u32),
    /// Hundredths of a second that a step lasts.
    pub delay: u16,
    /// Shape of the observation.
    shape: Vec<usize>,
    paint: fn(&mut Canvas, &[f64], &[usize]),
}

impl Renderer {
    /// Draws `observation`, flat.
    pub fn paint(&self, canvas: &mut Canvas, observation: &[f64]) {
        (self.paint)(canvas, observation, &self.shape);
    }
}

/// Environments (`env.kind`) that have a renderer.
pub const RENDERED: [&str; 3] = ["cartpole", "catch", "pendulum"];

/// The renderer of the environment of this kind, whose observations are of this space.
pub fn renderer(kind: &str, observation: &Space) -> Result<Renderer> {
    let leaves = observation.leaves("observation");
    let shape = leaves.first().map(|l| l.shape.clone()).unwrap_or_default();
    let renderer = match (kind, shape.as_slice()) {
        ("cartpole", [4]) => cartpole::renderer(),
        ("catch", [1, rows, columns]) => catch::renderer(*rows, *columns),
        ("pendulum", [3]) => pendulum::renderer(),
        _ => {
            ensure!(
                !RENDERED.contains(&kind),
                "observations of {kind} have another shape than its renderer knows: {shape:?}"
            );
            bail!("{kind} has no renderer; these environments have one: {}", RENDERED.join(", "))
        }
    };
    Ok(renderer)
}

#[cfg(test)]
mod tests {
    use super::canvas::WHITE;
    use super::*;
    use rlcore::DType;

    type Known = (&'static str, &'static [usize], [Vec<f64>; 2]);

    fn pixels(shape: &[usize]) -> Space {
        Space::uniform_box(DType::F32, shape, -10.0, 255.0)
    }

    /// Two observations each, that look different.
    #[test]
    fn every_renderer_shows_what_is_observed() {
        let mut board = [vec![0.0; 12], vec![0.0; 12]];
        (board[0][1], board[1][2]) = (255.0, 255.0);
        let known: [Known; 3] = [
            ("cartpole", &[4], [vec![0.0; 4], vec![1.0, 0.0, 0.1, 0.0]]),
            ("catch", &[1, 4, 3], board),
            ("pendulum", &[3], [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]]),
        ];
        assert_eq!(known.each_ref().map(|k| k.0), RENDERED);
        for (kind, shape, observations) in known {
            let renderer = renderer(kind, &pixels(shape)).unwrap();
            let drawn = observations.map(|observation| {
                let mut canvas = Canvas::new(renderer.size, 0.5, WHITE);
                renderer.paint(&mut canvas, &observation);
                canvas.rgb().collect::<Vec<_>>()
            });
            assert!(drawn.iter().all(|d| d.iter().any(|c| *c != WHITE)), "{kind}");
            assert_ne!(drawn[0], drawn[1], "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_says_what_can() {
        let text = renderer("memory", &pixels(&[3])).unwrap_err().to_string();
        assert!(
            text.contains("memory has no renderer") && text.contains("cartpole, catch"),
            "{text}"
        );
        let text = renderer("cartpole", &pixels(&[2])).unwrap_err().to_string();
        assert!(text.contains("another shape"), "{text}");
    }
}
