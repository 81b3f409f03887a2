//! One drawing as SVG and as PNG.
use super::draw::{Figure, SCALE, draw};
use crate::font::FONT;
use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use tiny_skia::{Pixmap, PremultipliedColorU8};

/// Pixels of the PNG to one that is meant, for screens with small pixels and for print.
pub const PNG_SCALE: u32 = 2;

fn set_font() -> Result<()> {
    // Text is laid out by this font also where, as in an SVG, another may show it.
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| anyhow!("the font is broken"))
}

/// The figure as an SVG document of [`Figure::size`] pixels.
pub fn svg(figure: &Figure) -> Result<String> {
    set_font()?;
    let mut text = String::new();
    let size = figure.size();
    let (width, height) = (size.0 * SCALE, size.1 * SCALE);
    draw(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area(), figure)?;
    // Drawn large, shown small: only the outermost element knows.
    let large = format!(r#"<svg width="{width}" height="{height}""#);
    let small = format!(r#"<svg width="{}" height="{}""#, size.0, size.1);
    Ok(text.replacen(&large, &small, 1))
}

/// The figure as a PNG of [`Figure::size`] times [`PNG_SCALE`] pixels.
pub fn png(figure: &Figure) -> Result<Vec<u8>> {
    set_font()?;
    let size = figure.size();
    let (width, height) = (size.0 * SCALE, size.1 * SCALE);
    let mut rgb = vec![0; (width * height * 3) as usize];
    draw(&BitMapBackend::with_buffer(&mut rgb, (width, height)).into_drawing_area(), figure)?;
    let by = (SCALE / PNG_SCALE) as usize;
    let mut small =
        Pixmap::new(size.0 * PNG_SCALE, size.1 * PNG_SCALE).context("a picture has a size")?;
    let columns = small.width() as usize;
    for (i, pixel) in small.pixels_mut().iter_mut().enumerate() {
        let (x, y) = (i % columns * by, i / columns * by);
        // The mean of the pixels that become one.
        let [r, g, b] = [0, 1, 2].map(|channel| {
            let at = |i: usize| ((y + i / by) * width as usize + x + i % by) * 3 + channel;
            let sum: usize = (0..by * by).map(|i| rgb[at(i)] as usize).sum();
            (sum / (by * by)) as u8
        });
        *pixel = PremultipliedColorU8::from_rgba(r, g, b, 255).context("opaque colours exist")?;
    }
    Ok(small.encode_png()?)
}
