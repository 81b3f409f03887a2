//! Draws one step of an episode with a line of text above it.
use super::Renderer;
use super::canvas::{Canvas, GREY, INK, WHITE};
use super::play::Moment;

/// Height of the line of text, in pixels.
pub const HEAD: u32 = 26;

/// Draws one step `width` pixels wide, with text above it on the left and on the right.
pub fn frame(renderer: &Renderer, moment: &Moment, width: u32, left: &str, right: &str) -> Canvas {
    let scale = width as f32 / renderer.size.0 as f32;
    let mut drawing = Canvas::new(renderer.size, scale, WHITE);
    renderer.paint(&mut drawing, &moment.observation);
    let (width, height) = drawing.pixels();
    let mut frame = Canvas::new((width, height + HEAD), 1.0, WHITE);
    frame.put((0.0, HEAD as f32), &drawing);
    frame.text((8.0, 18.0), 15.0, GREY, left);
    frame.text_to((width as f32 - 8.0, 18.0), 15.0, INK, right);
    frame
}

/// Formats a return: one digit after the decimal point, none for whole numbers.
pub fn shown(value: f64) -> String {
    // Adding zero turns -0 into 0.
    let tenths = (value * 10.0).round() + 0.0;
    if tenths % 10.0 == 0.0 {
        format!("{:.0}", tenths / 10.0)
    } else {
        format!("{:.1}", tenths / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_short() {
        for (value, text) in [(500.0, "500"), (-0.0, "0"), (-0.04, "0"), (-198.26, "-198.3")] {
            assert_eq!(shown(value), text);
        }
    }
}
