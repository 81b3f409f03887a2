//! The figure itself, for any of plotters' backends: a panel for each environment (title, legend, axes, a line and a band for each
//! configuration), and a caption below them.
//!
//! Backends know whole pixels only, which shows in curves. So everything is drawn [`SCALE`] times as large as it is meant, and
//! [`super::output`] makes it smaller again.
use super::curve::{Band, Curve};
use super::ticks::short;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and height of a figure with one panel, as they are meant.
const ONE: (u32, u32) = (880, 540);
/// Width and height of a panel beside others.
const BESIDE: (u32, u32) = (660, 440);
/// Panels beside each other: two, or three where there are more than four.
const ACROSS: [usize; 2] = [2, 3];
/// Drawn pixels to one that is meant.
pub const SCALE: u32 = 4;

/// The palette of Okabe and Ito (2008), which colour-blind people can tell apart; yellow is left out, for it is pale on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(100, 100, 100);
const GRID: RGBColor = RGBColor(226, 226, 226);
const MARGIN: i32 = 18;
/// Height of a line of text.
const LINE: i32 = 21;

/// As many configurations as there are colours.
pub const MOST_CURVES: usize = COLOURS.len();

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Figure {
    /// At least one.
    pub panels: Vec<Panel>,
}

/// A pair of axes with everything in and around them.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Above everything.
    pub title: String,
    /// Below the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// At most [`MOST_CURVES`].
    pub lines: Vec<Line>,
}

/// A curve and its line in the legend.
#[derive(Clone, Debug)]
pub struct Line {
    /// What the legend says.
    pub label: String,
    /// Number of its colour, below [`MOST_CURVES`].
    pub colour: usize,
    /// What is drawn.
    pub curve: Curve,
}

impl Line {
    fn colour(&self) -> RGBColor {
        COLOURS[self.colour % COLOURS.len()]
    }
}

impl Figure {
    /// Columns and rows of panels.
    fn grid(&self) -> (usize, usize) {
        let n = self.panels.len();
        let across = if n <= 4 { ACROSS[0] } else { ACROSS[1] }.min(n);
        (across, n.div_ceil(across))
    }

    /// Width and height that are meant.
    pub fn size(&self) -> (u32, u32) {
        let (across, down) = self.grid();
        let (width, height) = if self.panels.len() == 1 { ONE } else { BESIDE };
        (width * across as u32, height * down as u32)
    }
}

/// What the band and the dashes mean, as far as this figure has them.
fn caption(figure: &Figure) -> String {
    let curves = || figure.panels.iter().flat_map(|p| &p.lines).map(|l| &l.curve);
    let has = |band| curves().any(|c| c.band == band);
    let band = match (has(Band::Std), has(Band::Range)) {
        (true, true) => {
            "Line: mean over seeds. Band: \u{b1} 1 standard deviation; of two seeds, from one to the other."
        }
        (true, false) => "Line: mean over seeds. Band: \u{b1} 1 standard deviation.",
        (false, true) => "Line: mean of two seeds. Band: from one to the other.",
        (false, false) => "",
    };
    let held = curves().any(|c| c.x.last().is_some_and(|x| *x > c.all_until));
    let dashes = if held { "Dashed: seeds that have ended hold their last value." } else { "" };
    [band, dashes].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("  ")
}

fn px(meant: i32) -> i32 {
    meant * SCALE as i32
}

fn font(size: i32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", px(size)).into_font().color(&colour)
}

type Area<DB> = DrawingArea<DB, Shift>;
type Drawn<DB, T = ()> =
    Result<T, DrawingAreaErrorKind<<DB as plotters::backend::DrawingBackend>::ErrorType>>;

/// Draws `figure` onto an area of [`Figure::size`] times [`SCALE`] pixels.
pub fn draw<DB: DrawingBackend>(root: &Area<DB>, figure: &Figure) -> Drawn<DB> {
    root.fill(&WHITE)?;
    let (_, height) = root.dim_in_pixel();
    let caption = caption(figure);
    let mut bottom = px(10);
    if !caption.is_empty() {
        let style = font(13, PALE).pos(Pos::new(HPos::Left, VPos::Top));
        root.draw(&Text::new(caption, (px(MARGIN), height as i32 - px(26)), style))?;
        bottom += px(LINE + 4);
    }
    let (across, down) = figure.grid();
    let places = root.margin(0, bottom, 0, 0).split_evenly((down, across));
    for (place, panel) in places.iter().zip(&figure.panels) {
        let title = font(19, INK).pos(Pos::new(HPos::Left, VPos::Top));
        place.draw(&Text::new(panel.title.clone(), (px(MARGIN), px(14)), title))?;
        let top = legend(place, panel, px(44))?;
        let below = if figure.panels.len() > 1 { px(8) } else { 0 };
        axes(&place.margin(top, below, px(MARGIN), px(MARGIN + 10)), panel)?;
    }
    root.present()
}

/// Draws the legend from `top` down, as many entries beside each other as fit; the value is where it ends.
fn legend<DB: DrawingBackend>(root: &Area<DB>, panel: &Panel, top: i32) -> Drawn<DB, i32> {
    let style = font(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
    let (swatch, gap) = (px(26), px(8));
    let end = root.dim_in_pixel().0 as i32 - px(MARGIN);
    let (mut x, mut y) = (px(MARGIN), top + px(LINE) / 2);
    for shown in &panel.lines {
        let (label, colour) = (&shown.label, shown.colour());
        // The font in which an SVG is shown may be wider than ours.
        let text = root.estimate_text_size(label, &style)?.0 as i32 * 6 / 5;
        let width = swatch + gap + text;
        if x > px(MARGIN) && x + width > end {
            (x, y) = (px(MARGIN), y + px(LINE));
        }
        if shown.curve.band != Band::None {
            let corners = [(x, y - px(6)), (x + swatch, y + px(6))];
            root.draw(&Rectangle::new(corners, colour.mix(0.2).filled()))?;
        }
        let line = ShapeStyle::from(&colour).stroke_width(px(5) as u32 / 2);
        root.draw(&PathElement::new([(x, y), (x + swatch, y)], line))?;
        root.draw(&Text::new(label.clone(), (x + swatch + gap, y), style.clone()))?;
        x += width + px(24);
    }
    Ok(y + px(LINE))
}

fn axes<DB: DrawingBackend>(area: &Area<DB>, panel: &Panel) -> Drawn<DB> {
    let curves = || panel.lines.iter().map(|l| &l.curve);
    // Steps and time begin at 0, whether or not something was logged there.
    let (x0, x1) = extent(curves().flat_map(|c| &c.x).chain(&[0.0]), 0.0);
    let (y0, y1) = extent(curves().flat_map(|c| c.low.iter().chain(&c.high)), 0.04);
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, px(66))
        .set_label_area_size(LabelAreaPosition::Bottom, px(46))
        .build_cartesian_2d(x0..x1, y0..y1)?;
    let tick = |v: &f64| short(*v);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ShapeStyle::from(&GRID).stroke_width(px(1) as u32))
        .axis_style(ShapeStyle::from(&PALE).stroke_width(px(1) as u32))
        .set_all_tick_mark_size(px(4))
        // Digits are centred on their line, not the font's whole height.
        .y_label_offset(px(2))
        .x_labels(9)
        .y_labels(7)
        .x_label_formatter(&tick)
        .y_label_formatter(&tick)
        .label_style(font(14, INK))
        .axis_desc_style(font(15, INK))
        .x_desc(panel.x_label.clone())
        .y_desc(panel.y_label.clone())
        .draw()?;
    // All bands below all lines.
    for line in panel.lines.iter().filter(|l| l.curve.band != Band::None) {
        let (curve, colour) = (&line.curve, line.colour());
        let edge = |values: &[f64]| -> Vec<(f64, f64)> {
            curve.x.iter().copied().zip(values.iter().copied()).collect()
        };
        let mut outline = edge(&curve.high);
        outline.extend(edge(&curve.low).into_iter().rev());
        chart.draw_series([Polygon::new(outline, colour.mix(0.2))])?;
    }
    for line in &panel.lines {
        let (curve, colour) = (&line.curve, line.colour());
        let points: Vec<(f64, f64)> =
            curve.x.iter().copied().zip(curve.mean.iter().copied()).collect();
        let all = points.partition_point(|p| p.0 <= curve.all_until);
        let style = ShapeStyle::from(&colour).stroke_width(px(5) as u32 / 2);
        chart.draw_series(LineSeries::new(points[..all].iter().copied(), style))?;
        // A single point has no length: a dot shows it.
        if points.len() == 1 {
            chart.draw_series([Circle::new(points[0], px(4), colour.filled())])?;
        }
        let rest = points[all.saturating_sub(1)..].to_vec();
        if points.len() > all {
            chart.draw_series(DashedLineSeries::new(rest, px(7), px(5), style))?;
        }
    }
    Ok(())
}

/// Smallest and largest of `values`, moved apart by `share` of their distance; never the same.
fn extent<'a>(values: impl Iterator<Item = &'a f64>, share: f64) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    if low < high {
        let more = (high - low) * share;
        (low - more, high + more)
    } else {
        let half = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        (low - half, low + half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(band: Band, all_until: f64) -> Figure {
        let (x, mean) = (vec![0.0, 1.0], vec![2.0, 2.0]);
        let curve = Curve { x, low: mean.clone(), high: mean.clone(), mean, band, all_until };
        let text = String::new;
        let lines = vec![Line { label: text(), colour: 0, curve }];
        Figure { panels: vec![Panel { title: text(), x_label: text(), y_label: text(), lines }] }
    }

    #[test]
    fn the_caption_says_what_is_there() {
        assert_eq!(caption(&figure(Band::None, 1.0)), "");
        assert!(caption(&figure(Band::Std, 1.0)).ends_with("1 standard deviation."));
        assert!(caption(&figure(Band::Range, 0.5)).contains("two seeds"));
        assert!(caption(&figure(Band::Range, 0.5)).ends_with("hold their last value."));
    }

    #[test]
    fn panels_stand_beside_each_other() {
        let one = figure(Band::None, 1.0).panels;
        let of = |n: usize| Figure { panels: vec![one[0].clone(); n] };
        let grids = [1, 2, 3, 4, 5, 10].map(|n| of(n).grid());
        assert_eq!(grids, [(1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 4)]);
        assert_eq!((of(1).size(), of(3).size()), ((880, 540), (1320, 880)));
    }

    #[test]
    fn an_axis_is_never_empty() {
        assert_eq!(extent([2.0, 4.0].iter(), 0.5), (1.0, 5.0));
        assert_eq!(extent([0.0, 0.0].iter(), 0.5), (-1.0, 1.0));
        assert_eq!(extent([-10.0].iter(), 0.0), (-11.0, -9.0));
    }
}
