//! A scene in terms of the model: bases of the sites' features, couplings of the bonds, places in arrays.

use std::ops::Range;

use nalgebra::{DMatrix, Matrix3};

use super::weights::Weights;
use crate::engine::cpu::{LANES, Real};
use crate::engine::{Bond, EngineError, Pair, Scene};
use crate::equivariant::{Coupling, components, coupling, degree, invariant_basis, rotation};
use crate::landscape::Point;
use crate::potential::mace::Path;

/// Points of a block: the rows that a matrix product sees are this many for every component of every site.
pub(super) const BLOCK: usize = 16;

/// Squared lengths of bonds that differ by less, in square Angstrom, are the same.
const SAME_LENGTH: f64 = 1e-10;

/// A scene in terms of a model.
pub(super) struct Geometry {
    pub(super) sites: Vec<SiteGeometry>,
    /// First row of each site's components by degree; one more entry ends the last site.
    pub(super) starts: Vec<Vec<usize>>,
    /// Couplings of all layers, without repetition; those of layer 0 are among them.
    pub(super) paths: Vec<Path>,
    /// Arrays of each layer.
    pub(super) layers: Vec<LayerArrays>,
    /// Pairs by the axes that change them; the first group is the frozen one.
    pub(super) groups: Vec<Group>,
    /// Of each pair of the scene.
    pub(super) pairs: Vec<PairGeometry>,
    /// Couplings of bonds by (receiver, sender atom), as places among the distinct ones.
    couplings: Vec<Vec<usize>>,
    distinct_couplings: Vec<BondCoupling>,
}

/// A site in terms of a model.
pub(super) struct SiteGeometry {
    /// Place of its element in the weights' list.
    pub(super) element: usize,
    /// Atoms that it stands for, as a share of all.
    pub(super) share: f64,
    /// Invariant components of each degree: `(2l + 1) x n`, orthonormal columns.
    pub(super) bases: Vec<DMatrix<f64>>,
}

/// Arrays `[degree][site][component][point][column]` of one layer.
pub(super) struct LayerArrays {
    pub(super) inputs: Array,
    pub(super) messages: Array,
    pub(super) z: Array,
    pub(super) outputs: Array,
}

/// An array `[degree][site][component][point][column]`, with a number of columns for each degree.
pub(super) struct Array {
    /// Where each degree begins, and the end.
    pub(super) bases: Vec<usize>,
    pub(super) widths: Vec<usize>,
}

impl Array {
    fn new(widths: &[usize], starts: &[Vec<usize>]) -> Array {
        let mut bases = vec![0];
        for (l, width) in widths.iter().enumerate() {
            bases.push(bases[l] + starts[l].last().map_or(0, |rows| rows * BLOCK * width));
        }
        Array { bases, widths: widths.to_vec() }
    }

    /// Numbers in it.
    pub(super) fn len(&self) -> usize {
        self.bases[self.widths.len()]
    }

    /// What belongs to a degree.
    pub(super) fn of_degree(&self, l: usize) -> Range<usize> {
        self.bases[l]..self.bases[l + 1]
    }

    /// Where a row begins for a point.
    pub(super) fn row(&self, l: usize, row: usize, point: usize) -> usize {
        self.bases[l] + (row * BLOCK + point) * self.widths[l]
    }
}

/// Pairs that the same axes change.
pub(super) struct Group {
    pub(super) axes: Vec<usize>,
    /// Indices into the scene's pairs.
    pub(super) pairs: Vec<usize>,
    /// Numbers of a bundle of this group.
    pub(super) values: usize,
}

impl Group {
    /// Whether its operators serve several points, so that they are worth keeping.
    pub(super) fn is_keepable(&self, scene: &Scene) -> bool {
        self.axes.is_empty() || self.axes.len() < scene.landscape.axes.len()
    }

    /// Nodes of its axes at a point, as one number.
    pub(super) fn key(&self, scene: &Scene, point: Point) -> usize {
        let grid = &scene.landscape.grid;
        self.axes.iter().fold(0, |key, a| key * grid.shape()[*a] + grid.coordinate(point, *a))
    }
}

/// A pair's operators.
pub(super) struct PairGeometry {
    pub(super) group: usize,
    /// Bonds of equal length at every point, as places in the scene: shells of the pair.
    pub(super) spheres: Vec<Vec<usize>>,
    /// From the second site into the first, and back unless they are the same.
    pub(super) directions: Vec<Direction>,
}

/// The operators from a sender site into a receiver site.
pub(super) struct Direction {
    pub(super) receiver: usize,
    pub(super) sender: usize,
    /// Where its operators begin in the bundle of its group.
    pub(super) first: usize,
    /// Rows `[path][component of l3][component of l1]` of the angular parts.
    pub(super) angular: usize,
    /// By layer and its paths.
    pub(super) blocks: Vec<Vec<Rows>>,
}

/// Rows of a path's operator, `[component of l3][component of l1][column]`.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The first of the angular parts.
    pub(super) angular: usize,
    /// Where it begins in the direction's operators.
    pub(super) first: usize,
    /// Components of l3 and l1.
    pub(super) shape: [usize; 2],
    /// First rows of the receiver's l3 and the sender's l1.
    pub(super) rows: [usize; 2],
}

/// What harmonics of a bond's direction give for each angular row: `G_q = sum_lm matrix[lm][q] Y_lm`, the same for all
/// bonds of one relative orientation.
struct BondCoupling {
    /// Bases of receiver and sender and the rotation that made it, to find it again.
    origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
    /// `[lm][row]`, rows padded to [`LANES`].
    matrix: Vec<f64>,
    padded: usize,
}

impl Geometry {
    pub(super) fn new<T: Real>(scene: &Scene, weights: &Weights<T>) -> Result<Geometry, EngineError> {
        let layers = || weights.layers.iter();
        let mut paths: Vec<Path> = Vec::new();
        for path in layers().flat_map(|l| &l.paths).map(|p| p.path) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let degrees = layers().map(|l| l.outputs.len()).fold(weights.lmax + 1, usize::max);
        let site = |site: &crate::engine::Site| {
            let element = weights.element_index(site.element).ok_or(EngineError::Element(site.element))?;
            let bases = (0..degrees).map(|l| invariant_basis(l, &site.stabiliser)).collect();
            let share = site.multiplicity as f64 / scene.atom_count as f64;
            Ok(SiteGeometry { element, share, bases })
        };
        let sites: Vec<SiteGeometry> = scene.sites.iter().map(site).collect::<Result<_, EngineError>>()?;
        let starts: Vec<Vec<usize>> = (0..degrees).map(|l| starts(&sites, l)).collect();
        let arrays = |layer: &super::weights::LayerWeights<T>| LayerArrays {
            inputs: Array::new(&layer.inputs, &starts),
            messages: Array::new(&layer.messages, &starts),
            z: Array::new(&layer.widths, &starts),
            outputs: Array::new(&layer.outputs, &starts),
        };
        let layers = layers().map(arrays).collect();
        let (couplings, distinct_couplings) = all_couplings(scene, &sites, &paths, weights.lmax);
        let mut geometry = Geometry {
            groups: vec![Group { axes: Vec::new(), pairs: Vec::new(), values: 0 }],
            pairs: Vec::new(),
            sites,
            starts,
            paths,
            layers,
            couplings,
            distinct_couplings,
        };
        for index in 0..scene.pairs.len() {
            geometry.place_pair(scene, index, weights);
        }
        Ok(geometry)
    }

    /// Pairs in the order of summation: first those whose operators may be kept, how many they are, then the others.
    pub(super) fn order(&self, scene: &Scene) -> (Vec<usize>, usize) {
        let keepable = |pair: &usize| self.groups[self.pairs[*pair].group].is_keepable(scene);
        let (mut first, others): (Vec<usize>, Vec<usize>) = (0..self.pairs.len()).partition(keepable);
        let count = first.len();
        first.extend(others);
        (first, count)
    }

    /// What each harmonic of a bond from an atom into a site adds to the angular parts, by lm.
    pub(super) fn coupling(&self, bond: &Bond) -> impl Iterator<Item = &[f64]> {
        let coupling = &self.distinct_couplings[self.couplings[bond.receiver][bond.sender]];
        coupling.matrix.chunks_exact(coupling.padded.max(1))
    }

    /// Components of a site that its symmetry leaves.
    fn components(&self, site: usize, l: usize) -> usize {
        self.sites[site].bases[l].ncols()
    }

    /// Gives a pair its place in the bundle of its group.
    fn place_pair<T: Real>(&mut self, scene: &Scene, index: usize, weights: &Weights<T>) {
        let pair = &scene.pairs[index];
        let found = self.groups.iter().position(|g| g.axes == pair.axes);
        let group = found.unwrap_or_else(|| {
            self.groups.push(Group { axes: pair.axes.clone(), pairs: Vec::new(), values: 0 });
            self.groups.len() - 1
        });
        let [a, b] = pair.sites;
        let ways = if a == b { vec![(a, a)] } else { vec![(a, b), (b, a)] };
        let mut directions = Vec::new();
        for (receiver, sender) in ways {
            let (direction, size) = self.direction((receiver, sender), self.groups[group].values, weights);
            self.groups[group].values += size;
            directions.push(direction);
        }
        self.groups[group].pairs.push(index);
        self.pairs.push(PairGeometry { group, spheres: spheres(pair), directions });
    }

    /// The rows from a sender into a receiver, and the number of their operators' values.
    fn direction<T: Real>(
        &self,
        (receiver, sender): (usize, usize),
        first: usize,
        weights: &Weights<T>,
    ) -> (Direction, usize) {
        let shape = |p: &Path| [self.components(receiver, p.l3), self.components(sender, p.l1)];
        let mut angular = vec![0];
        for path in &self.paths {
            let [n3, n1] = shape(path);
            angular.push(angular[angular.len() - 1] + n3 * n1);
        }
        let mut size = 0;
        let mut blocks = Vec::new();
        for layer in &weights.layers {
            let rows = |p: &super::weights::PathColumns| {
                let place = self.paths.iter().position(|q| *q == p.path).unwrap_or(0);
                let first = size;
                let shape = shape(&p.path);
                size += shape[0] * shape[1] * p.width;
                let rows = [self.starts[p.path.l3][receiver], self.starts[p.path.l1][sender]];
                Rows { angular: angular[place], first, shape, rows }
            };
            blocks.push(layer.paths.iter().map(rows).collect());
        }
        (Direction { receiver, sender, first, angular: angular[self.paths.len()], blocks }, size)
    }
}

/// First rows of the sites' components of a degree.
fn starts(sites: &[SiteGeometry], l: usize) -> Vec<usize> {
    let mut starts = vec![0];
    sites.iter().for_each(|site| starts.push(starts[starts.len() - 1] + site.bases[l].ncols()));
    starts
}

/// Shells of a pair whose bonds have the same length at every point. The symmetry of the crystal makes more of them equal
/// than proper operations alone.
fn spheres(pair: &Pair) -> Vec<Vec<usize>> {
    // |base + sum slopes s|^2 as a polynomial of s.
    let square = |bond: &Bond| {
        let vectors: Vec<_> = std::iter::once(&bond.base).chain(&bond.slopes).collect();
        let products = (0..vectors.len()).flat_map(|i| (0..=i).map(move |j| (i, j)));
        products.map(|(i, j)| vectors[i].dot(vectors[j])).collect::<Vec<f64>>()
    };
    let mut spheres: Vec<(Vec<f64>, Vec<usize>)> = Vec::new();
    for (index, bond) in pair.shells.iter().enumerate().filter_map(|(k, s)| Some((k, s.bonds.first()?))) {
        let own = square(bond);
        let same = |(other, _): &&mut (Vec<f64>, Vec<usize>)| {
            own.iter().zip(other).all(|(a, b)| (a - *b).abs() < SAME_LENGTH)
        };
        match spheres.iter_mut().find(same) {
            Some((_, members)) => members.push(index),
            None => spheres.push((own, vec![index])),
        }
    }
    spheres.into_iter().map(|(_, members)| members).collect()
}

/// Couplings for every (receiver, sender atom); bonds between sites without symmetry in a crystal without rotations
/// all share one.
fn all_couplings(
    scene: &Scene,
    sites: &[SiteGeometry],
    paths: &[Path],
    lmax: usize,
) -> (Vec<Vec<usize>>, Vec<BondCoupling>) {
    let mut distinct: Vec<BondCoupling> = Vec::new();
    let mut indices = vec![vec![usize::MAX; scene.atom_count]; sites.len()];
    let tensors: Vec<Coupling> = paths.iter().map(|p| coupling(p.l1, p.l2, p.l3)).collect();
    for bond in scene.pairs.iter().flat_map(|p| &p.shells).flat_map(|s| &s.bonds) {
        let index = &mut indices[bond.receiver][bond.sender];
        if *index != usize::MAX {
            continue;
        }
        let (receiver, sender) = (&sites[bond.receiver].bases, &sites[bond.sender_site].bases);
        let turn = scene.rotations[bond.sender];
        let same = |c: &BondCoupling| c.origin.0 == *receiver && c.origin.1 == *sender && c.origin.2 == turn;
        *index = distinct.iter().position(same).unwrap_or_else(|| {
            distinct.push(bond_coupling((receiver.clone(), sender.clone(), turn), (paths, &tensors), lmax));
            distinct.len() - 1
        });
    }
    (indices, distinct)
}

/// Rows `[path][m3'][m1']` of
/// `G[m3'][m1'] = sum Q_receiver[m3][m3'] C[m1][m2][m3] D(turn)[m1][n] Q_sender[n][m1'] Y_m2`.
fn bond_coupling(
    origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
    (paths, tensors): (&[Path], &[Coupling]),
    lmax: usize,
) -> BondCoupling {
    let (receiver, sender, turn) = &origin;
    let mut rows = Vec::new();
    for (path, tensor) in paths.iter().zip(tensors) {
        let turned = rotation(path.l1, turn) * &sender[path.l1];
        for left in receiver[path.l3].column_iter() {
            for right in turned.column_iter() {
                let mut row = vec![0.0; components(lmax)];
                for (m2, value) in row[degree(path.l2)].iter_mut().enumerate() {
                    for (m3, a) in left.iter().enumerate() {
                        let term = |(m1, b): (usize, &f64)| a * b * tensor.at(m1, m2, m3);
                        *value += right.iter().enumerate().map(term).sum::<f64>();
                    }
                }
                rows.push(row);
            }
        }
    }
    let padded = rows.len().next_multiple_of(LANES);
    let mut matrix = vec![0.0; components(lmax) * padded];
    for (q, row) in rows.iter().enumerate() {
        row.iter().enumerate().for_each(|(lm, value)| matrix[lm * padded + q] = *value);
    }
    BondCoupling { origin, matrix, padded }
}
