//! The atoms of a file as symmetrisation leaves them, and the orbits that they make.

use moyo::MoyoDataset;
use nalgebra::{Matrix3, Vector3};

use super::{FileAtom, Operation, Orbit, SpaceGroup, Transformation, WyckoffPosition};
use crate::crystal::Structure;
use crate::crystal::periodic::Periodic;

/// Atoms of the symmetrised cell that are images of one another agree to this, in Angstrom; readers refuse
/// structures with atoms as close as this.
const SAME_ATOM: f64 = 5e-3;
/// Agreement with a Wyckoff position's form, in fractional coordinates.
const ON_POSITION: f64 = 1e-5;

/// The atoms of a file, symmetrised, in the crystal's cell.
pub(super) struct Sites<'a> {
    structure: &'a Structure,
    group: &'a SpaceGroup,
    /// The crystal's primitive lattice, in which positions are `group.centering * x`.
    periodic: Periodic,
    /// Of each atom of the file: where it is, near to where the file has it.
    positions: Vec<Vector3<f64>>,
    /// Of each atom of the file: its number in the primitive cell.
    of_atom: Vec<usize>,
    /// The crystal's lattice.
    lattice: Matrix3<f64>,
    /// Of each atom of the file: how it has been moved.
    moves: Vec<Vector3<f64>>,
}

/// Atoms of the file, by index, in its order.
pub(super) type Members = Vec<usize>;

impl<'a> Sites<'a> {
    /// From the atoms of moyo's primitive cell; moyo's conventional coordinates are those of `operation` applied to the
    /// crystal's.
    pub(super) fn new(
        structure: &'a Structure,
        group: &'a SpaceGroup,
        dataset: &MoyoDataset,
        operation: &Operation,
        lattice: &Matrix3<f64>,
        transformation: &Transformation,
    ) -> Sites<'a> {
        let to_conventional = group.centering.try_inverse().unwrap_or_else(Matrix3::identity);
        let to_ours = operation.rotation.try_inverse().unwrap_or_else(Matrix3::identity);
        let of_primitive: Vec<Vector3<f64>> = (dataset.prim_std_cell.positions.iter())
            .map(|x| to_ours * (to_conventional * x - operation.translation))
            .collect();
        let periodic = Periodic::new(&(lattice * to_conventional));
        let of_atom = dataset.mapping_std_prim.clone();
        let in_file: Vec<Vector3<f64>> =
            structure.positions.iter().map(|x| transformation.to_crystal(x)).collect();
        let moves: Vec<Vector3<f64>> = (in_file.iter().zip(&of_atom))
            .map(|(x, site)| {
                let difference = group.centering * (of_primitive[*site] - x);
                to_conventional * periodic.close_image(&difference)
            })
            .collect();
        let positions = in_file.iter().zip(&moves).map(|(x, m)| x + m).collect();
        Sites { structure, group, periodic, positions, of_atom, lattice: *lattice, moves }
    }

    /// Moves the origin to where atoms have been moved least, in the mean square, and returns the shift that does so.
    pub(super) fn settle(&mut self, transformation: &Transformation) -> Vector3<f64> {
        let mean = self.moves.iter().sum::<Vector3<f64>>() / self.moves.len() as f64;
        self.moves.iter_mut().for_each(|m| *m -= mean);
        transformation.shift - transformation.linear * mean
    }

    /// The orbits in the order of the file; an error is the index of an atom that fits no position.
    ///
    /// An orbit's coordinates are those of the first of its atoms in the file that lies on the representative's form.
    /// Where none does (the file may hold a part of the cell only), and where an atom has several coordinates, they are
    /// the smallest.
    pub(super) fn orbits(&self) -> Result<Vec<(Orbit, Members)>, usize> {
        let mut is_assigned = vec![false; self.of_atom.iter().max().map_or(0, |n| n + 1)];
        let mut orbits = Vec::new();
        for first in 0..self.positions.len() {
            if is_assigned[self.of_atom[first]] {
                continue;
            }
            let members = self.images_of(first);
            members.iter().for_each(|m| is_assigned[self.of_atom[*m]] = true);
            let (position, coordinates) = self.place(&members).ok_or(first)?;
            let element = self.structure.species[first];
            orbits.push((Orbit { name: String::new(), element, position, coordinates }, members));
        }
        Ok(orbits)
    }

    /// Atoms of the file that the group maps `atom` onto, itself included.
    fn images_of(&self, atom: usize) -> Members {
        let x = &self.positions[atom];
        let images: Vec<_> =
            self.group.operations.iter().map(|o| self.group.centering * o.apply(x)).collect();
        let is_image = |j: &usize| {
            let y = self.group.centering * self.positions[*j];
            self.structure.species[*j] == self.structure.species[atom]
                && images.iter().any(|image| self.periodic.close_distance(&(image - y)) < SAME_ATOM)
        };
        (0..self.positions.len()).filter(is_image).collect()
    }

    /// Index of the position of an orbit, and its coordinates.
    fn place(&self, members: &Members) -> Option<(usize, Vector3<f64>)> {
        let mut distinct: Vec<usize> = members.iter().map(|m| self.of_atom[*m]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let centrings: Vec<Vector3<f64>> = self.group.centring_translations().collect();
        let first = &self.positions[*members.first()?];
        let position = self.group.locate(first, distinct.len() * centrings.len(), ON_POSITION)?;
        let form = self.group.wyckoff[position].representative();
        let smallest = |solutions: Vec<Vector3<f64>>| {
            solutions.into_iter().min_by_key(|u| [0, 1, 2].map(|j| (u[j] * 1e8).round() as i64))
        };
        let in_file = || members.iter().find_map(|m| smallest(form.solve(&self.positions[*m], ON_POSITION)));
        let anywhere = || {
            let images = members.iter().flat_map(|m| centrings.iter().map(|t| self.positions[*m] + t));
            smallest(images.flat_map(|x| form.solve(&x, ON_POSITION)).collect())
        };
        Some((position, in_file().or_else(anywhere)?))
    }

    /// The atom of the file with this index as an atom of an orbit with this index; none if it is not.
    pub(super) fn file_atom(
        &self,
        atom: usize,
        orbit: usize,
        coordinates: &Vector3<f64>,
        position: &WyckoffPosition,
    ) -> Option<FileAtom> {
        let offset = |form: &super::Form| {
            let offset = self.positions[atom] - form.at(coordinates);
            let nearest = offset.map(f64::round);
            ((offset - nearest).amax() < ON_POSITION).then_some(nearest)
        };
        let find = |(form, offset)| FileAtom {
            orbit,
            form,
            offset,
            moved: (self.lattice * self.moves[atom]).norm(),
        };
        position.forms.iter().enumerate().find_map(|(i, f)| Some((i, offset(f)?))).map(find)
    }
}
