//! Where everything goes on a figure of panels.

use super::bar::Bar;
use super::field::{Fields, Layer};
use super::levels::Ticks;
use super::marks::{Entry, Frame};
use super::page::{Heading, LEADING, MARGIN, Name, TEXT, TICK, ticks_across, widest};
use super::{Landscape, Style};

/// Largest side of a panel in points: a single one need not fill a page.
const LARGEST: f64 = 230.0;
/// Least distance of two panels.
const GAP: f64 = 10.0;

/// A figure of panels, measured in points.
#[derive(Debug)]
pub struct Layout {
    /// Width and height.
    pub page: (f64, f64),
    /// One frame a layer, row by row.
    pub frames: Vec<Frame>,
    /// Panels side by side.
    pub columns: usize,
    /// One name a layer, to go above its frame.
    pub names: Vec<Name>,
    /// Around all frames.
    pub block: Frame,
    /// Horizontal and vertical ticks, the same on every panel.
    pub ticks: [Ticks; 2],
    /// Where the middle of the horizontal axis label goes.
    pub label_below: f64,
    /// Where the base line of the vertical axis label goes.
    pub label_left: f64,
    pub heading: Heading,
    pub bar: Bar,
}

/// The measures across the page.
struct Across {
    ticks: [Ticks; 2],
    left: f64,
    gap: f64,
    side: f64,
    /// From the last panel to the end of a bar beside it; else zero.
    bar: f64,
}

impl Layout {
    pub fn new(landscape: &Landscape, fields: &Fields, style: &Style, entries: Vec<Entry>) -> Self {
        let columns = columns(fields.layers.len(), style);
        let beside = !style.width.is_narrow() || columns == 1;
        let Across { ticks, left, gap, side, bar: bar_width } = across(fields, style, columns, beside);
        let width = side * columns as f64 + gap * (columns - 1) as f64;
        let heading = Heading::new(landscape, style, &fields.caption, entries, width + bar_width);
        let names = names(fields, side + 4.0);
        // Each row has above it what its longest name needs.
        let above = |row: &[Name]| row.iter().map(Name::height).fold(0.0, f64::max);
        let mut bottom = MARGIN + heading.height() - GAP;
        let tops: Vec<f64> = names
            .chunks(columns)
            .map(|row| {
                let top = bottom + GAP + above(row);
                bottom = top + side;
                top
            })
            .collect();
        let range = |nodes: &[f64]| (nodes[0], nodes[nodes.len() - 1]);
        let (x, y) = (range(&fields.grid.x), range(&fields.grid.y));
        let block = Frame { left, top: tops[0], width, height: bottom - tops[0], x, y };
        let frame = |i: usize| {
            let left = left + (side + gap) * (i % columns) as f64;
            Frame { left, top: tops[i / columns], width: side, height: side, ..block }
        };
        let frames = (0..fields.layers.len()).map(frame).collect();
        let label_below = block.bottom() + TICK + TEXT + 0.5 * LEADING;
        let under_labels = label_below + 0.5 * LEADING + 1.0;
        let bar = match beside {
            true => {
                let at = block.right() + bar_width - Bar::room_beside(&fields.levels);
                Bar::beside(&block, at, &fields.levels)
            }
            false => Bar::below(&block, under_labels, &fields.levels),
        };
        let end = if beside { under_labels } else { bar.bottom() };
        let label_left = left - TICK - widest(&ticks[1]) - 4.0;
        let page = (style.width.points(), end + MARGIN);
        Self { page, frames, columns, names, block, ticks, label_below, label_left, heading, bar }
    }

    /// True if no panel is below panel `i`: it gets the tick labels.
    pub fn is_lowest(&self, i: usize) -> bool {
        i + self.columns >= self.frames.len()
    }
}

/// How many panels stand side by side.
fn columns(panels: usize, style: &Style) -> usize {
    let suited = match (style.width.is_narrow(), panels) {
        (true, _) => panels.min(2),
        (false, 0..=4) => panels,
        (false, 5 | 6 | 9) => 3,
        (false, _) => 4,
    };
    let most = if style.width.is_narrow() { 3.0 } else { 6.0 * style.width.inches() / 7.0 };
    // None may be too small for its labels.
    let most = most.min((style.width.points() - 50.0) / 60.0).max(1.0) as usize;
    style.columns.unwrap_or(suited).clamp(1, panels.clamp(1, most))
}

/// "(b) MACE-MP-0", so that a caption can refer to it; a single panel needs no letter.
fn names(fields: &Fields, room: f64) -> Vec<Name> {
    let numbered = |(i, layer): (usize, &Layer)| match u8::try_from(i) {
        Ok(i @ 0..=25) if fields.layers.len() > 1 => {
            Name::new(&format!("({})\u{a0}{}", char::from(b'a' + i), layer.title), room)
        }
        _ => Name::new(&layer.title, room),
    };
    fields.layers.iter().enumerate().map(numbered).collect()
}

/// The ticks need the side of a panel, and the side the widths of their labels: so we measure twice, the
/// second time with ticks for slightly smaller panels.
fn across(fields: &Fields, style: &Style, columns: usize, beside: bool) -> Across {
    let ends = |nodes: &[f64]| (nodes[0], nodes[nodes.len() - 1]);
    let (x, y) = (ends(&fields.grid.x), ends(&fields.grid.y));
    let measured = |guess: f64| {
        let ticks = [ticks_across(x, guess, 6), Ticks::new(y, ((guess / 14.0) as usize).min(6))];
        let left = MARGIN + TEXT + 4.0 + widest(&ticks[1]) + TICK;
        let overhang = 0.5 * widest(&ticks[0]);
        let gap = GAP.max(2.0 * overhang + 7.0);
        let bar = Bar::distance(overhang) + Bar::room_beside(&fields.levels);
        let right = if beside { bar } else { overhang.max(Bar::overhang(&fields.levels)) };
        let room = style.width.points() - left - right - MARGIN - gap * (columns - 1) as f64;
        let side = (room / columns as f64).clamp(20.0, LARGEST);
        let spare = (room - side * columns as f64).max(0.0);
        Across { ticks, left: left + 0.5 * spare, gap, side, bar: if beside { bar } else { 0.0 } }
    };
    measured(0.95 * measured(100.0).side)
}
