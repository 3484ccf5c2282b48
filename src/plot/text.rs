//! Text: how wide it is in the shipped font, and how to make it fit.

/// Families in order of preference. All have the metrics of Arial, as the shipped font has (`assets/fonts`),
/// so that a figure looks the same whichever of them a viewer finds.
pub const FAMILIES: &str = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif";

/// Height of capitals and figures over the size of the font.
pub const CAPITAL: f64 = 0.716;

/// Smallest size in points that still prints well.
const SMALLEST: f64 = 6.0;
/// Size of a subscript over that of its line.
pub const SUBSCRIPT: f64 = 0.75;

/// How a piece of a line is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Upright,
    Italic,
    Subscript,
}

/// A line of text in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub spans: Vec<(Shape, String)>,
}

impl Line {
    pub fn plain(text: impl Into<String>) -> Self {
        Self { spans: vec![(Shape::Upright, text.into())] }
    }

    pub fn then(mut self, shape: Shape, text: impl Into<String>) -> Self {
        self.spans.push((shape, text.into()));
        self
    }

    /// A coordinate's name is a quantity, hence in italics: the `x` of `x (W1, 4c)`.
    pub fn of_axis(label: &str) -> Self {
        let (first, rest) = label.split_at(label.find(' ').unwrap_or(label.len()));
        if matches!(first, "x" | "y" | "z" | "u" | "v" | "w") {
            Self { spans: vec![(Shape::Italic, first.into()), (Shape::Upright, rest.into())] }
        } else {
            Self::plain(label)
        }
    }

    /// Width in points at a size in points.
    pub fn width(&self, size: f64) -> f64 {
        let of = |(shape, text): &(Shape, String)| {
            width(text, if *shape == Shape::Subscript { SUBSCRIPT * size } else { size })
        };
        self.spans.iter().map(of).sum()
    }

    /// The line and its size: smaller if it must be, and cut off if even the smallest size is too wide.
    pub fn fitted(self, size: f64, room: f64) -> (Self, f64) {
        let smaller = (size * room / self.width(size).max(1.0)).clamp(SMALLEST.min(size), size);
        (self.cut(smaller, room), smaller)
    }

    /// The line cut off where it gets too wide.
    pub fn cut(mut self, size: f64, room: f64) -> Self {
        // Rounding must not cut what was made to fit.
        if self.width(size) > room + 0.01 {
            while self.width(size) + width("…", size) > room && self.shorten() {}
            self = self.then(Shape::Upright, "…");
        }
        self
    }

    /// Drops the last character; false if there is none.
    fn shorten(&mut self) -> bool {
        while let Some((_, text)) = self.spans.last_mut() {
            if text.pop().is_some() {
                return true;
            }
            self.spans.pop();
        }
        false
    }
}

/// Breaks a text into lines no wider than `room`: at spaces (not at no-break spaces), and within a word only
/// if it alone is too wide, then preferably behind one of `_-:/.,`.
pub fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let Some(line) = lines.last_mut() else { break };
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&joined, size) <= room {
            *line = joined;
            continue;
        }
        let mut rest = word;
        if line.is_empty() {
            lines.pop();
        }
        while width(rest, size) > room {
            let (head, tail) = rest.split_at(break_of(rest, size, room));
            lines.push(head.to_owned());
            rest = tail;
        }
        lines.push(rest.to_owned());
    }
    // A separator at the end of a line has done its work.
    lines.iter().map(|line| line.trim_end_matches(" ·").to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Breaks a text in two, as equal as its separators allow.
pub fn halves(text: &str) -> (&str, &str) {
    let wider = |end: &usize| width(text[..*end].trim_end(), 1.0).max(width(&text[*end..], 1.0));
    let ends =
        text.char_indices().filter(|(_, c)| " _-:/.,".contains(*c)).map(|(start, c)| start + c.len_utf8());
    let end = ends.min_by(|a, b| wider(a).total_cmp(&wider(b))).unwrap_or(text.len());
    (text[..end].trim_end(), &text[end..])
}

/// Byte at which to break a word that is too wide; at least one character stays before it.
fn break_of(word: &str, size: f64, room: f64) -> usize {
    let ends = || word.char_indices().map(|(start, c)| (start + c.len_utf8(), c));
    let fits = |(end, _): &(usize, char)| width(&word[..*end], size) <= room;
    let last =
        ends().take_while(fits).last().map_or_else(|| word.chars().next().map_or(0, char::len_utf8), |e| e.0);
    let tidy = ends().take_while(fits).filter(|(_, c)| "_-:/.,".contains(*c)).last().map(|e| e.0);
    tidy.filter(|end| 2 * end > last).unwrap_or(last)
}

/// Width of a text in points at a size in points.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size / 1000.0
}

/// Advance widths from space to tilde, in thousandths of the size.
const ASCII: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Advance width of a character in thousandths of the size; beyond ASCII close enough, rather too wide.
fn advance(c: char) -> f64 {
    let of_ascii = (c as usize).checked_sub(0x20).and_then(|i| ASCII.get(i));
    match (of_ascii, c) {
        (Some(&width), _) => f64::from(width),
        (None, '·' | '°') => 333.0,
        (None, '₀'..='ₔ' | '⁰'..='ⁿ' | '²' | '³' | '¹') => 415.0,
        (None, '−' | '×' | '±') => 584.0,
        (None, 'à'..='ÿ' | '–' | 'α'..='ω') => 580.0,
        (None, '…' | '—' | '→' | '←' | '↔') | (None, '\u{1100}'..) => 1000.0,
        (None, _) => 700.0,
    }
}
