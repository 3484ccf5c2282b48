//! What a surface's numbers depend on, as pairs of name and text: written as attributes at creation, compared before
//! a run is resumed.

use sha2::{Digest, Sha256};

use crate::crystal::Element;
use crate::landscape::{Axis, Landscape, RadiiError, Relation, Thresholds};
use crate::symmetry::Crystal;
use crate::work::{LandscapeWork, StructureWork, SurfaceWork};

/// Raised whenever the engines' numbers change by more than rounding, so that no file mixes both.
const NUMERICS: &str = "1";

/// The smallest distances of a landscape that count as physical.
pub(super) const THRESHOLDS: &str = "thresholds_sha256";

/// Name and value of everything that must not change.
pub(super) type Identity = Vec<(&'static str, String)>;

pub(super) fn of_structure(structure: &StructureWork) -> Identity {
    let crystal = &structure.crystal;
    vec![
        ("space_group_number", crystal.group.number.to_string()),
        ("hall_number", crystal.group.hall_number.to_string()),
        ("structure_sha256", hash_crystal(crystal)),
    ]
}

pub(super) fn of_landscape(landscape: &LandscapeWork) -> Identity {
    let axes: Vec<String> =
        landscape.landscape.axes.iter().map(|a| describe_axis(&landscape.landscape, a)).collect();
    vec![("axes", axes.join("; ")), (THRESHOLDS, hash_thresholds(&landscape.landscape))]
}

pub(super) fn of_surface(surface: &SurfaceWork) -> Identity {
    let model = &surface.model;
    let relation = match surface.equivalence.relation {
        None => "none",
        Some(Relation::Identical) => "identical",
        Some(Relation::Translated) => "translated",
        Some(Relation::Rotated) => "rotated",
    };
    let handedness = if surface.equivalence.proper_only { ", proper only" } else { "" };
    vec![
        ("weights_sha256", model.potential.sha256.clone()),
        ("head", model.potential.heads().get(model.head).cloned().unwrap_or_default()),
        ("dtype", model.precision.name().to_string()),
        ("equivalence", format!("{relation}{handedness}")),
        ("points_per_tile", surface.points_per_tile.to_string()),
        ("numerics", NUMERICS.to_string()),
    ]
}

fn describe_axis(landscape: &Landscape, axis: &Axis) -> String {
    let name = axis.dof.name(&landscape.crystal);
    format!("{name} from {} to {} in {} points", axis.range[0], axis.range[1], axis.points)
}

fn hash_crystal(crystal: &Crystal) -> String {
    let mut hash = Sha256::new();
    let mut number = |v: f64| hash.update(v.to_bits().to_le_bytes());
    crystal.lattice.iter().for_each(|v| number(*v));
    for orbit in &crystal.orbits {
        number(orbit.element.number() as f64);
        number(orbit.position as f64);
        orbit.coordinates.iter().for_each(|v| number(*v));
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// In Angstrom, each orbit with each; NaN where there is no radius.
pub(super) fn minimum_pair_distances(landscape: &Landscape) -> Vec<f64> {
    pair_distances(landscape, Thresholds::minimum)
}

/// The same without caps.
pub(super) fn uncapped_pair_distances(landscape: &Landscape) -> Vec<f64> {
    pair_distances(landscape, Thresholds::uncapped)
}

fn pair_distances(
    landscape: &Landscape,
    of_pair: fn(&Thresholds, Element, Element) -> Result<f64, RadiiError>,
) -> Vec<f64> {
    let orbits = &landscape.crystal.orbits;
    let pairs = orbits.iter().flat_map(|a| orbits.iter().map(move |b| (a.element, b.element)));
    pairs.map(|(a, b)| of_pair(&landscape.thresholds, a, b).unwrap_or(f64::NAN)).collect()
}

fn hash_thresholds(landscape: &Landscape) -> String {
    let mut hash = Sha256::new();
    minimum_pair_distances(landscape).iter().for_each(|d| hash.update(d.to_bits().to_le_bytes()));
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
