//! Draws Catch from its pixels `[1, rows, columns]`, 0 to 255: the agent's observation, enlarged.
use super::Renderer;
use super::canvas::{Canvas, Colour, WHITE};

/// Approximate length of the board's longer side, in units of the picture.
const LONG: usize = 300;
/// Least width of a picture, which its caption needs.
const WIDTH: u32 = 220;
const GAP: f32 = 1.0;
const GRID: Colour = [66, 74, 90];

fn cell(rows: usize, columns: usize) -> usize {
    (LONG / rows.max(columns)).max(3)
}

pub(crate) fn renderer(rows: usize, columns: usize) -> Renderer {
    let side = cell(rows, columns);
    let size = ((columns * side) as u32, (rows * side) as u32);
    let size = (size.0.max(WIDTH), size.1);
    Renderer::new(size, 25, move |canvas, seen| paint(canvas, seen.leaf(0), rows, columns))
}

fn paint(canvas: &mut Canvas, observation: &[f64], rows: usize, columns: usize) {
    let side = cell(rows, columns) as f32;
    let width = (columns as f32 * side).max(WIDTH as f32);
    let left = (width - columns as f32 * side) / 2.0;
    canvas.rect((0.0, 0.0), (width, rows as f32 * side), WHITE);
    canvas.rect((left, 0.0), (columns as f32 * side, rows as f32 * side), GRID);
    for (i, value) in observation.iter().enumerate() {
        let at = (left + (i % columns) as f32 * side, (i / columns) as f32 * side);
        // 0 is a dark board, 255 a bright cell.
        let bright = (value / 255.0) as f32;
        let mix = |dark: f32, light: f32| (dark + (light - dark) * bright) as u8;
        let colour = [mix(38.0, 255.0), mix(44.0, 190.0), mix(56.0, 60.0)];
        canvas.rect((at.0 + GAP / 2.0, at.1 + GAP / 2.0), (side - GAP, side - GAP), colour);
    }
}
