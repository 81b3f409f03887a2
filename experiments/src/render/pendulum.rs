//! Draws Pendulum from `[cos theta, sin theta, theta']`. theta is 0 upright and grows anticlockwise, as in Gymnasium's
//! `PendulumEnv.render`.
use super::Renderer;
use super::canvas::{Canvas, INK, ORANGE, PALE, WHITE};

const SIZE: (u32, u32) = (260, 260);
const LENGTH: f32 = 96.0;

pub(crate) fn renderer() -> Renderer {
    Renderer::new(SIZE, 5, |canvas, seen| paint(canvas, seen.leaf(0)))
}

/// End of a rod of length 1 relative to the axle, x to the right and y down.
fn end(observation: &[f64]) -> (f32, f32) {
    (-observation[1] as f32, -observation[0] as f32)
}

fn paint(canvas: &mut Canvas, observation: &[f64]) {
    let axle = (SIZE.0 as f32 / 2.0, SIZE.1 as f32 / 2.0);
    canvas.rect((0.0, 0.0), (SIZE.0 as f32, SIZE.1 as f32), WHITE);
    canvas.circle(axle, LENGTH + 15.0, PALE);
    canvas.circle(axle, LENGTH + 13.5, WHITE);
    // A mark at the upright position, the goal.
    canvas.line((axle.0, axle.1 - LENGTH - 19.0), (axle.0, axle.1 - LENGTH - 9.0), 2.0, INK);
    let (right, down) = end(observation);
    canvas.line(axle, (axle.0 + right * LENGTH, axle.1 + down * LENGTH), 18.0, ORANGE);
    canvas.circle(axle, 5.0, INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_hangs_and_falls_to_the_left() {
        let at = |theta: f64| end(&[theta.cos(), theta.sin(), 0.0]);
        let near = |(x, y): (f32, f32), want: (f32, f32)| {
            assert!((x - want.0).abs() < 1e-6 && (y - want.1).abs() < 1e-6, "{x} {y}");
        };
        near(at(0.0), (0.0, -1.0));
        near(at(std::f64::consts::PI), (0.0, 1.0));
        near(at(std::f64::consts::FRAC_PI_2), (-1.0, 0.0));
    }
}
