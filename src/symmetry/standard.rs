//! Standardisation by moyo, and the crystal in terms of its orbits.

use moyo::MoyoDataset;
use moyo::base::{AngleTolerance, Cell, Lattice};
use moyo::data::Setting;
use nalgebra::{Cholesky, Matrix3, Vector3};
use serde::{Deserialize, Serialize};

use super::orbit::sort_and_name;
use super::sites::Sites;
use super::tolerance::is_sound;
use super::{COORDINATES, FileAtom, FileCell, Operation, Orbit, SpaceGroup, Transformation, setting};
use crate::crystal::{Element, Structure};

/// A structure with its symmetry: standardised cell, group and orbits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crystal {
    /// The structure's name.
    pub name: String,
    /// Space group in spglib's default setting.
    pub group: SpaceGroup,
    /// Pearson symbol with the atoms of the conventional cell, centring written C (`oC20`), as labels do.
    pub pearson: String,
    /// Conventional lattice vectors as columns, in Angstrom.
    pub lattice: Matrix3<f64>,
    /// Orbits in the order of element, letter, appearance in the file.
    pub orbits: Vec<Orbit>,
    /// Where it comes from.
    pub file: FileCell,
}

/// Why a structure could not be put into orbits.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SymmetryError {
    /// moyo gave up.
    #[error("{name}: no space group was found with symprec {symprec} ({reason}); try another symprec")]
    NotFound {
        /// The structure.
        name: String,
        /// Tolerance in Angstrom.
        symprec: f64,
        /// moyo's words.
        reason: String,
    },
    /// The tolerance does not make sense.
    #[error("symprec must be a length above 0 and below 1 Angstrom, not {0}")]
    Tolerance(f64),
    /// The tolerance is as large as the cell.
    #[error(
        "{name}: symprec {symprec} is too large for this cell, which can be sheared onto itself to within it; try a \
         smaller symprec"
    )]
    TooLarge {
        /// The structure.
        name: String,
        /// Tolerance in Angstrom.
        symprec: f64,
    },
    /// The standardised cell and the tables disagree.
    #[error(
        "{name}: atom {atom} ({symbol}) fits no Wyckoff position of space group {number} once it is symmetrised; try \
         another symprec"
    )]
    NoPosition {
        /// The structure.
        name: String,
        /// 1-based.
        atom: usize,
        /// Element symbol.
        symbol: &'static str,
        /// Space group number.
        number: usize,
    },
}

impl Crystal {
    /// Finds the symmetry of a structure to within `symprec` (Angstrom), and symmetrises it, in the standard
    /// Cartesian orientation.
    pub fn new(structure: &Structure, symprec: f64) -> Result<Crystal, SymmetryError> {
        Self::find(structure, symprec, true)
    }

    /// As [`Crystal::new`], in the Cartesian orientation of the file: a model saved in float32 is invariant under
    /// rotations to its rounding only.
    pub fn in_place(structure: &Structure, symprec: f64) -> Result<Crystal, SymmetryError> {
        Self::find(structure, symprec, false)
    }

    fn find(structure: &Structure, symprec: f64, rotate: bool) -> Result<Crystal, SymmetryError> {
        let dataset = search(structure, symprec, rotate)?;
        let group = group_of(structure, &dataset, symprec)?;
        let found = Transformation { linear: dataset.std_linear, shift: dataset.std_origin_shift };
        let mut transformation =
            setting::nearest(&found, &dataset.std_cell.lattice.basis, &group, &structure.lattice);
        // From moyo's cell to ours: integers, since both span the same lattice.
        let rotation = (found.inverse() * transformation.linear).map(f64::round);
        let lattice = match rotation == Matrix3::identity() {
            true => dataset.std_cell.lattice.basis,
            false if rotate => standard_orientation(&(dataset.std_cell.lattice.basis * rotation)),
            false => dataset.std_cell.lattice.basis * rotation,
        };
        let operation = Operation { rotation, translation: found.to_crystal(&transformation.shift) };
        // An origin that is that of the file to within the tolerance is that of the file.
        let keeps_origin = (structure.lattice * transformation.shift).norm() < symprec;
        if keeps_origin {
            transformation.shift = Vector3::zeros();
        }
        let mut sites = Sites::new(structure, &group, &dataset, &operation, &lattice, &transformation);
        if !keeps_origin {
            transformation.shift = sites.settle(&transformation);
        }
        let no_position = |atom: usize| SymmetryError::NoPosition {
            name: structure.name.clone(),
            atom: atom + 1,
            symbol: structure.species[atom].symbol(),
            number: group.number,
        };
        let orbits = sort_and_name(sites.orbits().map_err(no_position)?, &group.wyckoff);
        let mut atoms = vec![None; structure.len()];
        for (index, (orbit, members)) in orbits.iter().enumerate() {
            let position = &group.wyckoff[orbit.position];
            for atom in members {
                atoms[*atom] = sites.file_atom(*atom, index, &orbit.coordinates, position);
            }
        }
        let atoms = (atoms.into_iter().enumerate())
            .map(|(i, atom)| atom.ok_or_else(|| no_position(i)))
            .collect::<Result<Vec<FileAtom>, _>>()?;
        let orbits = orbits.into_iter().map(|(orbit, _)| orbit).collect();
        let pearson = dataset.pearson_symbol.replacen('S', "C", 1);
        let file = FileCell { lattice: structure.lattice, transformation, atoms };
        Ok(Crystal { name: structure.name.clone(), group, pearson, lattice, orbits, file })
    }

    /// The structure as it is, every atom its own orbit: space group P1 on the cell of the file.
    pub fn without_symmetry(structure: &Structure) -> Result<Crystal, SymmetryError> {
        let group = SpaceGroup::from_number(1).ok_or_else(|| SymmetryError::NotFound {
            name: structure.name.clone(),
            symprec: 0.0,
            reason: "moyo has no table of P1".into(),
        })?;
        let orbits: Vec<(Orbit, usize)> = (structure.species.iter().zip(&structure.positions).enumerate())
            .map(|(i, (element, x))| {
                (Orbit { name: String::new(), element: *element, position: 0, coordinates: *x }, i)
            })
            .collect();
        let orbits = sort_and_name(orbits, &group.wyckoff);
        let mut atoms: Vec<(usize, FileAtom)> = (orbits.iter().enumerate())
            .map(|(orbit, (_, atom))| {
                (*atom, FileAtom { orbit, form: 0, offset: Vector3::zeros(), moved: 0.0 })
            })
            .collect();
        atoms.sort_by_key(|(atom, _)| *atom);
        let file = FileCell {
            lattice: structure.lattice,
            transformation: Transformation::identity(),
            atoms: atoms.into_iter().map(|(_, atom)| atom).collect(),
        };
        let orbits = orbits.into_iter().map(|(orbit, _)| orbit).collect();
        let pearson = format!("aP{}", structure.len());
        Ok(Crystal { name: structure.name.clone(), group, pearson, lattice: structure.lattice, orbits, file })
    }

    /// Element and position of every atom of the conventional cell, orbit by orbit.
    pub fn atoms(&self) -> impl Iterator<Item = (Element, Vector3<f64>)> + '_ {
        self.orbits.iter().flat_map(|orbit| {
            let forms = &self.group.wyckoff[orbit.position].forms;
            forms.iter().map(|form| (orbit.element, form.at(&orbit.coordinates)))
        })
    }

    /// Index in [`Crystal::atoms`] of the first atom of each orbit.
    pub fn first_atoms(&self) -> Vec<usize> {
        let multiplicities = self.orbits.iter().map(|o| self.group.wyckoff[o.position].multiplicity);
        let sum = |end: &mut usize, n: usize| {
            let first = *end;
            *end += n;
            Some(first)
        };
        multiplicities.scan(0, sum).collect()
    }

    /// Atoms in the conventional cell.
    pub fn atom_count(&self) -> usize {
        self.orbits.iter().map(|o| self.group.wyckoff[o.position].multiplicity).sum()
    }

    /// Lattice vectors of a primitive cell as columns, in Angstrom: `A_primitive = A_conventional * L^-1`.
    pub fn primitive_lattice(&self) -> Matrix3<f64> {
        // A centring matrix has determinant 1 to 4: always invertible.
        self.lattice * self.group.centering.try_inverse().unwrap_or_else(Matrix3::identity)
    }

    /// An orbit with its letter and multiplicity, as figures and tables name it: `W1 (4c)`.
    pub fn describe_orbit(&self, orbit: usize) -> String {
        let position = &self.group.wyckoff[self.orbits[orbit].position];
        format!("{} ({}{})", self.orbits[orbit].name, position.multiplicity, position.letter)
    }

    /// Every orbit with its free coordinates, for messages: `N1 (4c: x z), W1 (4a: none)`.
    pub fn free_coordinates(&self) -> String {
        let describe = |orbit: &Orbit| {
            let position = &self.group.wyckoff[orbit.position];
            let free: Vec<String> =
                (0..3).filter(|j| position.free()[*j]).map(|j| COORDINATES[j].to_string()).collect();
            let free = if free.is_empty() { "none".to_string() } else { free.join(" ") };
            format!("{} ({}{}: {free})", orbit.name, position.multiplicity, position.letter)
        };
        self.orbits.iter().map(describe).collect::<Vec<_>>().join(", ")
    }
}

/// What moyo finds.
pub(super) fn search(
    structure: &Structure,
    symprec: f64,
    rotate: bool,
) -> Result<MoyoDataset, SymmetryError> {
    if !(symprec > 0.0 && symprec < 1.0) {
        return Err(SymmetryError::Tolerance(symprec));
    }
    let name = structure.name.clone();
    if !is_sound(&structure.lattice, symprec) {
        return Err(SymmetryError::TooLarge { name, symprec });
    }
    let numbers = structure.species.iter().map(|e| e.number() as i32).collect();
    let cell = Cell::new(Lattice::new(structure.lattice.transpose()), structure.positions.clone(), numbers);
    MoyoDataset::new(&cell, symprec, AngleTolerance::Default, Setting::Spglib, rotate)
        .map_err(|e| SymmetryError::NotFound { name, symprec, reason: e.to_string() })
}

/// The group that moyo has found.
pub(super) fn group_of(
    structure: &Structure,
    dataset: &MoyoDataset,
    symprec: f64,
) -> Result<SpaceGroup, SymmetryError> {
    SpaceGroup::from_hall_number(dataset.hall_number).ok_or_else(|| SymmetryError::NotFound {
        name: structure.name.clone(),
        symprec,
        reason: format!("unknown Hall number {}", dataset.hall_number),
    })
}

/// The same lattice with a along x and b in the plane of x and y, right-handed.
pub(super) fn standard_orientation(lattice: &Matrix3<f64>) -> Matrix3<f64> {
    // The metric of a lattice is positive definite.
    Cholesky::new(lattice.transpose() * lattice).map_or(*lattice, |metric| metric.l().transpose())
}
