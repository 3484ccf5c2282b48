//! What every structure must fulfil, whatever file it comes from.

use nalgebra::{Matrix3, Vector3};

use super::periodic::Periodic;
use super::{Element, Structure};

/// Most atoms a cell may hold: far more than a landscape needs, few enough to compare all pairs.
pub(super) const MOST_ATOMS: usize = 10_000;

/// Lowest cell: least distance in Angstrom between opposite faces of the reduced cell.
const LEAST_HEIGHT: f64 = 0.5;

/// Volume in cubic Angstrom that every cell with such heights exceeds: the edges of a reduced cell are not shorter.
const LEAST_VOLUME: f64 = 0.05;

/// Longest lattice vector in Angstrom.
const LONGEST_VECTOR: f64 = 10_000.0;

/// Atoms closer than this, in Angstrom, are one atom written twice.
const DUPLICATE: f64 = 0.01;

/// Positions further than this many cells from the origin have lost the digits that matter.
const FARTHEST_CELL: f64 = 1e6;

/// Passes a lattice (vectors as columns, Angstrom) that spans a cell of sensible size.
///
/// Left-handed lattices pass and stay as they are.
pub(super) fn lattice(lattice: &Matrix3<f64>) -> Result<(), String> {
    for (vector, name) in lattice.column_iter().zip(["a", "b", "c"]) {
        let length = vector.norm();
        if !length.is_finite() || length > LONGEST_VECTOR {
            return Err(format!(
                "lattice vector {name} is longer than {LONGEST_VECTOR} Angstrom; write the cell in Angstrom"
            ));
        }
    }
    // The reduction of a flat cell would not end well.
    if lattice.determinant().abs() > LEAST_VOLUME && Periodic::new(lattice).least_height >= LEAST_HEIGHT {
        return Ok(());
    }
    Err("the lattice vectors lie (almost) in a plane; give three independent ones in Angstrom".to_string())
}

/// Builds the structure once lattice, atom count, positions and distances have passed.
pub(super) fn structure(
    name: String,
    cell: Matrix3<f64>,
    species: Vec<Element>,
    positions: Vec<Vector3<f64>>,
) -> Result<Structure, String> {
    lattice(&cell)?;
    atom_count(species.len())?;
    for (i, position) in positions.iter().enumerate() {
        if !position.iter().copied().all(is_near) {
            return Err(format!(
                "atom {} ({}) lies more than {FARTHEST_CELL} cells away; write its position in the unit that \
                 the file announces",
                i + 1,
                species[i]
            ));
        }
    }
    let periodic = Periodic::new(&cell);
    for j in 1..positions.len() {
        for i in 0..j {
            let distance = periodic.close_distance(&(positions[j] - positions[i]));
            if distance < DUPLICATE {
                return Err(format!(
                    "atoms {} ({}) and {} ({}) are {distance:.4} Angstrom apart; delete one of the two",
                    i + 1,
                    species[i],
                    j + 1,
                    species[j]
                ));
            }
        }
    }
    Ok(Structure { name, lattice: cell, species, positions, declared: None })
}

/// Passes 1 to [`MOST_ATOMS`] atoms.
pub(super) fn atom_count(atoms: usize) -> Result<(), String> {
    match atoms {
        0 => Err("holds no atom; add at least one".to_string()),
        1..=MOST_ATOMS => Ok(()),
        _ => Err(format!("holds more than {MOST_ATOMS} atoms; give a smaller cell")),
    }
}

/// True for a fractional coordinate that is finite and not absurdly far from the cell.
pub(super) fn is_near(coordinate: f64) -> bool {
    coordinate.abs() <= FARTHEST_CELL
}
