//! The few elements of SVG that a figure is made of. Lengths are points (1/72 inch), y runs downwards.

use std::fmt::{self, Display, Write as _};

use super::text::{CAPITAL, FAMILIES, Line, SUBSCRIPT, Shape};

/// A finished figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg(String);

impl Svg {
    /// The document.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A length as short as 1/100 point allows.
#[derive(Clone, Copy, Debug)]
pub struct Length(pub f64);

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hundredths(f, to_hundredths(self.0))
    }
}

fn to_hundredths(length: f64) -> i64 {
    (100.0 * length).round() as i64
}

fn hundredths(f: &mut impl fmt::Write, n: i64) -> fmt::Result {
    let (sign, whole, part) = (if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100);
    match (whole, part) {
        (_, 0) => write!(f, "{sign}{whole}"),
        (0, _) if part % 10 == 0 => write!(f, "{sign}.{}", part / 10),
        (0, _) => write!(f, "{sign}.{part:02}"),
        (_, _) if part % 10 == 0 => write!(f, "{sign}{whole}.{}", part / 10),
        (_, _) => write!(f, "{sign}{whole}.{part:02}"),
    }
}

/// Text with the characters replaced that mean something in XML, and without those that it forbids.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The data of a `<path>`: absolute where a line begins, then relative steps, which are shorter. Rounding
/// does not add up, since the pen is kept in whole hundredths.
#[derive(Clone, Debug, Default)]
pub struct Path {
    data: String,
    pen: (i64, i64),
}

impl Path {
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub fn start(&mut self, [x, y]: [f64; 2]) -> &mut Self {
        self.pen = (to_hundredths(x), to_hundredths(y));
        self.data.push('M');
        self.pair(self.pen);
        self
    }

    pub fn line(&mut self, [x, y]: [f64; 2]) -> &mut Self {
        let target = (to_hundredths(x), to_hundredths(y));
        let step = (target.0 - self.pen.0, target.1 - self.pen.1);
        if step != (0, 0) {
            self.data.push('l');
            self.pair(step);
            self.pen = target;
        }
        self
    }

    pub fn close(&mut self) -> &mut Self {
        self.data.push('z');
        self
    }

    /// A closed outline, without the points that it can do without.
    pub fn ring(&mut self, points: &[[f64; 2]]) {
        let points = simplified(points);
        if let [first, middle @ .., _last] = &points[..] {
            self.start(*first);
            middle.iter().for_each(|point| {
                self.line(*point);
            });
            self.close();
        }
    }

    fn pair(&mut self, (x, y): (i64, i64)) {
        // Writing into a String cannot fail.
        let _ = hundredths(&mut self.data, x);
        if y >= 0 {
            self.data.push(' ');
        }
        let _ = hundredths(&mut self.data, y);
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.data)
    }
}

/// Leaves out points that lie within 1/40 point of the line between those kept: a tenth of a pixel at 300
/// dpi.
fn simplified(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    const TOLERANCE: f64 = 0.025;
    /// Longest run of points left out, so that the time stays linear.
    const RUN: usize = 24;
    let mut kept: Vec<[f64; 2]> = points.first().copied().into_iter().collect();
    let mut anchor = 0;
    for end in 2..points.len() {
        let strays = |p: &[f64; 2]| distance_to_chord(*p, points[anchor], points[end]) > TOLERANCE;
        if end - anchor > RUN || points[anchor + 1..end].iter().any(strays) {
            anchor = end - 1;
            kept.push(points[anchor]);
        }
    }
    kept.extend(points.last().filter(|_| points.len() > 1));
    kept
}

fn distance_to_chord(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let (chord, to_p) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
    let square = chord[0] * chord[0] + chord[1] * chord[1];
    let along = if square > 0.0 { (to_p[0] * chord[0] + to_p[1] * chord[1]) / square } else { 0.0 };
    let t = along.clamp(0.0, 1.0);
    (to_p[0] - t * chord[0]).hypot(to_p[1] - t * chord[1])
}

/// Where a text sits relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text in its place: `at` is the anchor on the base line.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    pub line: &'a Line,
    pub at: [f64; 2],
    pub size: f64,
    pub anchor: Anchor,
    /// Runs upwards instead of to the right.
    pub upwards: bool,
}

/// A figure in the making.
#[derive(Debug)]
pub struct Canvas {
    body: String,
}

impl Canvas {
    pub fn new() -> Self {
        Self { body: String::new() }
    }

    /// Adds an element, one a line.
    pub fn add(&mut self, element: fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub fn text(&mut self, text: &Text<'_>) {
        let anchor = match text.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y, size) = (Length(text.at[0]), Length(text.at[1]), Length(text.size));
        let place = match text.upwards {
            true => format!("transform=\"translate({x} {y}) rotate(-90)\""),
            false => format!("x=\"{x}\" y=\"{y}\""),
        };
        let content = spans(text.line, text.size);
        self.add(format_args!("<text {place} font-size=\"{size}\"{anchor}>{content}</text>"));
    }

    /// A line of text whose capitals are centred on `at[1]`.
    pub fn label(&mut self, line: &Line, at: [f64; 2], size: f64, anchor: Anchor) {
        let at = [at[0], at[1] + 0.5 * CAPITAL * size];
        self.text(&Text { line, at, size, anchor, upwards: false });
    }

    /// The document on a white page of `width` by `height` points; `title` is what viewers show as its name.
    pub fn finish(self, (width, height): (f64, f64), title: &str) -> Svg {
        let (w, h) = (Length(width), Length(height));
        let inches = |points: f64| format!("{:.4}in", points / 72.0);
        Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"{FAMILIES}\" stroke-linejoin=\"round\">\n<title>{}</title>\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n{}</svg>\n",
            inches(width),
            inches(height),
            escaped(title),
            self.body
        ))
    }
}

/// A subscript is set by hand: half of the programs that read SVG ignore `baseline-shift`.
fn spans(line: &Line, size: f64) -> String {
    let drop = 0.2 * size;
    let mut lowered = false;
    let mut out = String::new();
    for (shape, text) in &line.spans {
        let lower = *shape == Shape::Subscript;
        let shift = match (lowered, lower) {
            (false, true) => format!(" dy=\"{}\"", Length(drop)),
            (true, false) => format!(" dy=\"{}\"", Length(-drop)),
            _ => String::new(),
        };
        let look = match shape {
            Shape::Upright => String::new(),
            Shape::Italic => " font-style=\"italic\"".to_owned(),
            Shape::Subscript => format!(" font-size=\"{}\"", Length(SUBSCRIPT * size)),
        };
        match (shift.is_empty(), look.is_empty()) {
            (true, true) => out.push_str(&escaped(text)),
            _ => out.push_str(&format!("<tspan{shift}{look}>{}</tspan>", escaped(text))),
        }
        lowered = lower;
    }
    out
}
