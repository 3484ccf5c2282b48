//! The marks on a panel: input structure, lowest point, masked region; and the key that explains them.

use std::collections::BTreeMap;

use super::contour::Region;
use super::svg::{Anchor, Canvas, Length, Path};
use super::text::{self, Line};

/// A rectangle of the page with coordinates on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// Coordinates of the left and the right edge.
    pub x: (f64, f64),
    /// Coordinates of the lower and the upper edge.
    pub y: (f64, f64),
}

impl Frame {
    /// The point of the page at the coordinates.
    pub fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let across = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = (y - self.y.0) / (self.y.1 - self.y.0);
        [self.left + across * self.width, self.top + (1.0 - up) * self.height]
    }

    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn middle(&self) -> [f64; 2] {
        [self.left + 0.5 * self.width, self.top + 0.5 * self.height]
    }

    pub fn rings(&self, region: &Region) -> Vec<Vec<[f64; 2]>> {
        region.rings.iter().map(|ring| ring.iter().map(|point| self.place(*point)).collect()).collect()
    }

    /// Its outline, closed.
    pub fn corners(&self) -> Vec<[f64; 2]> {
        let (x, y, right, bottom) = (self.left, self.top, self.right(), self.bottom());
        vec![[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
    }

    /// Fills the frame.
    pub fn fill(&self, canvas: &mut Canvas, colour: impl std::fmt::Display) {
        self.rect(canvas, format_args!("fill=\"{colour}\""));
    }

    /// The line around the frame.
    pub fn outline(&self, canvas: &mut Canvas) {
        self.rect(canvas, format_args!("class=\"frame\" fill=\"none\" stroke=\"#000\" stroke-width=\".7\""));
    }

    /// A thin line around the frame of something that is no panel.
    pub fn rim(&self, canvas: &mut Canvas) {
        self.rect(canvas, format_args!("fill=\"none\" stroke=\"#000\" stroke-width=\".7\""));
    }

    fn rect(&self, canvas: &mut Canvas, look: std::fmt::Arguments<'_>) {
        let [x, y, w, h] = [self.left, self.top, self.width, self.height].map(Length);
        canvas.add(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {look}/>"));
    }
}

/// Marks the input structure. White around red, it shows on every colour of the maps.
pub fn star(canvas: &mut Canvas, at: [f64; 2], radius: f64) {
    star_with(canvas, at, radius, "#fff");
}

/// A star with a rim of another colour.
pub fn star_with(canvas: &mut Canvas, [x, y]: [f64; 2], radius: f64, rim: impl std::fmt::Display) {
    let mut path = Path::default();
    for corner in 0..10 {
        let angle = std::f64::consts::PI * (f64::from(corner) / 5.0 - 0.5);
        let r = if corner % 2 == 0 { radius } else { 0.42 * radius };
        let point = [r * angle.cos(), r * angle.sin()];
        if corner == 0 {
            path.start(point)
        } else {
            path.line(point)
        };
    }
    path.close();
    canvas.add(format_args!(
        "<path class=\"input\" transform=\"translate({} {})\" d=\"{path}\" fill=\"#e3123f\" stroke=\"{rim}\" \
         stroke-width=\".6\"/>",
        Length(x),
        Length(y)
    ));
}

/// Marks a lowest point: a ring with a white rim, for light and dark ground. A star fits inside. It is broken where the
/// point is no minimum but the end of the region outside the mask.
pub fn ring(
    canvas: &mut Canvas,
    [x, y]: [f64; 2],
    radius: f64,
    (colour, broken): (&dyn std::fmt::Display, bool),
) {
    let dashes = match broken {
        true => format!(" stroke-dasharray=\"{:.2}\"", radius * std::f64::consts::PI / 6.0),
        false => String::new(),
    };
    let (x, y, r) = (Length(x), Length(y), Length(radius));
    canvas.add(format_args!(
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2.2\"/>"
    ));
    canvas.add(format_args!(
        "<circle class=\"lowest\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\".9\"{dashes}/>"
    ));
}

/// Opacity of the veil over masked energies.
pub const VEIL: f64 = 0.68;
/// Where nothing else is drawn.
pub const THIN_VEIL: f64 = 0.4;

/// Veils and hatches the masked region. `rings` are in points on the page.
pub fn mask(canvas: &mut Canvas, rings: &[Vec<[f64; 2]>], veil: f64) {
    let mut outline = Path::default();
    rings.iter().for_each(|ring| outline.ring(ring));
    if outline.is_empty() {
        return;
    }
    canvas.add(format_args!(
        "<path class=\"masked\" d=\"{outline}\" fill=\"#fff\" fill-opacity=\"{veil}\" fill-rule=\"evenodd\" \
         stroke=\"#333\" stroke-width=\".5\"/>"
    ));
    let lines = hatch(rings, 3.4);
    canvas.add(format_args!(
        "<path d=\"{lines}\" fill=\"none\" stroke=\"#333\" stroke-opacity=\".75\" stroke-width=\".35\"/>"
    ));
}

/// Lines at 45 degrees inside the outlines, `spacing` points apart. Real lines rather than a pattern fill:
/// sharp in every viewer, and in step from panel to panel.
fn hatch(rings: &[Vec<[f64; 2]>], spacing: f64) -> Path {
    // On a line x + y is constant; k counts the lines.
    let pitch = spacing * std::f64::consts::SQRT_2;
    let mut crossings: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for [p, q] in rings.iter().flat_map(|ring| ring.windows(2)).filter_map(|edge| edge.first_chunk::<2>()) {
        let (from, to) = ((p[0] + p[1]) / pitch, (q[0] + q[1]) / pitch);
        // Half open, so that a line through a corner crosses once.
        for k in from.min(to).ceil() as i64..from.max(to).ceil() as i64 {
            let t = (k as f64 - from) / (to - from);
            crossings.entry(k).or_default().push(p[0] + t * (q[0] - p[0]));
        }
    }
    let mut path = Path::default();
    for (k, mut places) in crossings {
        places.sort_by(f64::total_cmp);
        for pair in places.chunks_exact(2).filter(|pair| pair[1] - pair[0] > 0.3) {
            let sum = k as f64 * pitch;
            path.start([pair[0], sum - pair[0]]).line([pair[1], sum - pair[1]]);
        }
    }
    path
}

/// What the key can explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Input,
    Lowest,
    /// The lowest point, where the energy falls on into the mask.
    Edge,
    Masked,
    Missing,
}

/// A mark and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub mark: Mark,
    pub words: String,
}

/// Size of the key's text in points.
pub const KEY_SIZE: f64 = 7.5;
/// Room for a symbol and the gap behind it.
const SYMBOL: f64 = 12.0;
const BETWEEN: f64 = 9.0;

/// Width of a row of the key in points.
pub fn key_width(entries: &[Entry]) -> f64 {
    let of = |entry: &Entry| SYMBOL + text::width(&entry.words, KEY_SIZE);
    entries.iter().map(of).sum::<f64>() + BETWEEN * entries.len().saturating_sub(1) as f64
}

/// Spreads the entries over rows no wider than `width`, unless one alone is wider.
pub fn key_rows(entries: Vec<Entry>, width: f64) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match rows.last_mut() {
            Some(row) if key_width(row) + BETWEEN + key_width(std::slice::from_ref(&entry)) <= width => {
                row.push(entry);
            }
            _ => rows.push(vec![entry]),
        }
    }
    rows
}

/// Draws one row of the key from `left` on, centred on `middle`; what is wider than `width` gets smaller.
pub fn key(canvas: &mut Canvas, entries: &[Entry], [left, middle]: [f64; 2], width: f64) {
    let mut x = left;
    for Entry { mark, words } in entries {
        let swatch =
            Frame { left: x, top: middle - 3.5, width: 9.0, height: 7.0, x: (0.0, 1.0), y: (0.0, 1.0) };
        match mark {
            Mark::Input => star(canvas, swatch.middle(), 4.0),
            Mark::Lowest => ring(canvas, swatch.middle(), 3.0, (&"#000", false)),
            Mark::Edge => ring(canvas, swatch.middle(), 3.0, (&"#000", true)),
            Mark::Masked => mask(canvas, &[swatch.corners()], VEIL),
            Mark::Missing => {
                swatch.rect(canvas, format_args!("fill=\"#fff\" stroke=\"#333\" stroke-width=\".5\""))
            }
        }
        let (line, size) = Line::plain(words.as_str()).fitted(KEY_SIZE, left + width - x - SYMBOL);
        canvas.label(&line, [x + SYMBOL, middle], size, Anchor::Start);
        x += SYMBOL + line.width(size) + BETWEEN;
    }
}
