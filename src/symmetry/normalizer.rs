//! Euclidean normaliser of a space group: the maps that send the group's orbits to orbits.

use moyo::base::{AngleTolerance, Lattice, Operation as MoyoOperation, Transformation};
use moyo::data::{HallSymbol, hall_symbol_entry};
use nalgebra::{Matrix3, Matrix3xX, Vector3};

use super::{Operation, SpaceGroup};
use crate::crystal::periodic::Periodic;

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

/// Metric tolerances of moyo's search for the lattice's own symmetry, in parts of its shortest vector, one after the
/// other: at a tolerance near to what a lattice lacks of a higher symmetry, moyo finds no group.
const LATTICE_TOLERANCES: [f64; 4] = [1e-5, 1e-6, 1e-7, 1e-8];

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
        let (operations, generators) = (hall.primitive_traverse(), hall.primitive_generators());
        let shortest = Periodic::new(&primitive.basis).shortest;
        let search = |tolerance: f64| {
            let tolerance = tolerance * shortest;
            let default = AngleTolerance::Default;
            moyo::identify::Normalizer::from_lattice(
                &primitive,
                &operations,
                &generators,
                tolerance,
                default,
                false,
            )
        };
        let mut found = search(LATTICE_TOLERANCES[0]);
        for tolerance in &LATTICE_TOLERANCES[1..] {
            found = found.or_else(|_| search(*tolerance));
        }
        let normalizer = found.map_err(|e| error(&e.to_string()))?;
        let operations = normalizer
            .operations()
            .iter()
            .filter_map(|o| {
                to_conventional.transform_operation(&MoyoOperation::new(*o.linear(), *o.origin_shift()))
            })
            .map(|o| Operation { rotation: o.rotation.map(f64::from), translation: o.translation })
            // What is found too much is dropped.
            .filter(|o| keeps_metric(&o.rotation, lattice))
            .collect();
        let polar_directions = normalizer
            .continuous_translation_directions
            .iter()
            .map(|d| to_conventional.linear_inv * d)
            .collect();
        Ok(Normalizer { operations, polar_directions })
    }

    /// What is known of any group's normaliser without a search: the group itself and its polar directions.
    pub fn of_group(group: &SpaceGroup) -> Normalizer {
        let projector = group.polar_projector();
        let mut polar_directions: Vec<Vector3<f64>> = Vec::new();
        for column in projector.column_iter() {
            let mut columns = polar_directions.clone();
            columns.push(column.into_owned());
            if Matrix3xX::from_columns(&columns).rank(1e-6) == columns.len() {
                polar_directions = columns;
            }
        }
        Normalizer { operations: group.operations.clone(), polar_directions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polar_directions_without_a_search_are_those_of_one() {
        let mut polar = 0;
        for number in 1..=230 {
            let group = SpaceGroup::from_number(number).unwrap();
            // A box whose edges suit all systems but the hexagonal ones.
            let hexagonal = Matrix3::new(5.0, -2.5, 0.0, 0.0, 2.5 * 3_f64.sqrt(), 0.0, 0.0, 0.0, 7.3);
            let lattice =
                if (143..195).contains(&number) { hexagonal } else { Matrix3::from_diagonal_element(5.0) };
            let searched = Normalizer::new(&group, &lattice).unwrap();
            let known = Normalizer::of_group(&group);
            let mut both = searched.polar_directions.clone();
            both.extend(known.polar_directions.clone());
            assert_eq!(searched.polar_directions.len(), known.polar_directions.len(), "{number}");
            if !both.is_empty() {
                polar += 1;
                let rank = Matrix3xX::from_columns(&both).rank(1e-6);
                assert_eq!(rank, known.polar_directions.len(), "{number}");
            }
            assert!(
                searched.operations.len() >= known.operations.len() / group.centring_translations().count()
            );
        }
        assert_eq!(polar, 68, "as many groups are polar");
    }
}
