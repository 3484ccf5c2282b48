//! Eq. 1 of the paper: how far atoms are closer than the sum of their radii allows.
//!
//! `cost = 1/2 sum_i sum_j max(0, D_min(i, j) - (d(i, j) + d_lattice delta_ij))` over the atoms of the
//! conventional cell, `d` the distance of nearest images and `d_lattice` the shortest lattice vector. Atoms of an
//! orbit contribute alike, so the first sum runs over representatives with their multiplicity.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::{Axis, EmbeddedAtom, Embedding, Grid, Point, RadiiError, Thresholds};
use crate::crystal::periodic::Periodic;
use crate::crystal::{Element, Structure};
use crate::symmetry::Crystal;

/// How close the atoms of one point are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// Eq. 1, in Angstrom; 0 where every distance is physical.
    pub cost: f64,
    /// Smallest distance of any two atoms, periodic images included, in Angstrom.
    pub minimum: f64,
}

/// Two atoms that are closer than is physical.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooClose {
    /// Their elements.
    pub elements: (Element, Element),
    /// Their distance in Angstrom.
    pub distance: f64,
    /// The smallest physical one, in Angstrom.
    pub minimum: f64,
}

/// Distance cost and smallest distance of every point of a landscape.
#[derive(Clone, Debug)]
pub struct DistanceCost {
    embedding: Embedding,
    periodic: Periodic,
    representatives: Vec<Representative>,
    /// The terms i = j, which do not change.
    self_cost: f64,
}

#[derive(Clone, Debug)]
struct Representative {
    atom: usize,
    multiplicity: f64,
    /// `D_min` against every atom of the cell.
    thresholds: Vec<f64>,
}

impl DistanceCost {
    /// For a crystal, its axes and the thresholds; every element needs a radius.
    pub fn new(
        crystal: &Crystal,
        axes: &[Axis],
        thresholds: &Thresholds,
    ) -> Result<DistanceCost, RadiiError> {
        let mut embedding = Embedding::conventional(crystal, axes);
        let periodic = Periodic::new(&embedding.lattice);
        for atom in &mut embedding.atoms {
            atom.base = periodic.reduce(&atom.base);
            atom.slopes.iter_mut().for_each(|s| *s = periodic.reduce(s));
        }
        let mut representatives = Vec::new();
        let mut self_cost = 0.0;
        for (index, orbit) in crystal.orbits.iter().enumerate() {
            let multiplicity = crystal.group.wyckoff[orbit.position].multiplicity as f64;
            let Some(atom) = embedding.atoms.iter().position(|a| a.orbit == index) else { continue };
            let against = |other: &EmbeddedAtom| thresholds.minimum(orbit.element, other.element);
            let thresholds_of = embedding.atoms.iter().map(against).collect::<Result<Vec<_>, _>>()?;
            self_cost += 0.5 * multiplicity * (thresholds_of[atom] - periodic.shortest).max(0.0);
            representatives.push(Representative { atom, multiplicity, thresholds: thresholds_of });
        }
        Ok(DistanceCost { embedding, periodic, representatives, self_cost })
    }

    /// Atoms of the conventional cell with their positions in the reduced basis.
    pub fn atoms(&self) -> &[EmbeddedAtom] {
        &self.embedding.atoms
    }

    /// One atom of each orbit, how many atoms the orbit has, and `D_min` against every atom.
    pub fn representatives(&self) -> impl Iterator<Item = (usize, f64, &[f64])> {
        self.representatives.iter().map(|r| (r.atom, r.multiplicity, &r.thresholds[..]))
    }

    /// The reduced cell: lattice vectors column by column, Cartesian components of the 27 nearest images, square of the
    /// shortest lattice vector.
    pub fn cell(&self) -> ([f64; 9], [[f64; 27]; 3], f64) {
        self.periodic.cell()
    }

    /// What atoms add to the cost with their own images.
    pub fn self_cost(&self) -> f64 {
        self.self_cost
    }

    /// Length of the shortest lattice vector, Angstrom.
    pub fn shortest(&self) -> f64 {
        self.periodic.shortest
    }

    /// Cost and smallest distance at the axis values `s`.
    pub fn at(&self, s: &[f64]) -> Separation {
        let positions: Vec<Vector3<f64>> = self.embedding.atoms.iter().map(|a| a.at(s)).collect();
        let mut separation = Separation { cost: self.self_cost, minimum: self.periodic.shortest };
        for representative in &self.representatives {
            let x = positions[representative.atom];
            let mut missing = 0.0;
            for (j, y) in positions.iter().enumerate() {
                if j == representative.atom {
                    continue;
                }
                let distance = self.periodic.distance(&(x - y));
                missing += (representative.thresholds[j] - distance).max(0.0);
                separation.minimum = separation.minimum.min(distance);
            }
            separation.cost += 0.5 * representative.multiplicity * missing;
        }
        separation
    }

    /// Cost and smallest distance at every node of a grid, row-major.
    pub fn over(&self, axes: &[Axis], grid: &Grid) -> Vec<Separation> {
        let at = |point: u32| {
            let value = |(i, axis): (usize, &Axis)| axis.value(grid.coordinate(Point(point), i));
            self.at(&axes.iter().enumerate().map(value).collect::<Vec<_>>())
        };
        (0..grid.len() as u32).into_par_iter().map(at).collect()
    }

    /// The pair of atoms that lacks most of its smallest physical distance at the axis values `s`, if one does.
    pub fn closest(&self, s: &[f64]) -> Option<TooClose> {
        let positions: Vec<Vector3<f64>> = self.embedding.atoms.iter().map(|a| a.at(s)).collect();
        let element = |atom: usize| self.embedding.atoms[atom].element;
        let pairs = self.representatives.iter().flat_map(|r| (0..positions.len()).map(move |j| (r, j)));
        let close = pairs.map(|(r, j)| {
            let distance = match j == r.atom {
                true => self.periodic.shortest,
                false => self.periodic.distance(&(positions[r.atom] - positions[j])),
            };
            TooClose { elements: (element(r.atom), element(j)), distance, minimum: r.thresholds[j] }
        });
        let lacks = |close: &TooClose| close.minimum - close.distance;
        close.filter(|c| lacks(c) > 0.0).max_by(|a, b| lacks(a).total_cmp(&lacks(b)))
    }
}

/// Cost and smallest distance of a structure as its file gives it, on the file's cell. It is judged, not taken for granted,
/// so that its own distances should not cap the thresholds.
pub fn structure_separation(
    structure: &Structure,
    thresholds: &Thresholds,
) -> Result<Separation, RadiiError> {
    let periodic = Periodic::new(&structure.lattice);
    let mut separation = Separation { cost: 0.0, minimum: periodic.shortest };
    for (i, x) in structure.positions.iter().enumerate() {
        let element = structure.species[i];
        let own = thresholds.minimum(element, element)?;
        separation.cost += 0.5 * (own - periodic.shortest).max(0.0);
        for (j, y) in structure.positions[..i].iter().enumerate() {
            let distance = periodic.distance(&periodic.reduce(&(x - y)));
            separation.cost += (thresholds.minimum(element, structure.species[j])? - distance).max(0.0);
            separation.minimum = separation.minimum.min(distance);
        }
    }
    Ok(separation)
}
