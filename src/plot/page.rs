//! What both kinds of figure share: sizes, the heading, ticks and labels along a frame.

use super::levels::Ticks;
use super::marks::{self, Entry, Frame, KEY_SIZE};
use super::svg::{Anchor, Canvas, Length, Text};
use super::text::{self, Line};
use super::{Landscape, Style};

/// Sizes in points.
pub const TEXT: f64 = 8.0;
pub const TITLE: f64 = 9.0;
/// Empty border of the page.
pub const MARGIN: f64 = 3.0;
/// From the frame to the tick labels: the tick and a gap.
pub const TICK: f64 = 5.0;
const TICK_LENGTH: f64 = 2.6;
/// From one line of text to the next.
pub const LEADING: f64 = 11.0;

/// From one line of the heading to the next.
const HEADING: f64 = 12.5;

/// Title, caption and key above the panels.
#[derive(Debug)]
pub struct Heading {
    /// Lines of text with their largest size.
    lines: Vec<(String, f64)>,
    key: Vec<Vec<Entry>>,
    /// True if the key fits next to the last line.
    beside: bool,
    width: f64,
}

impl Heading {
    /// Breaks title, caption and key to the width of the figure.
    pub fn new(landscape: &Landscape, style: &Style, caption: &str, entries: Vec<Entry>, width: f64) -> Self {
        let broken = |words: &str, size: f64| -> Vec<(String, f64)> {
            text::wrapped(words, size, width).into_iter().map(|line| (line, size)).collect()
        };
        let lines = [broken(&landscape.title, TITLE), broken(caption, KEY_SIZE)].concat();
        let key = if style.key { marks::key_rows(entries, width) } else { Vec::new() };
        let last = lines.last().map_or(width, |(line, size)| text::width(line, *size));
        let beside = key.len() == 1 && last + 16.0 + marks::key_width(&key[0]) <= width;
        Self { lines, key, beside, width }
    }

    pub fn height(&self) -> f64 {
        let rows = self.lines.len() + if self.beside { 0 } else { self.key.len() };
        if rows == 0 { 0.0 } else { HEADING * rows as f64 + 1.0 }
    }

    /// Draws it with its upper left corner there.
    pub fn draw(&self, canvas: &mut Canvas, left: f64, top: f64) {
        let middle = |row: usize| top + 0.5 * LEADING + HEADING * row as f64;
        for (i, (line, size)) in self.lines.iter().enumerate() {
            let (line, size) = Line::plain(line.as_str()).fitted(*size, self.width);
            canvas.label(&line, [left, middle(i)], size, Anchor::Start);
        }
        for (i, entries) in self.key.iter().enumerate() {
            match self.beside {
                true => {
                    let width = marks::key_width(entries);
                    marks::key(
                        canvas,
                        entries,
                        [left + self.width - width, middle(self.lines.len() - 1)],
                        width,
                    );
                }
                false => marks::key(canvas, entries, [left, middle(self.lines.len() + i)], self.width),
            }
        }
    }
}

/// The name of a panel in one or two lines above it.
#[derive(Debug)]
pub struct Name {
    lines: Vec<Line>,
    size: f64,
}

impl Name {
    /// A little smaller if that makes it fit into one line, else in two.
    pub fn new(name: &str, room: f64) -> Self {
        /// Smallest size of a name.
        const SMALL: f64 = 6.5;
        let size = (TEXT * room / text::width(name, TEXT)).min(TEXT);
        if size >= SMALL {
            return Self { lines: vec![Line::plain(name)], size };
        }
        let (first, second) = text::halves(name);
        let widest = text::width(first, TEXT).max(text::width(second, TEXT));
        let size = (TEXT * room / widest).clamp(SMALL, 7.5);
        // What two lines cannot hold is cut off.
        let lines = [first, second].map(|half| Line::plain(half).cut(size, room)).into();
        Self { lines, size }
    }

    pub fn height(&self) -> f64 {
        LEADING * self.lines.len() as f64 + 3.5
    }

    /// Draws it above a frame.
    pub fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        for (i, line) in self.lines.iter().rev().enumerate() {
            // A point above the frame: marks on its edge stick out.
            let at = [frame.middle()[0], frame.top - 1.0 - LEADING * (i as f64 + 0.5)];
            canvas.label(line, at, self.size, Anchor::Middle);
        }
    }
}

/// Ticks below a frame, and what is written there if `labels`.
pub fn ticks_below(canvas: &mut Canvas, frame: &Frame, ticks: &Ticks, labels: bool) {
    let bottom = Length(frame.bottom());
    for (value, label) in ticks.values.iter().zip(&ticks.labels) {
        let x = frame.place([*value, frame.y.0])[0];
        tick(canvas, format_args!("M{} {bottom}v{TICK_LENGTH}", Length(x)));
        if labels {
            let at = [x, frame.bottom() + TICK + 0.5 * text::CAPITAL * TEXT];
            canvas.label(&Line::plain(label.as_str()), at, TEXT, Anchor::Middle);
        }
    }
}

/// Ticks to the left of a frame, and what is written there if `labels`.
pub fn ticks_left(canvas: &mut Canvas, frame: &Frame, ticks: &Ticks, labels: bool) {
    for (value, label) in ticks.values.iter().zip(&ticks.labels) {
        let y = frame.place([frame.x.0, *value])[1];
        tick(canvas, format_args!("M{} {}h-{TICK_LENGTH}", Length(frame.left), Length(y)));
        if labels {
            canvas.label(&Line::plain(label.as_str()), [frame.left - TICK, y], TEXT, Anchor::End);
        }
    }
}

pub fn tick(canvas: &mut Canvas, data: std::fmt::Arguments<'_>) {
    canvas.add(format_args!("<path d=\"{data}\" stroke=\"#000\" stroke-width=\".7\"/>"));
}

/// Width of the widest label.
pub fn widest(ticks: &Ticks) -> f64 {
    ticks.labels.iter().map(|label| text::width(label, TEXT)).fold(0.0, f64::max)
}

/// The most ticks, up to `most`, whose labels fit side by side on `length` points.
pub fn ticks_across(range: (f64, f64), length: f64, most: usize) -> Ticks {
    let fits = |ticks: &Ticks| {
        let per_unit = length / (range.1 - range.0);
        let spacing =
            ticks.values.windows(2).map(|pair| per_unit * (pair[1] - pair[0])).fold(length, f64::min);
        widest(ticks) + 5.0 <= spacing
    };
    let fitting = (2..=most).rev().map(|most| Ticks::new(range, most)).find(fits);
    fitting.unwrap_or_else(|| apart(Ticks::new(range, 2), length / (range.1 - range.0)))
}

/// Without the ticks whose labels would touch the one before.
fn apart(ticks: Ticks, per_unit: f64) -> Ticks {
    let room = widest(&ticks) + 5.0;
    let mut kept = Ticks { values: Vec::new(), labels: Vec::new() };
    for (value, label) in ticks.values.into_iter().zip(ticks.labels) {
        if kept.values.last().is_none_or(|last| per_unit * (value - last) >= room) {
            kept.values.push(value);
            kept.labels.push(label);
        }
    }
    kept
}

/// A label that runs upwards, its middle at `middle` and its base line at `x`; it may take the `room` around
/// it.
pub fn upwards(canvas: &mut Canvas, line: Line, [x, middle]: [f64; 2], room: (f64, f64)) {
    let (line, size) = line.fitted(TEXT, room.1 - room.0);
    let half = 0.5 * line.width(size);
    let y = middle.max(room.0 + half).min(room.1 - half);
    canvas.text(&Text { line: &line, at: [x, y], size, anchor: Anchor::Middle, upwards: true });
}

/// A line of text centred on `at`, made smaller if it is wider than `room`.
pub fn centred(canvas: &mut Canvas, line: Line, at: [f64; 2], size: f64, room: f64) {
    let (line, size) = line.fitted(size, room);
    canvas.label(&line, at, size, Anchor::Middle);
}

/// Something to read on a picture, on a white ground, in the middle or where none of the marks at `taken` is.
pub fn note(canvas: &mut Canvas, frame: &Frame, words: &str, taken: &[[f64; 2]]) {
    written(canvas, frame, words, (TEXT, &[0.5, 0.75, 0.25]), taken);
}

/// The same in small letters at the lower edge, or at another place that is free.
pub fn remark(canvas: &mut Canvas, frame: &Frame, words: &str, taken: &[[f64; 2]]) {
    const SMALL: f64 = 6.5;
    written(canvas, frame, words, (SMALL, &[1.0, 0.0, 0.75, 0.25, 0.5]), taken);
}

/// Words of a size at the first of the places (0 is the upper edge, 1 the lower) that is free.
fn written(
    canvas: &mut Canvas,
    frame: &Frame,
    words: &str,
    (size, places): (f64, &[f64]),
    taken: &[[f64; 2]],
) {
    let leading = LEADING * size / TEXT;
    let room = frame.width - 8.0;
    let lines = text::wrapped(words, size, room);
    let height = leading * lines.len() as f64 + 2.0;
    let edge = 0.5 * height + 1.0;
    let place = |down: &f64| {
        let middle = frame.top + down * frame.height;
        middle.min(frame.bottom() - edge).max(frame.top + edge)
    };
    let is_free = |y: &f64| taken.iter().all(|mark| (mark[1] - y).abs() > 0.5 * height + 5.0);
    let mut places = places.iter().map(place);
    let first = places.clone().next().unwrap_or(frame.middle()[1]);
    let y = places.find(is_free).unwrap_or(first);
    let x = frame.middle()[0];
    let width = lines.iter().map(|line| text::width(line, size)).fold(0.0, f64::max).min(room) + 6.0;
    let ground = Frame { left: x - 0.5 * width, top: y - 0.5 * height, width, height, ..*frame };
    ground.fill(canvas, "#fff");
    for (i, line) in lines.into_iter().enumerate() {
        let at = [x, y + leading * (i as f64 + 0.5) - 0.5 * (height - 2.0)];
        centred(canvas, Line::plain(line), at, size, room);
    }
}
