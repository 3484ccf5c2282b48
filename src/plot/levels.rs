//! Round numbers: levels between the bands of colour, and ticks.

/// Leading digits of a round step, within a decade.
const MANTISSAS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];

/// The levels that every panel of a figure shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    /// Edges of the bands in eV/atom, increasing, two at least.
    pub edges: Vec<f64>,
    /// True if some value lies below the first edge.
    pub under: bool,
    /// True if some value lies above the last edge.
    pub over: bool,
}

impl Levels {
    /// The first and the last edge.
    pub fn range(&self) -> (f64, f64) {
        (self.edges.first().copied().unwrap_or(0.0), self.edges.last().copied().unwrap_or(1.0))
    }
}

/// About `wanted` bands with round edges that cover `range`, which may grow to the next round number.
pub fn covering(range: (f64, f64), wanted: usize) -> Vec<f64> {
    let step = step_for(range.1 - range.0, wanted);
    edges(step, (range.0 / step + DUST).floor(), (range.1 / step - DUST).ceil())
}

/// About `wanted` bands that begin and end exactly with `range`: round edges if they fit it, else equal
/// parts.
pub fn exactly(range: (f64, f64), wanted: usize) -> Vec<f64> {
    let (low, high) = range;
    let span = high - low;
    let is_whole = |ratio: f64| (ratio - ratio.round()).abs() < 1e-6;
    let fits = |step: &f64| {
        let bands = span / step;
        let about = wanted as f64 * 0.55..=wanted as f64 * 1.8;
        about.contains(&bands) && is_whole(low / step) && is_whole(high / step)
    };
    match steps_near(span / wanted as f64).filter(fits).min_by(|a, b| misfit(span / a, wanted, span / b)) {
        Some(step) => edges(step, (low / step).round(), (high / step).round()),
        None => (0..=wanted).map(|i| low + span * i as f64 / wanted as f64).collect(),
    }
}

/// About `wanted` bands symmetric about zero, up to `high` or the next round number. Zero itself is no edge:
/// the band in the middle reaches from minus to plus one step, so that what differs by less than a step stays
/// white.
pub fn symmetric(high: f64, wanted: usize) -> Vec<f64> {
    let step = step_for(high, wanted.div_ceil(2));
    let one_side = edges(step, 1.0, (high / step - DUST).ceil().max(2.0));
    one_side.iter().rev().map(|edge| -edge).chain(one_side.iter().copied()).collect()
}

/// As [`symmetric`], but ending exactly with `high`.
pub fn symmetric_exactly(high: f64, wanted: usize) -> Vec<f64> {
    let one_side = exactly((0.0, high), wanted.div_ceil(2).max(2));
    one_side.iter().skip(1).rev().map(|edge| -edge).chain(one_side.iter().skip(1).copied()).collect()
}

/// Ratios that are whole but for rounding count as whole.
const DUST: f64 = 1e-9;

fn edges(step: f64, first: f64, last: f64) -> Vec<f64> {
    let bands = (last - first).max(1.0) as usize;
    (0..=bands).map(|i| (first + i as f64) * step).collect()
}

/// The round step that divides `span` into the number of parts nearest to `wanted` (as a ratio).
fn step_for(span: f64, wanted: usize) -> f64 {
    let ideal = span / wanted as f64;
    steps_near(ideal).min_by(|a, b| misfit(span / a, wanted, span / b)).unwrap_or(ideal)
}

/// Orders two numbers of parts by their distance from the wanted one.
fn misfit(a: f64, wanted: usize, b: f64) -> std::cmp::Ordering {
    let distance = |parts: f64| (parts / wanted as f64).ln().abs();
    distance(a).total_cmp(&distance(b))
}

/// Round steps from a tenth to ten times `size`.
fn steps_near(size: f64) -> impl Iterator<Item = f64> {
    let decade = size.log10().floor() as i32;
    (decade - 1..=decade + 1).flat_map(|power| MANTISSAS.map(|mantissa| mantissa * 10_f64.powi(power)))
}

/// Places on an axis and what is written there, all with the same number of decimals.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    pub values: Vec<f64>,
    pub labels: Vec<String>,
}

impl Ticks {
    /// At most `most` round numbers within `range`; both ends among them if that is possible.
    pub fn new(range: (f64, f64), most: usize) -> Self {
        let (low, high) = range;
        let most = most.max(2);
        let ideal = 0.8 * most as f64;
        let (step, values) = steps_near((high - low) / ideal)
            .map(|step| (step, multiples(step, low, high)))
            .filter(|(_, values)| (1..=most).contains(&values.len()))
            .min_by(|a, b| unease(&a.1, range, ideal).total_cmp(&unease(&b.1, range, ideal)))
            .unwrap_or_else(|| (high - low, vec![low, high]));
        let decimals = decimals(step);
        let labels = values.iter().map(|value| label(*value, decimals)).collect();
        Self { values, labels }
    }
}

fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first + 1.0).clamp(0.0, 100.0) as usize;
    (0..count).map(|i| (first + i as f64) * step).collect()
}

/// How badly a choice of ticks suits an axis: too few, too many, or none at its ends.
fn unease(values: &[f64], (low, high): (f64, f64), ideal: f64) -> f64 {
    let near = |a: Option<&f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-6 * (high - low));
    let ends = if near(values.first(), low) && near(values.last(), high) { 0.0 } else { 1.5 };
    (values.len() as f64 - ideal).abs() + ends
}

/// Decimals that tell apart what differs by a hundredth of `span`.
pub fn decimals_of(span: f64) -> usize {
    (2.0 - span.abs().max(1e-9).log10().ceil()).clamp(0.0, 6.0) as usize
}

/// Decimals that show a multiple of `step` completely.
fn decimals(step: f64) -> usize {
    let is_shown = |n: &i32| {
        let scaled = step * 10_f64.powi(*n);
        scaled > 0.5 && (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    (0..12).find(is_shown).unwrap_or(12) as usize
}

fn label(value: f64, decimals: usize) -> String {
    if value.abs() < 1e6 { number(value, decimals) } else { format!("{value:.1e}").replace('-', "\u{2212}") }
}

/// A number with a true minus sign, and none before zero.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        Some(digits) => format!("\u{2212}{digits}"),
        None => text,
    }
}
