//! Standardisation by moyo and the crystal in terms of its orbits.

use moyo::MoyoDataset;
use moyo::base::{AngleTolerance, Cell, Lattice};
use moyo::data::Setting;
use nalgebra::{Matrix3, Vector3};
use serde::{Deserialize, Serialize};

use super::orbit::sort_and_name;
use super::{COORDINATES, Orbit, SpaceGroup};
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
    /// Orbits in the order of element, letter, appearance.
    pub orbits: Vec<Orbit>,
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
    /// The standardised cell and the tables disagree.
    #[error(
        "{name}: atom {atom} of the standardised cell ({symbol}) fits no Wyckoff position of space group \
         {number}; try another symprec"
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

/// Atoms of the symmetrised cell that are images of one another agree to this, in Angstrom; readers refuse
/// structures with atoms as close as this.
const SAME_ATOM: f64 = 5e-3;
/// Agreement with a Wyckoff position's form, in fractional coordinates.
const ON_POSITION: f64 = 1e-5;

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
        if !(symprec > 0.0 && symprec < 1.0) {
            return Err(SymmetryError::Tolerance(symprec));
        }
        let not_found =
            |reason: String| SymmetryError::NotFound { name: structure.name.clone(), symprec, reason };
        let numbers = structure.species.iter().map(|e| e.number() as i32).collect();
        let cell =
            Cell::new(Lattice::new(structure.lattice.transpose()), structure.positions.clone(), numbers);
        let dataset = MoyoDataset::new(&cell, symprec, AngleTolerance::Default, Setting::Spglib, rotate)
            .map_err(|e| not_found(e.to_string()))?;
        let group = SpaceGroup::from_hall_number(dataset.hall_number)
            .ok_or_else(|| not_found(format!("unknown Hall number {}", dataset.hall_number)))?;
        let lattice = dataset.std_cell.lattice.basis;
        let orbits = orbits_of(structure, &group, &dataset.std_cell)?;
        let pearson = dataset.pearson_symbol.replacen('S', "C", 1);
        Ok(Crystal { name: structure.name.clone(), group, pearson, lattice, orbits })
    }

    /// The structure as it is, every atom its own orbit: space group P1 on the cell of the file.
    pub fn without_symmetry(structure: &Structure) -> Result<Crystal, SymmetryError> {
        let group = SpaceGroup::from_number(1).ok_or_else(|| SymmetryError::NotFound {
            name: structure.name.clone(),
            symprec: 0.0,
            reason: "moyo has no table of P1".into(),
        })?;
        let mut orbits: Vec<Orbit> = (structure.species.iter().zip(&structure.positions))
            .map(|(element, x)| Orbit {
                name: String::new(),
                element: *element,
                position: 0,
                coordinates: *x,
            })
            .collect();
        sort_and_name(&mut orbits, &group.wyckoff);
        let pearson = format!("aP{}", structure.len());
        Ok(Crystal { name: structure.name.clone(), group, pearson, lattice: structure.lattice, orbits })
    }

    /// Element and position of every atom of the conventional cell, orbit by orbit.
    pub fn atoms(&self) -> impl Iterator<Item = (Element, Vector3<f64>)> + '_ {
        self.orbits.iter().flat_map(|orbit| {
            let forms = &self.group.wyckoff[orbit.position].forms;
            forms.iter().map(|form| (orbit.element, form.at(&orbit.coordinates)))
        })
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

/// The orbits of moyo's symmetrised conventional cell.
fn orbits_of(structure: &Structure, group: &SpaceGroup, cell: &Cell) -> Result<Vec<Orbit>, SymmetryError> {
    let mut assigned = vec![false; cell.num_atoms()];
    let mut orbits = Vec::new();
    for atom in 0..cell.num_atoms() {
        if assigned[atom] {
            continue;
        }
        let members = members_of(cell, group, atom);
        members.iter().for_each(|m| assigned[*m] = true);
        let element = usize::try_from(cell.numbers[atom]).ok().and_then(Element::from_number);
        let position = group.locate(&cell.positions[atom], members.len(), ON_POSITION);
        let (Some(element), Some(position)) = (element, position) else {
            return Err(no_position(structure, group, cell, atom));
        };
        let form = group.wyckoff[position].representative();
        let coordinates = (members.iter())
            .flat_map(|m| form.solve(&cell.positions[*m], ON_POSITION))
            .min_by_key(|u| [0, 1, 2].map(|j| (u[j] * 1e8).round() as i64))
            .ok_or_else(|| no_position(structure, group, cell, atom))?;
        orbits.push(Orbit { name: String::new(), element, position, coordinates });
    }
    sort_and_name(&mut orbits, &group.wyckoff);
    Ok(orbits)
}

/// Atoms of the cell that the group maps `atom` onto, itself included.
fn members_of(cell: &Cell, group: &SpaceGroup, atom: usize) -> Vec<usize> {
    let images: Vec<_> = group.operations.iter().map(|o| o.apply(&cell.positions[atom])).collect();
    (0..cell.num_atoms())
        .filter(|j| cell.numbers[*j] == cell.numbers[atom])
        .filter(|j| {
            images.iter().any(|image| {
                let difference = (image - cell.positions[*j]).map(|v| v - v.round());
                (cell.lattice.basis * difference).norm() < SAME_ATOM
            })
        })
        .collect()
}

fn no_position(structure: &Structure, group: &SpaceGroup, cell: &Cell, atom: usize) -> SymmetryError {
    let element = usize::try_from(cell.numbers[atom]).ok().and_then(Element::from_number);
    SymmetryError::NoPosition {
        name: structure.name.clone(),
        atom: atom + 1,
        symbol: element.map_or("?", Element::symbol),
        number: group.number,
    }
}
