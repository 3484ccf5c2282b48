//! The colour bar that all panels share.

use super::colour::Palette;
use super::field::Fields;
use super::levels::{Levels, Ticks};
use super::marks::Frame;
use super::page::{self, LEADING, MARGIN, TEXT, TICK, centred, ticks_across, upwards, widest};
use super::svg::{Anchor, Canvas, Length};
use super::text::{CAPITAL, Line};

/// Width of the colours, and of the arrow heads.
const THICK: f64 = 9.0;
/// Least distance from the panels to the bar.
const APART: f64 = 9.0;

/// A colour bar in its place.
#[derive(Debug)]
pub struct Bar {
    /// The bands, without arrow heads; the range of the levels runs along its longer side.
    frame: Frame,
    ticks: Ticks,
    upright: bool,
}

impl Bar {
    /// How far in points the labels of a bar below the panels may stick out at its ends.
    pub fn overhang(levels: &Levels) -> f64 {
        0.5 * Self::widest_label(levels)
    }

    /// Width of the widest label that the bar may get, however long it is.
    fn widest_label(levels: &Levels) -> f64 {
        (2..=8).map(|most| widest(&Ticks::new(levels.range(), most))).fold(0.0, f64::max)
    }

    /// From panels to a bar on their right, in points, where the tick labels stick out by `overhang`.
    pub fn distance(overhang: f64) -> f64 {
        APART.max(overhang + 4.0)
    }

    /// Width in points of a bar to the right of the panels, with all that is written.
    pub fn room_beside(levels: &Levels) -> f64 {
        THICK + TICK + Self::widest_label(levels) + 5.0 + TEXT
    }

    /// A bar as high as the panels, from `left` on.
    pub fn beside(block: &Frame, left: f64, levels: &Levels) -> Self {
        let (head, foot) = (head(levels.over), head(levels.under));
        let height = block.height - head - foot;
        let frame =
            Frame { left, top: block.top + head, width: THICK, height, x: (0.0, 1.0), y: levels.range() };
        let most = ((height / 16.0) as usize).clamp(2, 8);
        Self { frame, ticks: Ticks::new(levels.range(), most), upright: true }
    }

    /// A bar below the panels.
    pub fn below(block: &Frame, top: f64, levels: &Levels) -> Self {
        let (head, foot) = (head(levels.over), head(levels.under));
        let width = block.width - head - foot;
        let frame = Frame {
            left: block.left + foot,
            top: top + 4.0,
            width,
            height: THICK,
            x: levels.range(),
            y: (0.0, 1.0),
        };
        Self { frame, ticks: ticks_across(levels.range(), width, 8), upright: false }
    }

    /// Lower end of a bar below the panels, label included.
    pub fn bottom(&self) -> f64 {
        self.label_below() + 0.5 * LEADING
    }

    fn label_below(&self) -> f64 {
        self.frame.bottom() + TICK + TEXT + 0.5 * LEADING
    }

    /// Draws the bar on a page of that size.
    pub fn draw(&self, canvas: &mut Canvas, fields: &Fields, palette: &Palette, page: (f64, f64)) {
        let levels = &fields.levels;
        for (edges, colour) in levels.edges.windows(2).zip(&palette.bands) {
            let (low, high) = (self.along(edges[0]), self.along(edges[1]));
            let frame = &self.frame;
            let band = match self.upright {
                true => Frame { top: high, height: low - high, ..*frame },
                false => Frame { left: low, width: high - low, ..*frame },
            };
            band.fill(canvas, colour);
        }
        let (low, high) = levels.range();
        if levels.under {
            self.arrow(canvas, self.along(low), -1.0, palette.under);
        }
        if levels.over {
            self.arrow(canvas, self.along(high), 1.0, palette.over);
        }
        self.frame.rim(canvas);
        match self.upright {
            true => self.scale_beside(canvas, fields, page),
            false => self.scale_below(canvas, fields, page),
        }
    }

    /// Where a value is, in points from the top or the left of the page.
    fn along(&self, value: f64) -> f64 {
        match self.upright {
            true => self.frame.place([0.0, value])[1],
            false => self.frame.place([value, 0.0])[0],
        }
    }

    /// An arrow head at the end `from`: there are values beyond.
    fn arrow(&self, canvas: &mut Canvas, from: f64, direction: f64, colour: impl std::fmt::Display) {
        let length = direction * head(true);
        let data = match self.upright {
            true => {
                let (left, half) = (Length(self.frame.left), Length(0.5 * THICK));
                format!("M{left} {}l{half} {}l{half} {}z", Length(from), Length(-length), Length(length))
            }
            false => {
                let (top, half) = (Length(self.frame.top), Length(0.5 * THICK));
                format!("M{} {top}l{} {half}l{} {half}z", Length(from), Length(length), Length(-length))
            }
        };
        canvas.add(format_args!(
            "<path class=\"beyond\" d=\"{data}\" fill=\"{colour}\" stroke=\"#000\" stroke-width=\".7\"/>"
        ));
    }

    fn scale_beside(&self, canvas: &mut Canvas, fields: &Fields, page: (f64, f64)) {
        let x = self.frame.right();
        for (value, label) in self.ticks.values.iter().zip(&self.ticks.labels) {
            let y = self.along(*value);
            page::tick(canvas, format_args!("M{} {}h2.6", Length(x), Length(y)));
            canvas.label(&Line::plain(label.as_str()), [x + TICK, y], TEXT, Anchor::Start);
        }
        let base = x + TICK + widest(&self.ticks) + 5.0 + CAPITAL * TEXT;
        let room = (MARGIN, page.1 - MARGIN);
        upwards(canvas, fields.quantity.clone(), [base, self.frame.middle()[1]], room);
    }

    fn scale_below(&self, canvas: &mut Canvas, fields: &Fields, page: (f64, f64)) {
        page::ticks_below(canvas, &self.frame, &self.ticks, true);
        let at = [self.frame.middle()[0], self.label_below()];
        let room = 2.0 * at[0].min(page.0 - at[0]) - 2.0 * MARGIN;
        centred(canvas, fields.quantity.clone(), at, TEXT, room);
    }
}

/// Length of an arrow head.
fn head(there: bool) -> f64 {
    if there { THICK } else { 0.0 }
}
