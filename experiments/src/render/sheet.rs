//! Draws episodes as one picture with one row of frames per episode, from the first step to the last.
use super::Renderer;
use super::canvas::{Canvas, GREY, INK, WHITE};
use super::frame::{frame, shown};
use super::play::Episode;

/// Frames per row.
const COLUMNS: usize = 6;
/// Width of a frame, in pixels.
const TILE: u32 = 240;
const GAP: u32 = 16;
/// Height of the heading, and of the line above each row, pixels.
const HEADING: u32 = 44;
const LINE: u32 = 30;

/// Draws the sheet with `heading` above it.
pub fn sheet(renderer: &Renderer, episodes: &[Episode], heading: &str) -> Canvas {
    let rows: Vec<Vec<Canvas>> = episodes.iter().map(|e| row(renderer, e)).collect();
    let tile = rows.first().and_then(|r| r.first()).map_or((TILE, TILE), Canvas::pixels);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(3) as u32;
    let width = GAP + columns * (tile.0 + GAP);
    let height = HEADING + rows.len() as u32 * (LINE + tile.1 + GAP);
    let mut sheet = Canvas::new((width, height), 1.0, [240, 241, 243]);
    sheet.rect((0.0, 0.0), (width as f32, HEADING as f32), WHITE);
    sheet.text((GAP as f32, 29.0), 20.0, INK, heading);
    for (i, (row, episode)) in rows.iter().zip(episodes).enumerate() {
        let top = HEADING + i as u32 * (LINE + tile.1 + GAP);
        let how = if episode.is_cut { ", cut off" } else { "" };
        let (steps, ret) = (episode.steps(), shown(episode.ret()));
        let line = format!("episode {}: {steps} steps, return {ret}{how}", i + 1);
        sheet.text((GAP as f32, (top + 21) as f32), 16.0, GREY, &line);
        for (c, picture) in row.iter().enumerate() {
            let left = GAP + c as u32 * (tile.0 + GAP);
            sheet.put((left as f32, (top + LINE) as f32), picture);
        }
    }
    sheet
}

fn row(renderer: &Renderer, episode: &Episode) -> Vec<Canvas> {
    let draw = |m: usize| {
        let moment = &episode.moments[m];
        let right = format!("return {}", shown(moment.ret));
        frame(renderer, moment, TILE, &format!("step {m}"), &right)
    };
    spread(episode.moments.len(), COLUMNS).into_iter().map(draw).collect()
}

/// At most `n` indices of `0..len`, evenly spaced, including the first and the last.
fn spread(len: usize, n: usize) -> Vec<usize> {
    if len <= n {
        return (0..len).collect();
    }
    (0..n).map(|i| (i * (len - 1) + (n - 1) / 2) / (n - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_from_end_to_end() {
        assert_eq!(spread(3, 6), [0, 1, 2]);
        assert_eq!(spread(10, 6), [0, 2, 4, 5, 7, 9]);
        assert_eq!(spread(501, 6), [0, 100, 200, 300, 400, 500]);
    }
}
