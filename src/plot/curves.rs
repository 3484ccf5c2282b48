//! Landscapes with one axis: one curve a model.

use super::colour::curve;
use super::contour::{is_masked, signed_cost};
use super::field::{Fields, Layer};
use super::levels::Ticks;
use super::map::{both_ends, inputs, key_of, veil};
use super::marks::{self, Frame};
use super::page::{self, Heading, LEADING, MARGIN, TEXT, TICK, centred, ticks_across, upwards, widest};
use super::svg::{Anchor, Canvas, Length, Path, Svg};
use super::text::Line;
use super::{Landscape, Masked, Style};

/// Length of the sample of a curve in the legend, and the gaps around it.
const SAMPLE: f64 = 15.0;
const BESIDE_SAMPLE: f64 = 4.0;
const BETWEEN: f64 = 10.0;

/// Draws the figure.
pub fn draw(landscape: &Landscape, fields: &Fields, style: &Style) -> Svg {
    let page_width = style.width.points();
    let range = span(fields, style);
    let height = if style.width.is_narrow() { 140.0 } else { 190.0 };
    let ticks_up = Ticks::new(range, 7);
    let label = landscape.axes.first().map_or_else(|| Line::plain(""), |axis| Line::of_axis(&axis.label));
    let left = MARGIN + TEXT + 4.0 + widest(&ticks_up) + TICK;
    let x = (fields.grid.x[0], fields.grid.x[fields.grid.x.len() - 1]);
    let overhang = 0.5 * widest(&ticks_across(x, page_width, 6));
    let width = page_width - left - overhang - MARGIN;
    let ticks = ticks_across(x, width, 6);
    let heading = Heading::new(landscape, style, &fields.caption, key_of(landscape, fields), width);
    let legend = Legend::new(fields, left, width);
    let top = MARGIN + heading.height() + legend.height() + 4.0;
    let frame = Frame { left, top, width, height, x, y: range };

    let mut canvas = Canvas::new();
    heading.draw(&mut canvas, left, MARGIN);
    legend.draw(&mut canvas, MARGIN + heading.height());
    content(&mut canvas, (fields, style), &frame);
    frame.outline(&mut canvas);
    page::ticks_below(&mut canvas, &frame, &ticks, true);
    page::ticks_left(&mut canvas, &frame, &ticks_up, true);
    signs(&mut canvas, landscape, fields, &frame);
    let below = frame.bottom() + TICK + TEXT + 0.5 * LEADING;
    centred(&mut canvas, label, [frame.middle()[0], below], TEXT, page_width - 2.0 * MARGIN);
    let page = (page_width, below + 0.5 * LEADING + MARGIN);
    let room = (MARGIN + heading.height() + legend.height(), page.1 - MARGIN);
    let at = [left - TICK - widest(&ticks_up) - 4.0, frame.middle()[1]];
    upwards(&mut canvas, fields.quantity.clone(), at, room);
    canvas.finish(page, &landscape.title)
}

/// Draws the curves small in a frame, without words around it; returns the range of the vertical axis.
pub fn small(
    canvas: &mut Canvas,
    landscape: &Landscape,
    (fields, style): (&Fields, &Style),
    frame: &Frame,
) -> (f64, f64) {
    let x = (fields.grid.x[0], fields.grid.x[fields.grid.x.len() - 1]);
    let range = span(fields, style);
    let frame = Frame { x, y: range, ..*frame };
    content(canvas, (fields, style), &frame);
    frame.outline(canvas);
    signs(canvas, landscape, fields, &frame);
    let notes = fields.layers.iter().find_map(|layer| layer.note.as_ref().or(Some(&layer.remark)));
    if let Some(words) = notes.filter(|words| !words.is_empty()) {
        page::remark(canvas, &frame, words, &[]);
    }
    range
}

/// Mask and curves.
fn content(canvas: &mut Canvas, (fields, style): (&Fields, &Style), frame: &Frame) {
    frame.fill(canvas, "#fff");
    let stretches = masked_stretches(fields, frame);
    // Curves are seen over the hatching, unless they are to be hidden.
    match style.masked {
        Masked::Pale => {
            marks::mask(canvas, &stretches, veil(fields, style));
            curves(canvas, fields, frame);
        }
        Masked::Hidden => {
            curves(canvas, fields, frame);
            marks::mask(canvas, &stretches, veil(fields, style));
        }
    }
}

/// The vertical range: that of the levels, with some air below and the input structure in it, unless somebody asked for it
/// exactly, or it is symmetric.
fn span(fields: &Fields, style: &Style) -> (f64, f64) {
    let (low, high) = fields.levels.range();
    if style.range.is_some() || style.difference.is_some() {
        return (low, high);
    }
    // An input beyond reason, or much higher than the curves, stays outside.
    let inputs = || {
        let layers = fields.layers.iter().filter_map(|layer| Some((layer.input?, layer.floor)));
        let within_reach = |(value, floor): &(f64, f64)| *value >= *floor && *value <= high + (high - low);
        layers.filter(within_reach).map(|(value, _)| value)
    };
    let (low, high) = (inputs().fold(low, f64::min), inputs().fold(high, f64::max));
    (low - 0.05 * (high - low), high)
}

/// Masked intervals as rectangles of the page.
fn masked_stretches(fields: &Fields, frame: &Frame) -> Vec<Vec<[f64; 2]>> {
    let (x, cost) = (&fields.grid.x, &fields.cost);
    let signed = signed_cost(cost, cost.len());
    let zero = |i: usize| x[i] + (x[i + 1] - x[i]) * signed[i] / (signed[i] - signed[i + 1]);
    let mut ends = Vec::new();
    for i in 0..cost.len() {
        let (here, before) = (is_masked(cost[i]), i > 0 && is_masked(cost[i - 1]));
        if here != before {
            ends.push(if i == 0 { x[0] } else { zero(i - 1) });
        }
    }
    // A stretch that is still open ends with the axis.
    ends.extend(x.last().filter(|_| ends.len() % 2 == 1));
    let rectangle = |pair: &[f64]| {
        let ([left, top], [right, bottom]) =
            (frame.place([pair[0], frame.y.1]), frame.place([pair[1], frame.y.0]));
        vec![[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    };
    ends.chunks_exact(2).map(rectangle).collect()
}

/// The curves, cut off at the frame.
fn curves(canvas: &mut Canvas, fields: &Fields, frame: &Frame) {
    let [x, y, w, h] = [frame.left, frame.top, frame.width, frame.height].map(Length);
    // One a frame.
    let name = format!("at-{x}-{y}");
    canvas.add(format_args!(
        "<clipPath id=\"{name}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/></clipPath>\n\
         <g clip-path=\"url(#{name})\" fill=\"none\" stroke-width=\"1.1\">"
    ));
    if frame.y.0 < 0.0 && frame.y.1 > 0.0 {
        let ([left, y], [right, _]) = (frame.place([frame.x.0, 0.0]), frame.place([frame.x.1, 0.0]));
        let (left, y, right) = (Length(left), Length(y), Length(right));
        canvas.add(format_args!("<path d=\"M{left} {y}H{right}\" stroke=\"#999\" stroke-width=\".4\"/>"));
    }
    for (i, layer) in fields.layers.iter().enumerate() {
        let ((colour, dashes), path) = (curve(i), curve_of(layer, fields, frame));
        if !path.is_empty() {
            let look = format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"");
            canvas.add(format_args!("<path class=\"curve\" d=\"{path}\" {look}/>"));
        }
    }
    canvas.add(format_args!("</g>"));
}

fn curve_of(layer: &Layer, fields: &Fields, frame: &Frame) -> Path {
    // Far outside of the frame a value need not be exact, but must be a number that SVG readers can take.
    let reach = 20.0 * (frame.y.1 - frame.y.0);
    let mut path = Path::default();
    let mut drawing = false;
    for (x, value) in fields.grid.x.iter().zip(&layer.values) {
        if value.is_nan() {
            drawing = false;
            continue;
        }
        let point = frame.place([*x, value.clamp(frame.y.0 - reach, frame.y.1 + reach)]);
        if drawing {
            path.line(point)
        } else {
            path.start(point)
        };
        drawing = true;
    }
    path
}

/// The input structure as a line with a star at its energy on each curve, the lowest points of each curve as rings.
fn signs(canvas: &mut Canvas, landscape: &Landscape, fields: &Fields, frame: &Frame) {
    let star = if frame.width < 110.0 { 2.8 } else { 4.0 };
    let inputs = inputs(landscape);
    for [x, _] in &inputs {
        let (x, top, bottom) = (Length(frame.place([*x, 0.0])[0]), Length(frame.top), Length(frame.bottom()));
        let look = "stroke=\"#e3123f\" stroke-width=\".7\" stroke-dasharray=\"2.5 1.5\"";
        canvas.add(format_args!("<path d=\"M{x} {top}V{bottom}\" {look}/>"));
    }
    let stars = stars(fields, frame);
    for [x, _] in &inputs {
        let x = frame.place([*x, 0.0])[0];
        for (y, curve_of) in &stars {
            match curve_of {
                Some(i) if stars.len() > 1 => marks::star_with(canvas, [x, *y], star, curve(*i).0),
                _ => marks::star(canvas, [x, *y], star),
            }
        }
    }
    for (i, layer) in fields.layers.iter().enumerate() {
        let Some(lowest) = &layer.lowest else { continue };
        for [node, _] in &lowest.nodes {
            for node in both_ends(landscape, 0, *node, fields.grid.x.len()) {
                let value = layer.values[node];
                if (frame.y.0..=frame.y.1).contains(&value) {
                    let place = frame.place([fields.grid.x[node], value]);
                    marks::ring(canvas, place, star + 1.7, (&curve(i).0, lowest.at_edge));
                }
            }
        }
    }
}

/// Heights on the page of the stars and which curve they belong to: one a curve, and one for all that meet. An energy
/// beyond the frame is at its border. If no model has one, the star only shows the coordinate, at the top.
fn stars(fields: &Fields, frame: &Frame) -> Vec<(f64, Option<usize>)> {
    /// Stars that are nearer than this are one, in points.
    const APART: f64 = 2.0;
    let mut stars: Vec<(f64, Option<usize>)> = Vec::new();
    for (i, layer) in fields.layers.iter().enumerate() {
        let Some(value) = layer.input.filter(|value| value.is_finite()) else { continue };
        let y = frame.place([frame.x.0, value.clamp(frame.y.0, frame.y.1)])[1];
        match stars.iter_mut().find(|(other, _)| (other - y).abs() < APART) {
            Some(star) => star.1 = None,
            None => stars.push((y, Some(i))),
        }
    }
    if stars.is_empty() {
        stars.push((frame.top + 7.0, None));
    }
    stars
}

/// The names of the curves in rows above the frame.
struct Legend {
    /// Left end of the sample, row, name and its size; one a curve.
    entries: Vec<(f64, usize, Line, f64)>,
}

impl Legend {
    fn new(fields: &Fields, left: f64, width: f64) -> Self {
        let (mut x, mut row) = (left, 0);
        let mut entries = Vec::new();
        for layer in &fields.layers {
            let empty = layer.values.iter().all(|value| value.is_nan());
            let remark = Some(layer.remark.as_str()).filter(|remark| !remark.is_empty());
            let why = layer.note.as_deref().filter(|_| empty).or(remark);
            let name = why.map_or_else(|| layer.title.clone(), |why| format!("{} ({why})", layer.title));
            let (name, size) = Line::plain(name).fitted(TEXT, width - SAMPLE - BESIDE_SAMPLE);
            let end = x + SAMPLE + BESIDE_SAMPLE + name.width(size);
            if end > left + width && x > left {
                (x, row) = (left, row + 1);
            }
            let next = x + SAMPLE + BESIDE_SAMPLE + name.width(size) + BETWEEN;
            entries.push((x, row, name, size));
            x = next;
        }
        Self { entries }
    }

    fn height(&self) -> f64 {
        self.entries.last().map_or(0.0, |entry| LEADING * (entry.1 + 1) as f64)
    }

    fn draw(&self, canvas: &mut Canvas, top: f64) {
        for (i, (x, row, name, size)) in self.entries.iter().enumerate() {
            let (y, (colour, dashes)) = (top + LEADING * (*row as f64 + 0.5), curve(i));
            let look = format!("stroke=\"{colour}\" stroke-width=\"1.1\" stroke-dasharray=\"{dashes}\"");
            canvas.add(format_args!("<path d=\"M{} {}h{SAMPLE}\" {look}/>", Length(*x), Length(y)));
            canvas.label(name, [x + SAMPLE + BESIDE_SAMPLE, y], *size, Anchor::Start);
        }
    }
}
