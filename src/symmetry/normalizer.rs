//! Euclidean normaliser of a space group: the maps that send the group's orbits to orbits.

use moyo::base::{AngleTolerance, Lattice, Operation as MoyoOperation, Transformation};
use moyo::data::{HallSymbol, hall_symbol_entry};
use nalgebra::{Matrix3, Vector3};

use super::{Operation, SpaceGroup};

/// The Euclidean normaliser of a group on a given lattice, in the conventional basis.
#[derive(Clone, Debug)]
pub struct Normalizer {
    /// Discrete part modulo lattice translations; improper elements and the group itself included.
    pub operations: Vec<Operation>,
    /// Directions along which a polar group may be shifted freely.
    pub polar_directions: Vec<Vector3<f64>>,
}

/// moyo could not find the normaliser; its reason is kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the normaliser of space group {number} (Hall number {hall_number}) was not found: {reason}")]
pub struct NormalizerError {
    number: usize,
    hall_number: i32,
    reason: String,
}

/// Metric tolerance of moyo's search for the lattice's own symmetry, in Angstrom; what it finds too much is dropped.
const LATTICE_TOLERANCE: f64 = 1e-3;

/// Whether a change of basis leaves all lengths and angles of a lattice alone, exactly but for rounding.
fn keeps_metric(rotation: &Matrix3<f64>, lattice: &Matrix3<f64>) -> bool {
    let metric = lattice.transpose() * lattice;
    let changed = rotation.transpose() * metric * rotation;
    (changed - metric).amax() < 1e-9 * metric.amax()
}

impl Normalizer {
    /// The normaliser for conventional lattice vectors given as columns, in Angstrom.
    pub fn new(group: &SpaceGroup, lattice: &Matrix3<f64>) -> Result<Normalizer, NormalizerError> {
        let error = |reason: &str| NormalizerError {
            number: group.number,
            hall_number: group.hall_number,
            reason: reason.to_string(),
        };
        let entry = hall_symbol_entry(group.hall_number).ok_or_else(|| error("unknown Hall number"))?;
        let hall = HallSymbol::from_hall_number(group.hall_number)
            .ok_or_else(|| error("the Hall symbol cannot be read"))?;
        let to_conventional = Transformation::from_linear(entry.centering.linear());
        let primitive = to_conventional.inverse_transform_lattice(&Lattice::new(lattice.transpose()));
        let normalizer = moyo::identify::Normalizer::from_lattice(
            &primitive,
            &hall.primitive_traverse(),
            &hall.primitive_generators(),
            LATTICE_TOLERANCE,
            AngleTolerance::Default,
            false,
        )
        .map_err(|e| error(&e.to_string()))?;
        let operations = normalizer
            .operations()
            .iter()
            .filter_map(|o| {
                to_conventional.transform_operation(&MoyoOperation::new(*o.linear(), *o.origin_shift()))
            })
            .map(|o| Operation { rotation: o.rotation.map(f64::from), translation: o.translation })
            .filter(|o| keeps_metric(&o.rotation, lattice))
            .collect();
        let polar_directions = normalizer
            .continuous_translation_directions
            .iter()
            .map(|d| to_conventional.linear_inv * d)
            .collect();
        Ok(Normalizer { operations, polar_directions })
    }
}
