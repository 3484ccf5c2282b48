//! What a surface's numbers depend on, as pairs of name and value: written as attributes at creation, compared before
//! a run is resumed.

use std::fmt;

use hdf5::Location;
use sha2::{Digest, Sha256};

use super::scales;
use crate::crystal::Element;
use crate::landscape::{Axis, Landscape, RadiiError, Relation, Thresholds};
use crate::symmetry::Crystal;
use crate::work::{LandscapeWork, StructureWork, SurfaceWork};

/// Raised whenever the engines' numbers change by more than rounding, so that no file mixes both.
const NUMERICS: i64 = 1;

/// The smallest distances of a landscape that count as physical.
pub(super) const THRESHOLDS: &str = "thresholds_sha256";

/// Name and value of everything that must not change.
pub(super) type Identity = Vec<(&'static str, Value)>;

/// Value of an attribute.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
}

impl Value {
    /// A number of things, of which there are never as many as an integer can count.
    fn count(number: usize) -> Value {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Writes it as an attribute.
    pub(super) fn write(&self, location: &Location, name: &str) -> hdf5::Result<()> {
        match self {
            Value::Text(text) => scales::text_attribute(location, name, text),
            Value::Integer(number) => scales::integer_attribute(location, name, *number),
        }
    }

    /// Reads an attribute.
    pub(super) fn read(location: &Location, name: &str) -> hdf5::Result<Value> {
        match scales::read_integer(location, name) {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => scales::read_text(location, name).map(Value::Text),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Integer(number) => write!(f, "{number}"),
        }
    }
}

pub(super) fn of_structure(structure: &StructureWork) -> Identity {
    let crystal = &structure.crystal;
    vec![
        ("space_group_number", Value::count(crystal.group.number)),
        ("hall_number", Value::Integer(crystal.group.hall_number.into())),
        ("structure_sha256", Value::Text(hash_crystal(crystal))),
    ]
}

pub(super) fn of_landscape(landscape: &LandscapeWork) -> Identity {
    let axes: Vec<String> =
        landscape.landscape.axes.iter().map(|a| describe_axis(&landscape.landscape, a)).collect();
    vec![
        ("axes", Value::Text(axes.join("; "))),
        (THRESHOLDS, Value::Text(hash_thresholds(&landscape.landscape))),
    ]
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
        ("weights_sha256", Value::Text(model.potential.sha256.clone())),
        ("head", Value::Text(model.potential.heads().get(model.head).cloned().unwrap_or_default())),
        ("dtype", Value::Text(model.precision.name().to_string())),
        ("equivalence", Value::Text(format!("{relation}{handedness}"))),
        ("points_per_tile", Value::count(surface.points_per_tile)),
        ("numerics", Value::Integer(NUMERICS)),
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
