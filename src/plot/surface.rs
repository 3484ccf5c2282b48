//! The energies of one model: what of them is within reason, where they are lowest, where their zero is.

use super::contour::is_masked;
use super::field::LIMIT;
use super::levels::number;
use super::minimum::{Lowest, lowest};
use super::{Landscape, Panel, RelativeTo, Style};

/// No crystal is lower than the input structure by more than this, in eV/atom: about what the strongest crystals gain over
/// their free atoms.
const DEEPEST: f64 = 10.0;
/// Beside other models, a model may be lower than the input by so many times what the others say (their median) ...
const DEEPER: f64 = 4.0;
/// ... and by this in any case, in eV/atom.
const DEEP: f64 = 2.0;

/// Energies in eV/atom, row-major `[n0][n1]`.
pub struct Surface {
    pub values: Vec<f64>,
    /// The lowest point outside the mask, and within reason.
    pub lowest: Option<Lowest>,
    /// Of the input structure.
    pub reference: Option<f64>,
    /// Energies below are beyond reason.
    pub floor: f64,
    /// The zero of the picture, or why there is none.
    pub zero: Result<f64, &'static str>,
    /// What to say besides the picture; may be empty.
    pub remark: String,
}

/// The points that zeros and levels are made for: those outside the mask. If all are masked, the half whose atoms are
/// least close.
pub fn open(landscape: &Landscape) -> Vec<bool> {
    let cost = &landscape.distance_cost;
    let open: Vec<bool> = cost.iter().map(|cost| !is_masked(*cost)).collect();
    if open.contains(&true) {
        return open;
    }
    let mut sorted = cost.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::INFINITY);
    cost.iter().map(|cost| *cost <= middle || middle.is_nan()).collect()
}

/// One surface a panel.
pub fn surfaces(landscape: &Landscape, style: &Style) -> Vec<Surface> {
    let open = open(landscape);
    let all_masked = landscape.distance_cost.iter().all(|cost| is_masked(*cost));
    let energies: Vec<Vec<f64>> =
        landscape.panels.iter().map(|panel| panel.energy.iter().copied().map(sensible).collect()).collect();
    let floors = floors(landscape, &energies, &open);
    let make = |((panel, values), floor): ((&Panel, Vec<f64>), f64)| {
        let lowest = lowest(landscape, panel, &values, &open, floor);
        let reference = panel.reference_energy.filter(|energy| energy.is_finite());
        let zero = zero(style, &values, (lowest.as_ref().map(|l| l.energy), reference), floor);
        let mut remark = String::new();
        let depth = values
            .iter()
            .zip(&open)
            .filter(|(_, open)| **open)
            .map(|(v, _)| *v)
            .fold(f64::INFINITY, f64::min);
        if all_masked {
            let why = if landscape.closest.is_empty() { "" } else { ": " };
            remark = format!("all points masked{why}{}", landscape.closest);
        } else if let (true, Ok(zero)) = (depth < floor, zero) {
            remark = format!("below the range: down to {}\u{a0}eV/atom", rough(depth - zero));
        }
        // Where all is masked, no point is a minimum.
        Surface { values, lowest: lowest.filter(|_| !all_masked), reference, floor, zero, remark }
    };
    landscape.panels.iter().zip(energies).zip(floors).map(make).collect()
}

/// Energies beyond all reason are repulsion that left the model's precision if they are high: infinite, drawn as
/// what lies above the levels. If they are low, they are as low as can be drawn.
fn sensible(energy: f64) -> f64 {
    match energy {
        e if e > LIMIT => f64::INFINITY,
        e if e == f64::NEG_INFINITY => f64::NAN,
        e if e < -LIMIT => -LIMIT,
        e => e,
    }
}

/// The lowest energy within reason of each panel: a number below the input structure, or below the middle of the open
/// points if that is lower.
fn floors(landscape: &Landscape, energies: &[Vec<f64>], open: &[bool]) -> Vec<f64> {
    let anchors: Vec<f64> = landscape.panels.iter().zip(energies).map(|(p, e)| anchor(p, e, open)).collect();
    let depth = |(energies, anchor): (&Vec<f64>, &f64)| {
        let open = energies.iter().zip(open).filter(|(energy, open)| energy.is_finite() && **open);
        anchor - open.map(|(energy, _)| *energy).fold(*anchor, f64::min)
    };
    let depths: Vec<f64> = energies.iter().zip(&anchors).map(depth).collect();
    let deepest = |i: usize| {
        let median = median_of_others(&depths, i, |j| anchors[j].is_finite());
        median.map_or(DEEPEST, |median| (DEEPER * median).clamp(DEEP, DEEPEST))
    };
    anchors.iter().enumerate().map(|(i, anchor)| anchor - deepest(i)).collect()
}

/// What the panels other than `i` say that count: the median, of two the smaller.
pub fn median_of_others(values: &[f64], i: usize, counts: impl Fn(usize) -> bool) -> Option<f64> {
    let mut others: Vec<f64> =
        (0..values.len()).filter(|j| *j != i && counts(*j)).map(|j| values[j]).collect();
    others.sort_by(f64::total_cmp);
    others.get(others.len().saturating_sub(1) / 2).copied()
}

fn anchor(panel: &Panel, energies: &[f64], open: &[bool]) -> f64 {
    let mut sample: Vec<f64> =
        energies.iter().zip(open).filter(|(e, open)| e.is_finite() && **open).map(|(e, _)| *e).collect();
    sample.sort_by(f64::total_cmp);
    let part = |part: usize| sample.get(sample.len() / part).copied();
    let reference = panel.reference_energy.filter(|energy| energy.is_finite());
    match (reference, part(2), part(10)) {
        (Some(reference), Some(middle), _) => reference.min(middle),
        (Some(reference), None, _) => reference,
        (None, _, low) => low.unwrap_or(f64::NAN),
    }
}

/// The zero of a panel from its lowest energy and that of the input. A panel that has a number has a zero.
fn zero(
    style: &Style,
    values: &[f64],
    (lowest, reference): (Option<f64>, Option<f64>),
    floor: f64,
) -> Result<f64, &'static str> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    match (style.relative_to, lowest, reference) {
        _ if finite().next().is_none() => Err("not computed"),
        (RelativeTo::Absolute, ..) => Ok(0.0),
        (RelativeTo::Minimum, Some(lowest), _) => Ok(lowest),
        (RelativeTo::Minimum, None, _) => {
            let within_reason = finite().filter(|value| *value >= floor).fold(f64::INFINITY, f64::min);
            Ok(if within_reason.is_finite() { within_reason } else { finite().fold(f64::INFINITY, f64::min) })
        }
        (RelativeTo::Reference, _, Some(energy)) => Ok(energy),
        (RelativeTo::Reference, _, None) => Err("energy of the input structure not computed"),
    }
}

/// A number that need not be exact: `−3.2`, `−1.2e5`.
pub fn rough(value: f64) -> String {
    match value.abs() {
        size if size < 1e4 => number(value, if size < 100.0 { 1 } else { 0 }),
        _ => format!("{value:.1e}").replace('-', "\u{2212}"),
    }
}
