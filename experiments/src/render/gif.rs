//! Writes episodes as one animated GIF with one frame per step.
//!
//! All frames share a palette: the 256 most frequent colours of a sample of frames. The drawings use few colours, of which
//! anti-aliasing makes shades; other shades are replaced by the nearest of the palette. Each frame except the first contains only
//! the rectangle that changed.
use super::Renderer;
use super::canvas::{Canvas, Colour};
use super::frame::{frame, shown};
use super::play::Episode;
use anyhow::{Context, Result};
use gif::{DisposalMethod, Encoder, Frame, Repeat};
use std::borrow::Cow;
use std::collections::HashMap;

/// How long the last frame of an episode is shown, hundredths of a second.
const END: u16 = 120;
/// Number of frames whose colours are counted for the palette.
const SAMPLE: usize = 48;
const COLOURS: usize = 256;

/// The episodes one after another at the environment's own speed, in an endless loop.
pub fn gif(renderer: &Renderer, episodes: &[Episode]) -> Result<Vec<u8>> {
    let frames: Vec<(usize, usize)> = episodes
        .iter()
        .enumerate()
        .flat_map(|(e, episode)| (0..episode.moments.len()).map(move |m| (e, m)))
        .collect();
    let draw = |(e, m): (usize, usize)| {
        let moment = &episodes[e].moments[m];
        let left = format!("episode {}, step {m}", e + 1);
        let right = format!("return {}", shown(moment.ret));
        frame(renderer, moment, renderer.size.0, &left, &right)
    };
    let every = frames.len().div_ceil(SAMPLE).max(1);
    let mut palette = Palette::of(frames.iter().step_by(every).map(|f| draw(*f)));
    let (width, height) = draw(*frames.first().context("there is an episode")?).pixels();
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width as u16, height as u16, &palette.bytes())?;
    encoder.set_repeat(Repeat::Infinite)?;
    let mut before = Vec::new();
    for (e, m) in frames {
        let pixels: Vec<u8> = draw((e, m)).rgb().map(|c| palette.nearest(c)).collect();
        let last = m + 1 == episodes[e].moments.len();
        let delay = if last { END } else { renderer.delay };
        encoder.write_frame(&changed(&before, &pixels, width as usize, delay))?;
        before = pixels;
    }
    drop(encoder);
    Ok(out)
}

/// The smallest rectangle that contains all differences between `before` and `now`; one pixel if there are none, because a frame is
/// needed for the delay.
fn changed(before: &[u8], now: &[u8], width: usize, delay: u16) -> Frame<'static> {
    let height = now.len() / width;
    let differs = |i: usize| before.get(i) != Some(&now[i]);
    let (mut x0, mut x1, mut y0, mut y1) = (width, 0, height, 0);
    for i in (0..now.len()).filter(|i| differs(*i)) {
        let (x, y) = (i % width, i / width);
        (x0, x1, y0, y1) = (x0.min(x), x1.max(x + 1), y0.min(y), y1.max(y + 1));
    }
    if x0 >= x1 {
        (x0, x1, y0, y1) = (0, 1, 0, 1);
    }
    let buffer: Vec<u8> =
        (y0..y1).flat_map(|y| &now[y * width + x0..y * width + x1]).copied().collect();
    Frame {
        delay,
        dispose: DisposalMethod::Keep,
        left: x0 as u16,
        top: y0 as u16,
        width: (x1 - x0) as u16,
        height: (y1 - y0) as u16,
        buffer: Cow::Owned(buffer),
        ..Frame::default()
    }
}

struct Palette {
    colours: Vec<Colour>,
    /// Of every colour that was asked for.
    index: HashMap<Colour, u8>,
}

impl Palette {
    fn of(pictures: impl Iterator<Item = Canvas>) -> Self {
        let mut counts: HashMap<Colour, u64> = HashMap::new();
        for picture in pictures {
            picture.rgb().for_each(|c| *counts.entry(c).or_default() += 1);
        }
        let mut colours: Vec<(Colour, u64)> = counts.into_iter().collect();
        // Equally frequent colours are ordered by value, so that the same episodes give the same file.
        colours.sort_unstable_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
        let colours = colours.into_iter().take(COLOURS).map(|(c, _)| c).collect();
        Self { colours, index: HashMap::new() }
    }

    fn nearest(&mut self, colour: Colour) -> u8 {
        let distance = |c: &Colour| -> i32 {
            c.iter().zip(colour).map(|(a, b)| (i32::from(*a) - i32::from(b)).pow(2)).sum()
        };
        let colours = &self.colours;
        *self.index.entry(colour).or_insert_with(|| {
            let best = colours.iter().enumerate().min_by_key(|(_, c)| distance(c));
            best.map_or(0, |(i, _)| i as u8)
        })
    }

    fn bytes(&self) -> Vec<u8> {
        self.colours.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_kept() {
        let before = [0u8; 12];
        let mut now = before;
        (now[5], now[10]) = (1, 2);
        let frame = changed(&before, &now, 4, 3);
        assert_eq!((frame.left, frame.top, frame.width, frame.height), (1, 1, 2, 2));
        assert_eq!((&frame.buffer[..], frame.delay), (&[1, 0, 0, 2][..], 3));
        let same = changed(&now, &now, 4, 3);
        assert_eq!((same.width, same.height, &same.buffer[..]), (1, 1, &[0][..]));
        let first = changed(&[], &now, 4, 3);
        assert_eq!((first.width, first.height, &first.buffer[..]), (4, 3, &now[..]));
    }

    #[test]
    fn frequent_colours_are_exact_and_others_near() {
        let canvas = |colour| Canvas::new((2, 2), 1.0, colour);
        let mut palette = Palette::of([canvas([0, 0, 0]), canvas([9, 9, 9])].into_iter());
        assert_eq!(palette.bytes(), [0, 0, 0, 9, 9, 9]);
        assert_eq!([palette.nearest([9, 9, 9]), palette.nearest([3, 3, 3])], [1, 0]);
    }
}
