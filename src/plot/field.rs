//! From energies to what is drawn: zero subtracted, difference taken, levels chosen.

use super::contour::{Grid, is_masked};
use super::levels::{self, Levels, number};
use super::minimum::Lowest;
use super::surface::{self, Surface};
use super::text::{Line, Shape};
use super::{Landscape, Panel, PlotError, RelativeTo, Style};

/// Everything to draw, on the closed grid.
#[derive(Debug)]
pub struct Fields {
    /// Nodes; `y` has one value for a landscape with one axis.
    pub grid: Grid,
    /// Distance cost in Angstrom, `[ny][nx]`.
    pub cost: Vec<f64>,
    pub layers: Vec<Layer>,
    pub levels: Levels,
    /// What the levels measure, e.g. "E − E_min (eV/atom)".
    pub quantity: Line,
    /// What has to be known besides; may be empty.
    pub caption: String,
}

/// One panel or curve.
#[derive(Debug)]
pub struct Layer {
    pub title: String,
    /// eV/atom, `[ny][nx]`, NaN where there is nothing to draw; may be infinite upwards.
    pub values: Vec<f64>,
    /// The model's lowest point outside the mask.
    pub lowest: Option<Lowest>,
    /// Value of the input structure in eV/atom.
    pub input: Option<f64>,
    /// Values below this are beyond reason.
    pub floor: f64,
    /// What to say instead of a picture, or of a constant one.
    pub note: Option<String>,
    /// What to say besides; may be empty.
    pub remark: String,
}

/// Energies that can be drawn stay within this, in eV/atom.
pub const LIMIT: f64 = 1e9;

impl Fields {
    pub fn new(landscape: &Landscape, style: &Style) -> Result<Self, PlotError> {
        let axis = |i: usize| landscape.axes.get(i).map_or_else(|| vec![0.0], |axis| axis.drawn());
        let grid = Grid { x: axis(0), y: axis(1) };
        let without_reference = |panel: &Panel| !panel.reference_energy.is_some_and(f64::is_finite);
        if style.relative_to == RelativeTo::Reference && landscape.panels.iter().all(without_reference) {
            return Err(PlotError::NoReferenceEnergy);
        }
        let base = match &style.difference {
            Some(name) => Some(base_of(landscape, name)?),
            None => None,
        };
        let surfaces = surface::surfaces(landscape, style);
        let others = (0..surfaces.len()).filter(|i| Some(*i) != base);
        let mut layers: Vec<Layer> = others
            .map(|i| layer(&landscape.panels[i].title, &surfaces[i], base.map(|base| &surfaces[base])))
            .collect();
        let levels = levels(&mut layers, &surface::open(landscape), style);
        layers.iter_mut().for_each(|layer| layer.values = closed(landscape, &layer.values));
        let cost = closed(landscape, &landscape.distance_cost);
        Ok(Self { grid, cost, layers, levels, quantity: quantity(style), caption: caption(style) })
    }

    /// Nodes along both axes.
    pub fn shape(&self) -> (usize, usize) {
        (self.grid.x.len(), self.grid.y.len())
    }

    /// True if there is no point outside the mask.
    pub fn is_all_masked(&self) -> bool {
        self.cost.iter().all(|cost| is_masked(*cost))
    }
}

/// Index of the model to compare with.
fn base_of(landscape: &Landscape, name: &str) -> Result<usize, PlotError> {
    let titles = || landscape.panels.iter().map(|panel| panel.title.as_str());
    match titles().position(|title| title == name) {
        Some(_) if landscape.panels.len() == 1 => Err(PlotError::NothingToCompare(name.into())),
        Some(base) => Ok(base),
        None => {
            let known = titles().collect::<Vec<_>>().join(", ");
            Err(PlotError::UnknownModel { wanted: name.into(), known })
        }
    }
}

/// `[n0][n1]` to `[ny][nx]` (axis 0 is horizontal), with the first row and column of a periodic axis
/// repeated.
fn closed(landscape: &Landscape, values: &[f64]) -> Vec<f64> {
    let size = |i: usize| landscape.axes.get(i).map_or(1, |axis| axis.values.len());
    let drawn = |i: usize| size(i) + usize::from(landscape.axes.get(i).is_some_and(|axis| axis.periodic));
    let (n0, n1) = (size(0), size(1));
    (0..drawn(1)).flat_map(|y| (0..drawn(0)).map(move |x| values[x % n0 * n1 + y % n1])).collect()
}

fn layer(title: &str, surface: &Surface, base: Option<&Surface>) -> Layer {
    let without = |note: String| Layer {
        title: title.to_owned(),
        values: vec![f64::NAN; surface.values.len()],
        lowest: None,
        input: None,
        floor: f64::NEG_INFINITY,
        note: Some(note),
        remark: String::new(),
    };
    let (zero, base) = match (surface.zero, base.map(|base| (base, base.zero))) {
        (Err(reason), _) => return without(reason.into()),
        (_, Some((_, Err(reason)))) => return without(format!("model to compare with: {reason}")),
        (Ok(zero), None) => (zero, None),
        (Ok(zero), Some((base, Ok(base_zero)))) => (zero, Some((base, base_zero))),
    };
    let relative = |i: usize, energy: f64| {
        energy - zero - base.map_or(0.0, |(base, base_zero)| base.values[i] - base_zero)
    };
    let values: Vec<f64> =
        surface.values.iter().enumerate().map(|(i, energy)| relative(i, *energy)).collect();
    let input = match base {
        None => surface.reference.map(|energy| energy - zero),
        Some((base, base_zero)) => {
            surface.reference.zip(base.reference).map(|(a, b)| (a - zero) - (b - base_zero))
        }
    };
    let shown = if base.is_none() { &surface.values } else { &values };
    let note = constant(&values).map(|i| format!("constant: {}\u{a0}eV/atom", number(shown[i], 4)));
    // On a constant field every point is the lowest.
    let lowest = surface.lowest.clone().filter(|_| note.is_none());
    let floor = surface.floor - zero;
    Layer { title: title.to_owned(), values, lowest, input, floor, note, remark: surface.remark.clone() }
}

/// Index of some value if all values are the same number, to a micro-electronvolt.
fn constant(values: &[f64]) -> Option<usize> {
    let (low, high) = extremes(values.iter().copied().filter(|value| !value.is_nan()));
    (high - low < 1e-6).then(|| values.iter().position(|value| value.is_finite())).flatten()
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn quantity(style: &Style) -> Line {
    let energy = Line { spans: Vec::new() }.then(Shape::Italic, "E");
    let minus = |line: Line| line.then(Shape::Upright, " − ").then(Shape::Italic, "E");
    match (&style.difference, style.relative_to) {
        (Some(model), _) if model.contains('(') => {
            minus(energy).then(Shape::Upright, format!("[{model}] (eV/atom)"))
        }
        (Some(model), _) => minus(energy).then(Shape::Upright, format!("({model}) (eV/atom)")),
        (None, RelativeTo::Minimum) => {
            minus(energy).then(Shape::Subscript, "min").then(Shape::Upright, " (eV/atom)")
        }
        (None, RelativeTo::Reference) => {
            minus(energy).then(Shape::Subscript, "input").then(Shape::Upright, " (eV/atom)")
        }
        (None, RelativeTo::Absolute) => energy.then(Shape::Upright, " (eV/atom)"),
    }
}

/// What a difference is relative to.
fn caption(style: &Style) -> String {
    let Some(model) = &style.difference else { return String::new() };
    let zero = match style.relative_to {
        RelativeTo::Minimum => "each model relative to its own minimum",
        RelativeTo::Reference => "each model relative to its energy of the input structure",
        RelativeTo::Absolute => "energies as the models give them",
    };
    format!("Difference from {model}, {zero}")
}

/// A panel whose values reach so many times as far as those of the others (their median) does not count for the levels ...
const FAR: f64 = 5.0;
/// ... unless they stay within this, in eV/atom, which is nothing beyond reason.
const REASON: f64 = 1.0;

/// One set of levels for all panels; those that do not count for them get a remark.
fn levels(layers: &mut [Layer], open: &[bool], style: &Style) -> Levels {
    let is_difference = style.difference.is_some();
    let samples: Vec<Vec<f64>> = layers.iter().map(|layer| sample(layer, open, is_difference)).collect();
    let from_zero = is_difference || style.relative_to == RelativeTo::Minimum;
    let floor = |sample: &[f64]| if from_zero { 0.0 } else { sample_minimum(sample) };
    let reach: Vec<f64> = samples.iter().map(|s| robust_top(floor(s), &mut s.clone()) - floor(s)).collect();
    let counts: Vec<bool> = (0..reach.len()).map(|i| counts(&reach, i)).collect();
    let mut sample: Vec<f64> = samples
        .into_iter()
        .zip(&counts)
        .filter(|(_, counts)| **counts)
        .flat_map(|(sample, _)| sample)
        .collect();
    let edges = match (style.range, is_difference) {
        (Some(range), false) => levels::exactly(range, style.levels),
        (Some((low, high)), true) => levels::symmetric_exactly(low.abs().max(high.abs()), style.levels),
        (None, _) if sample.is_empty() => {
            levels::exactly((if is_difference { -1.0 } else { 0.0 }, 1.0), style.levels)
        }
        (None, false) => {
            let floor = floor(&sample);
            levels::covering(wide_enough(floor, robust_top(floor, &mut sample)), style.levels)
        }
        (None, true) => levels::symmetric(wide_enough(0.0, robust_top(0.0, &mut sample)).1, style.levels),
    };
    let mut levels = Levels { edges, under: false, over: false };
    let (low, high) = levels.range();
    for (layer, counts) in layers.iter_mut().zip(counts) {
        levels.under |= layer.values.iter().any(|value| *value < low);
        levels.over |= layer.values.iter().any(|value| *value > high);
        if !counts && style.range.is_none() && layer.remark.is_empty() {
            let open = layer.values.iter().zip(open).filter(|(value, open)| value.is_finite() && **open);
            let far =
                open.map(|(value, _)| *value).fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
            layer.remark = format!("beyond the range: to {}\u{a0}eV/atom", surface::rough(far));
        }
    }
    levels
}

/// The values that the levels are made for: those outside the mask, or the nearest to it if all are masked. What is
/// below reason is left out; it has its own remark.
fn sample(layer: &Layer, open: &[bool], is_difference: bool) -> Vec<f64> {
    let finite = layer.values.iter().zip(open).filter(|(value, open)| value.is_finite() && **open);
    match is_difference {
        true => finite.map(|(value, _)| value.abs()).collect(),
        false => finite.map(|(value, _)| *value).filter(|value| *value >= layer.floor).collect(),
    }
}

/// Whether panel `i` counts for the levels that all panels share, by how far the panels reach.
fn counts(reach: &[f64], i: usize) -> bool {
    let median = surface::median_of_others(reach, i, |j| reach[j] > 1e-6);
    median.is_none_or(|median| reach[i] <= REASON.max(FAR * median))
}

fn sample_minimum(sample: &[f64]) -> f64 {
    let low = extremes(sample.iter().copied()).0;
    if low.is_finite() { low } else { 0.0 }
}

/// The highest level: the 98th percentile, but at most half as much again over `floor` as the 90th. Repulsion
/// dwarfs all: without the first, one point beside the mask would take all the colours, without the second, a
/// steep wall around it.
fn robust_top(floor: f64, sample: &mut [f64]) -> f64 {
    let mut percentile = |part: f64| {
        let place = (part * sample.len().saturating_sub(1) as f64).round() as usize;
        if sample.is_empty() { floor } else { *sample.select_nth_unstable_by(place, f64::total_cmp).1 }
    };
    let (most, nearly_all) = (percentile(0.90), percentile(0.98));
    // A field that is flat almost everywhere still has its rise to show.
    let wall = floor + 1.5 * (most - floor);
    if wall > floor + 0.1 * (nearly_all - floor) { wall.min(nearly_all) } else { nearly_all }
}

/// At least a milli-electronvolt, where the field is flat.
fn wide_enough(low: f64, high: f64) -> (f64, f64) {
    (low, if high - low < 1e-6 { low + 1e-3 } else { high })
}
