//! Draws a few anti-aliased shapes and text on pixels. Coordinates are in units of the picture, x to the right and y down.
use crate::font::FONT;
use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use tiny_skia::{
    Color, FillRule, LineCap, Paint, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, Transform,
};

/// Red, green, blue.
pub type Colour = [u8; 3];

/// From the palette of Okabe and Ito (2008), as the colours of figures.
pub const ORANGE: Colour = [213, 94, 0];
/// Colour of text and solid bodies.
pub const INK: Colour = [40, 44, 52];
/// Colour of lines for orientation, such as a track.
pub const PALE: Colour = [205, 208, 214];
/// Colour of less important text.
pub const GREY: Colour = [110, 114, 122];
/// Colour of the background.
pub const WHITE: Colour = [255, 255, 255];

/// A picture that is being drawn.
#[derive(Clone, Debug)]
pub struct Canvas {
    pixels: Pixmap,
    scale: f32,
}

fn paint(colour: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(Color::from_rgba8(colour[0], colour[1], colour[2], 255));
    paint.anti_alias = true;
    paint
}

impl Canvas {
    /// A picture of `size` units in one colour, with `scale` pixels per unit.
    ///
    /// # Panics
    /// A picture without pixels.
    pub fn new(size: (u32, u32), scale: f32, colour: Colour) -> Self {
        let pixels = |units: u32| ((units as f32 * scale).round() as u32).max(1);
        let mut pixels =
            Pixmap::new(pixels(size.0), pixels(size.1)).expect("both sides have a pixel");
        pixels.fill(Color::from_rgba8(colour[0], colour[1], colour[2], 255));
        Self { pixels, scale }
    }

    fn transform(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    fn fill(&mut self, path: Option<tiny_skia::Path>, colour: Colour) {
        // `None` for a shape without extent or with coordinates that are not finite: nothing is drawn.
        let Some(path) = path else { return };
        let at = self.transform();
        self.pixels.fill_path(&path, &paint(colour), FillRule::Winding, at, None);
    }

    /// Draws a filled rectangle.
    pub fn rect(&mut self, (x, y): (f32, f32), (w, h): (f32, f32), colour: Colour) {
        let rect = tiny_skia::Rect::from_xywh(x, y, w, h);
        self.fill(rect.map(PathBuilder::from_rect), colour);
    }

    /// Draws a filled circle.
    pub fn circle(&mut self, (x, y): (f32, f32), radius: f32, colour: Colour) {
        self.fill(PathBuilder::from_circle(x, y, radius), colour);
    }

    /// Draws a line with round ends.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        let mut path = PathBuilder::new();
        path.move_to(from.0, from.1);
        path.line_to(to.0, to.1);
        let Some(path) = path.finish() else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        let at = self.transform();
        self.pixels.stroke_path(&path, &paint(colour), &stroke, at, None);
    }

    /// Writes text that begins at `x` on the base line `y`, in letters `size` units high.
    pub fn text(&mut self, (x, y): (f32, f32), size: f32, colour: Colour, text: &str) {
        let font = font();
        let scale = PxScale::from(size * self.scale);
        let (mut at, base) = (x * self.scale, y * self.scale);
        let (width, height) = (self.pixels.width() as i32, self.pixels.height() as i32);
        for c in text.chars() {
            let glyph = font.glyph_id(c).with_scale_and_position(scale, point(at, base));
            at += font.as_scaled(scale).h_advance(glyph.id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let pixels = self.pixels.pixels_mut();
            outline.draw(|dx, dy, cover| {
                let (x, y) = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                if (0..width).contains(&x) && (0..height).contains(&y) {
                    let pixel = &mut pixels[(y * width + x) as usize];
                    *pixel = mixed(*pixel, colour, cover.clamp(0.0, 1.0));
                }
            });
        }
    }

    /// As [`Canvas::text`], ending at `x`.
    pub fn text_to(&mut self, (x, y): (f32, f32), size: f32, colour: Colour, text: &str) {
        let font = font();
        let scaled = font.as_scaled(PxScale::from(size));
        let width: f32 = text.chars().map(|c| scaled.h_advance(scaled.glyph_id(c))).sum();
        self.text((x - width, y), size, colour, text);
    }

    /// Copies another picture, pixel by pixel, with its upper left corner at `(x, y)`.
    pub fn put(&mut self, (x, y): (f32, f32), picture: &Canvas) {
        let (x, y) = ((x * self.scale).round() as i32, (y * self.scale).round() as i32);
        let (paint, at) = (tiny_skia::PixmapPaint::default(), Transform::identity());
        self.pixels.draw_pixmap(x, y, picture.pixels.as_ref(), &paint, at, None);
    }

    /// The pixels row by row, each as red, green, blue.
    pub fn rgb(&self) -> impl Iterator<Item = Colour> {
        self.pixels.pixels().iter().map(|p| [p.red(), p.green(), p.blue()])
    }

    /// Width and height in pixels.
    pub fn pixels(&self) -> (u32, u32) {
        (self.pixels.width(), self.pixels.height())
    }

    /// The picture as the bytes of a PNG file.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.pixels.encode_png()?)
    }
}

fn font() -> FontRef<'static> {
    FontRef::try_from_slice(FONT).expect("the font in this program is one")
}

fn mixed(under: PremultipliedColorU8, over: Colour, share: f32) -> PremultipliedColorU8 {
    let mix = |u: u8, o: u8| (f32::from(u) + (f32::from(o) - f32::from(u)) * share).round() as u8;
    let [r, g, b] = [(under.red(), over[0]), (under.green(), over[1]), (under.blue(), over[2])]
        .map(|(u, o)| mix(u, o));
    PremultipliedColorU8::from_rgba(r, g, b, 255).unwrap_or(under)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(canvas: &Canvas) -> usize {
        canvas.rgb().filter(|c| *c != WHITE).count()
    }

    #[test]
    fn shapes_cover_their_area() {
        let mut canvas = Canvas::new((40, 20), 2.0, WHITE);
        assert_eq!((canvas.pixels(), ink(&canvas)), ((80, 40), 0));
        canvas.rect((5.0, 5.0), (10.0, 5.0), INK);
        assert_eq!(ink(&canvas), 20 * 10);
        assert_eq!(canvas.rgb().nth(10 * 80 + 10), Some(INK));
        assert_eq!(canvas.rgb().nth(9 * 80 + 10), Some(WHITE));
    }

    #[test]
    fn text_ends_where_it_should() {
        let mut canvas = Canvas::new((60, 20), 1.0, WHITE);
        canvas.text_to((60.0, 15.0), 13.0, INK, "stop");
        let columns: Vec<usize> =
            canvas.rgb().enumerate().filter(|(_, c)| *c != WHITE).map(|(i, _)| i % 60).collect();
        let (first, last) = (columns.iter().min().unwrap(), columns.iter().max().unwrap());
        assert!(*last > 55 && *first > 20, "{first} to {last}");
        // Beyond the edge nothing is drawn, and nothing breaks.
        canvas.text((-5.0, 30.0), 13.0, INK, "out of sight");
        canvas.text((55.0, 2.0), 40.0, INK, "large");
    }

    #[test]
    fn what_is_not_finite_is_not_drawn() {
        let mut canvas = Canvas::new((10, 10), 1.0, WHITE);
        canvas.circle((f32::NAN, 1.0), 3.0, INK);
        canvas.line((0.0, 0.0), (f32::INFINITY, 1.0), 3.0, INK);
        assert_eq!(ink(&canvas), 0);
    }
}
