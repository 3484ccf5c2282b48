//! A crystal in the cell of its file: forth for what is compared, back for what goes out.

use nalgebra::{Matrix3, SVD, Vector3};
use serde::{Deserialize, Serialize};

use super::{Crystal, Transformation};
use crate::crystal::{Element, Structure};

/// The cell of the file and what it has to do with the crystal's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileCell {
    /// Lattice vectors of the file as columns, in Angstrom.
    pub lattice: Matrix3<f64>,
    /// From the file's cell to the crystal's.
    pub transformation: Transformation,
    /// In the order of the file.
    pub atoms: Vec<FileAtom>,
}

/// An atom of the file as an atom of the crystal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileAtom {
    /// Index into [`Crystal::orbits`].
    pub orbit: usize,
    /// Index into the forms of its orbit's position.
    pub form: usize,
    /// Lattice vector from the form's value to the atom, in the crystal's cell.
    pub offset: Vector3<f64>,
    /// How far symmetrisation has moved it, in Angstrom.
    pub moved: f64,
}

impl Crystal {
    /// The crystal in the cell of its file: lattice as symmetrised, but in the orientation of the file and with its
    /// handedness, atoms in its order, each near where the file has it if its coordinates have not been changed.
    pub fn in_file_cell(&self) -> Structure {
        let FileCell { lattice, transformation, atoms } = &self.file;
        let turned = self.lattice * transformation.inverse();
        let position = |atom: &FileAtom| {
            let orbit = &self.orbits[atom.orbit];
            let form = &self.group.wyckoff[orbit.position].forms[atom.form];
            transformation.to_file(&(form.at(&orbit.coordinates) + atom.offset))
        };
        let species: Vec<Element> = atoms.iter().map(|a| self.orbits[a.orbit].element).collect();
        Structure {
            name: self.name.clone(),
            lattice: rotation_onto(&turned, lattice) * turned,
            species,
            positions: atoms.iter().map(position).collect(),
            declared: None,
        }
    }
}

/// The rotation that brings a lattice nearest to another one of the same handedness, which differs from it by little
/// else: of the polar decomposition of `target * lattice^-1`.
fn rotation_onto(lattice: &Matrix3<f64>, target: &Matrix3<f64>) -> Matrix3<f64> {
    let Some(inverse) = lattice.try_inverse() else { return Matrix3::identity() };
    let decomposed = SVD::new(target * inverse, true, true);
    match (decomposed.u, decomposed.v_t) {
        // No rotation by rounding errors.
        (Some(u), Some(v_t)) if (u * v_t - Matrix3::identity()).amax() > 1e-9 => u * v_t,
        _ => Matrix3::identity(),
    }
}
