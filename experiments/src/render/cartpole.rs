//! Draws CartPole from `[x, x', theta, theta']`: position in metres, angle from upright in radians, positive to the right.
//!
//! The proportions are those of Gymnasium's `CartPoleEnv.render`: 4.8 m of track, and the episode ends beyond 2.4 m on each side.
use super::Renderer;
use super::canvas::{Canvas, INK, ORANGE, PALE, WHITE};

const SIZE: (u32, u32) = (400, 240);
/// Distance from the centre at which the episode ends, metres.
const LIMIT: f32 = 2.4;
/// Half of the visible width, metres: a cart at the limit is fully visible.
const VIEW: f32 = 2.9;
const TRACK: f32 = 190.0;

pub(crate) fn renderer() -> Renderer {
    Renderer::new(SIZE, 2, |canvas, seen| paint(canvas, seen.leaf(0)))
}

fn paint(canvas: &mut Canvas, observation: &[f64]) {
    let metre = SIZE.0 as f32 / (2.0 * VIEW);
    let across = |x: f32| SIZE.0 as f32 / 2.0 + x * metre;
    let (x, theta) = (across(observation[0] as f32), observation[2] as f32);
    canvas.rect((0.0, 0.0), (SIZE.0 as f32, SIZE.1 as f32), WHITE);
    canvas.line((0.0, TRACK), (SIZE.0 as f32, TRACK), 2.0, PALE);
    for side in [-LIMIT, LIMIT] {
        canvas.line((across(side), TRACK - 9.0), (across(side), TRACK + 9.0), 2.0, PALE);
    }
    let (width, height) = (60.0, 32.0);
    canvas.rect((x - width / 2.0, TRACK - height / 2.0), (width, height), INK);
    let axle = (x, TRACK - height / 4.0);
    // The pole is drawn longer than its metre, because small angles matter.
    let length = 1.3 * metre;
    let tip = (axle.0 + length * theta.sin(), axle.1 - length * theta.cos());
    canvas.line(axle, tip, 9.0, ORANGE);
    canvas.circle(axle, 3.0, PALE);
}
