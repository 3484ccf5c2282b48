//! From energies to what is drawn: zero subtracted, difference taken, lowest points found, levels chosen.

use super::contour::{Grid, is_masked};
use super::levels::{self, Levels, number};
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
}

/// One panel or curve.
#[derive(Debug)]
pub struct Layer {
    pub title: String,
    /// eV/atom, `[ny][nx]`, NaN where there is nothing to draw; may be infinite upwards.
    pub values: Vec<f64>,
    /// Coordinate index `[x, y]` of the model's lowest point outside the mask.
    pub lowest: Option<[usize; 2]>,
    /// What to say instead of, or besides, a picture.
    pub note: Option<String>,
}

/// Energies that can be drawn stay within this, in eV/atom.
pub const LIMIT: f64 = 1e9;

/// Energies on the closed grid with their zero.
struct Surface {
    values: Vec<f64>,
    lowest: Option<usize>,
    zero: Result<f64, &'static str>,
}

impl Fields {
    pub fn new(landscape: &Landscape, style: &Style) -> Result<Self, PlotError> {
        let axis = |i: usize| landscape.axes.get(i).map_or_else(|| vec![0.0], |axis| axis.drawn());
        let grid = Grid { x: axis(0), y: axis(1) };
        let cost = closed(landscape, &landscape.distance_cost);
        let masked: Vec<bool> = cost.iter().map(|cost| is_masked(*cost)).collect();
        let surface = |panel: &Panel| Surface::new(closed(landscape, &panel.energy), &masked, panel, style);
        let surfaces: Vec<Surface> = landscape.panels.iter().map(surface).collect();
        let without_reference = |panel: &Panel| !panel.reference_energy.is_some_and(f64::is_finite);
        if style.relative_to == RelativeTo::Reference && landscape.panels.iter().all(without_reference) {
            return Err(PlotError::NoReferenceEnergy);
        }
        let base = match &style.difference {
            Some(name) => Some(base_of(landscape, name)?),
            None => None,
        };
        let layers: Vec<Layer> = (0..surfaces.len())
            .filter(|i| Some(*i) != base)
            .map(|i| {
                let title = landscape.panels[i].title.clone();
                layer(title, &surfaces[i], base.map(|base| &surfaces[base]), grid.x.len())
            })
            .collect();
        let levels = levels(&layers, &masked, style);
        Ok(Self { grid, cost, layers, levels, quantity: quantity(style) })
    }

    /// Nodes along both axes.
    pub fn shape(&self) -> (usize, usize) {
        (self.grid.x.len(), self.grid.y.len())
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

impl Surface {
    fn new(mut values: Vec<f64>, masked: &[bool], panel: &Panel, style: &Style) -> Self {
        values.iter_mut().for_each(|value| *value = sensible(*value));
        let lowest = (0..values.len())
            .filter(|i| values[*i].is_finite() && !masked[*i])
            .min_by(|a, b| values[*a].total_cmp(&values[*b]));
        let computed = values.iter().any(|value| value.is_finite());
        let zero = match (style.relative_to, lowest, panel.reference_energy.filter(|e| e.is_finite())) {
            _ if !computed => Err("not computed"),
            (RelativeTo::Absolute, ..) => Ok(0.0),
            (RelativeTo::Minimum, Some(lowest), _) => Ok(values[lowest]),
            (RelativeTo::Minimum, None, _) => Err("no point outside the mask"),
            (RelativeTo::Reference, _, Some(energy)) => Ok(energy),
            (RelativeTo::Reference, _, None) => Err("energy of the input structure not computed"),
        };
        Self { values, lowest, zero }
    }
}

/// Energies beyond all reason are repulsion that left the model's precision if they are high: infinite, drawn as
/// what lies above the levels. If they are low, they are no energies.
fn sensible(energy: f64) -> f64 {
    match energy {
        e if e > LIMIT => f64::INFINITY,
        e if e < -LIMIT => f64::NAN,
        e => e,
    }
}

fn layer(title: String, surface: &Surface, base: Option<&Surface>, nx: usize) -> Layer {
    let relative = |surface: &Surface, i: usize, zero: f64| surface.values[i] - zero;
    let indices = 0..surface.values.len();
    let values: Result<Vec<f64>, String> = match (surface.zero, base.map(|base| (base, base.zero))) {
        (Err(reason), _) => Err(reason.into()),
        (_, Some((_, Err(reason)))) => Err(format!("model to compare with: {reason}")),
        (Ok(zero), None) => Ok(indices.map(|i| relative(surface, i, zero)).collect()),
        (Ok(zero), Some((base, Ok(base_zero)))) => {
            Ok(indices.map(|i| relative(surface, i, zero) - relative(base, i, base_zero)).collect())
        }
    };
    let lowest = surface.lowest.map(|i| [i % nx, i / nx]);
    match values {
        Ok(values) => {
            let shown = if base.is_none() { &surface.values } else { &values };
            let note = constant(&values).map(|i| format!("constant: {}\u{a0}eV/atom", number(shown[i], 4)));
            // On a constant field every point is the lowest.
            Layer { title, lowest: lowest.filter(|_| note.is_none()), values, note }
        }
        Err(note) => {
            Layer { title, values: vec![f64::NAN; surface.values.len()], lowest: None, note: Some(note) }
        }
    }
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

/// One set of levels for all panels.
fn levels(layers: &[Layer], masked: &[bool], style: &Style) -> Levels {
    let drawn = || layers.iter().flat_map(|layer| layer.values.iter().copied().zip(masked));
    let finite = || drawn().filter(|(value, _)| value.is_finite());
    let mut sample: Vec<f64> = finite().filter(|(_, masked)| !**masked).map(|(value, _)| value).collect();
    if sample.is_empty() {
        sample = finite().map(|(value, _)| value).collect();
    }
    let edges = match (style.range, style.difference.is_some()) {
        (None, difference) if sample.is_empty() => {
            levels::exactly((if difference { -1.0 } else { 0.0 }, 1.0), style.levels)
        }
        (Some(range), false) => levels::exactly(range, style.levels),
        (Some((low, high)), true) => levels::symmetric_exactly(low.abs().max(high.abs()), style.levels),
        (None, false) => {
            let floor = if style.relative_to == RelativeTo::Minimum { 0.0 } else { sample_minimum(&sample) };
            levels::covering(wide_enough(floor, robust_top(floor, &mut sample)), style.levels)
        }
        (None, true) => {
            sample.iter_mut().for_each(|value| *value = value.abs());
            levels::symmetric(wide_enough(0.0, robust_top(0.0, &mut sample)).1, style.levels)
        }
    };
    let levels = Levels { edges, under: false, over: false };
    let (low, high) = levels.range();
    let (under, over) = drawn()
        .fold((false, false), |(under, over), (value, _)| (under || value < low, over || value > high));
    Levels { under, over, ..levels }
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
