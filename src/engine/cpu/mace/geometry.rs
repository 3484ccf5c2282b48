//! A scene in terms of the model: bases of the sites' features, couplings of the bonds, places in arrays.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use nalgebra::{DMatrix, Matrix3};

use super::contraction::SiteContraction;
use super::weights::{Update, Weights};
use crate::engine::cpu::{LANES, Real};
use crate::engine::{EngineError, Scene};
use crate::equivariant::{Coupling, components, coupling, degree, invariant_basis, rotation};
use crate::landscape::Point;
use crate::potential::mace::Path;

/// Points of a block: the rows that a matrix product sees are this many for every component of every site.
pub(in crate::engine) const BLOCK: usize = 16;

/// A scene in terms of a model.
pub(in crate::engine) struct Geometry<T> {
    pub(in crate::engine) sites: Vec<SiteGeometry<T>>,
    /// Rows of messages, all degrees.
    pub(in crate::engine) messages: Rows,
    /// Rows of each layer's output features.
    pub(in crate::engine) features: Vec<Rows>,
    /// Pairs by the axes that change them; the first group is the frozen one.
    pub(in crate::engine) groups: Vec<Group>,
    /// Where a pair's operators lie.
    pub(in crate::engine) pairs: Vec<PairGeometry>,
    /// Directions into each site, by sender: the pair and the place among its directions.
    pub(in crate::engine) incoming: Vec<Vec<(usize, usize)>>,
    /// Neighbouring sites of one element: the element's place in the weights and the sites.
    pub(in crate::engine) sites_by_element: Vec<(usize, Range<usize>)>,
    /// Couplings of bonds by (receiver, sender atom), as places among the distinct ones.
    pub(in crate::engine) couplings: Vec<Vec<usize>>,
    pub(in crate::engine) distinct_couplings: Vec<BondCoupling>,
    /// Rows of the messages before their linear maps, by later layer.
    pub(in crate::engine) path_rows: Vec<PathRows>,
    /// What operators that are kept are for, by layer; empty if none are.
    pub(in crate::engine) applications: Vec<Application>,
}

/// Sums over operators that may be kept, output by output: `sum operator row` in layer 0,
/// `sum operator row * feature row` in a later layer.
pub(in crate::engine) struct Application {
    pub(in crate::engine) outputs: Vec<Output>,
    pub(in crate::engine) terms: Vec<Term>,
}

/// A row of a layer's messages; `start` and `stride` as in [`Target`].
pub(in crate::engine) struct Output {
    pub(in crate::engine) start: usize,
    pub(in crate::engine) stride: usize,
    pub(in crate::engine) terms: Range<usize>,
}

/// A row of an operator, and the row of features as in [`Target`].
pub(in crate::engine) struct Term {
    /// Place among the directions of [`Geometry::keepable`].
    pub(in crate::engine) direction: usize,
    pub(in crate::engine) row: usize,
    pub(in crate::engine) feature: usize,
}

/// An array `[degree l3][row of the messages][point][path to l3][channel]`.
pub(in crate::engine) struct PathRows {
    /// Where each degree begins, and the end, in rows of channels.
    pub(in crate::engine) bases: Vec<usize>,
    /// Number of paths to each degree.
    pub(in crate::engine) widths: Vec<usize>,
}

impl PathRows {
    fn new(paths: &[Path], messages: &Rows) -> PathRows {
        let mut rows = PathRows { bases: vec![0], widths: Vec::new() };
        for l3 in 0..messages.degrees.len() {
            let width = paths.iter().filter(|p| p.l3 == l3).count();
            rows.bases.push(rows.bases[l3] + messages.of_degree(l3).len() * BLOCK * width);
            rows.widths.push(width);
        }
        rows
    }

    /// Start and stride of every row of a path, as in [`Target`].
    fn outputs(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.widths.len()).flat_map(|l3| {
            let width = self.widths[l3];
            let starts = (self.bases[l3]..self.bases[l3 + 1]).step_by((BLOCK * width).max(1));
            starts.flat_map(move |start| (start..start + width).map(move |start| (start, width)))
        })
    }
}

/// A site in terms of a model.
pub(in crate::engine) struct SiteGeometry<T> {
    /// Place of its element in the weights' list.
    pub(in crate::engine) element: usize,
    /// Atoms that it stands for, as a share of all.
    pub(in crate::engine) share: f64,
    /// Invariant components of each degree: `(2l + 1) x n`, orthonormal columns.
    pub(in crate::engine) bases: Vec<DMatrix<f64>>,
    /// Symmetric contractions by layer and output degree; sites of equal element and bases share them.
    pub(in crate::engine) contractions: Arc<Vec<Vec<SiteContraction<T>>>>,
}

/// Rows of an array `[degree][site][component][point][channel]`.
pub(in crate::engine) struct Rows {
    pub(in crate::engine) degrees: Vec<usize>,
    /// First row by degree (in the order of `degrees`) and site; one more entry ends the last site.
    starts: Vec<Vec<usize>>,
    pub(in crate::engine) total: usize,
}

impl Rows {
    fn new(degrees: &[usize], counts: impl Fn(usize, usize) -> usize, sites: usize) -> Rows {
        let mut total = 0;
        let mut starts = Vec::new();
        for l in degrees {
            let mut of_degree = Vec::new();
            for site in 0..sites {
                of_degree.push(total);
                total += counts(*l, site);
            }
            of_degree.push(total);
            starts.push(of_degree);
        }
        Rows { degrees: degrees.to_vec(), starts, total }
    }

    /// Rows of a site's components of the k-th degree.
    pub(in crate::engine) fn of(&self, k: usize, site: usize) -> Range<usize> {
        self.starts[k][site]..self.starts[k][site + 1]
    }

    /// Rows of the k-th degree of neighbouring sites.
    pub(in crate::engine) fn of_sites(&self, k: usize, sites: Range<usize>) -> Range<usize> {
        self.starts[k][sites.start]..self.starts[k][sites.end]
    }

    /// Rows of the k-th degree.
    pub(in crate::engine) fn of_degree(&self, k: usize) -> Range<usize> {
        self.of_sites(k, 0..self.starts[k].len() - 1)
    }

    /// Position of a degree.
    pub(in crate::engine) fn position(&self, l: usize) -> Option<usize> {
        self.degrees.iter().position(|d| *d == l)
    }
}

/// Pairs that the same axes change.
pub(in crate::engine) struct Group {
    pub(in crate::engine) axes: Vec<usize>,
    /// Indices into the scene's pairs.
    pub(in crate::engine) pairs: Vec<usize>,
    /// Values and scalars of a bundle of this group.
    pub(in crate::engine) values: usize,
    pub(in crate::engine) scalars: usize,
}

impl Group {
    /// Whether no axis changes it.
    pub(in crate::engine) fn is_frozen(&self) -> bool {
        self.axes.is_empty()
    }

    /// Nodes of its axes at a point, as one number.
    pub(in crate::engine) fn key(&self, scene: &Scene, point: Point) -> usize {
        let grid = &scene.landscape.grid;
        self.axes.iter().fold(0, |key, a| key * grid.shape()[*a] + grid.coordinate(point, *a))
    }
}

/// A pair's operators.
pub(in crate::engine) struct PairGeometry {
    pub(in crate::engine) group: usize,
    /// From the second site into the first, and back unless they are the same.
    pub(in crate::engine) directions: Vec<Direction>,
}

/// The operators from a sender site into a receiver site: layer 0 has a row for each component of the receiver, a
/// later layer rows `[path][component of l3][component of l1]`.
pub(in crate::engine) struct Direction {
    pub(in crate::engine) receiver: usize,
    pub(in crate::engine) sender: usize,
    /// Where its rows `[row][channel]` begin in the bundle of its group.
    pub(in crate::engine) first: usize,
    /// Rows that share a radial function: by degree for layer 0, then by path for each later layer.
    pub(in crate::engine) blocks: Vec<Range<usize>>,
    /// What each row is for.
    pub(in crate::engine) targets: Vec<Target>,
    /// Where its scalars begin: `[density columns]` and the repulsion.
    pub(in crate::engine) scalars: usize,
}

/// What an operator row is for, in rows of channels of arrays over the points p of a block: layer 0 adds it to row
/// `start + p` of the messages; a later layer adds its product with row `feature + p` of the senders' features to row
/// `start + stride p` of the paths.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Target {
    pub(in crate::engine) start: usize,
    pub(in crate::engine) stride: usize,
    pub(in crate::engine) feature: usize,
}

/// What harmonics of a bond's direction give for each operator row: `G_q = sum_lm matrix[lm][q] Y_lm`, the same for all
/// bonds of one relative orientation.
pub(in crate::engine) struct BondCoupling {
    /// Bases of receiver and sender and the rotation that made it, to find it again.
    origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
    /// `[lm][row]`, rows padded to [`LANES`].
    matrix: Vec<f64>,
    padded: usize,
}

impl BondCoupling {
    /// A row q for each component of the receiver, then those of every later layer.
    fn new(
        origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
        layers: &[(&[Path], &[Coupling])],
    ) -> BondCoupling {
        let (receiver, sender, turn) = &origin;
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for (l, basis) in receiver.iter().enumerate() {
            for column in basis.column_iter() {
                let mut row = vec![0.0; components(receiver.len() - 1)];
                row[degree(l)].copy_from_slice(column.as_slice());
                rows.push(row);
            }
        }
        for (paths, tensors) in layers {
            rows.extend(later_rows(paths, tensors, (receiver, sender), turn));
        }
        let padded = rows.len().next_multiple_of(LANES);
        let mut matrix = vec![0.0; components(receiver.len() - 1) * padded];
        for (q, row) in rows.iter().enumerate() {
            row.iter().enumerate().for_each(|(lm, value)| matrix[lm * padded + q] = *value);
        }
        BondCoupling { origin, matrix, padded }
    }

    /// `[lm][row]`, and the length of a row of it.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn matrix(&self) -> (&[f64], usize) {
        (&self.matrix, self.padded)
    }

    /// By lm, what it adds to all rows.
    pub(in crate::engine) fn columns(&self) -> impl Iterator<Item = &[f64]> {
        self.matrix.chunks_exact(self.padded.max(1))
    }
}

impl<T: Real> Geometry<T> {
    pub(in crate::engine) fn new(scene: &Scene, weights: &Weights<T>) -> Result<Geometry<T>, EngineError> {
        let mut sites: Vec<SiteGeometry<T>> = Vec::new();
        for site in &scene.sites {
            sites.push(site_geometry(scene, site, weights, &sites)?);
        }
        let counts = |l: usize, site: usize| sites[site].bases[l].ncols();
        let all: Vec<usize> = (0..=weights.lmax).collect();
        let messages = Rows::new(&all, counts, sites.len());
        let features = weights.layers.iter().map(|u| Rows::new(&u.outputs, counts, sites.len())).collect();
        let path_rows = weights.later.iter().map(|l| PathRows::new(&l.paths, &messages)).collect();
        let (couplings, distinct_couplings) = all_couplings(scene, &sites, weights);
        let mut sites_by_element: Vec<(usize, Range<usize>)> = Vec::new();
        for (index, site) in sites.iter().enumerate() {
            match sites_by_element.last_mut().filter(|(element, _)| *element == site.element) {
                Some((_, range)) => range.end = index + 1,
                None => sites_by_element.push((site.element, index..index + 1)),
            }
        }
        let mut geometry = Geometry {
            incoming: vec![Vec::new(); sites.len()],
            sites_by_element,
            sites,
            messages,
            features,
            groups: vec![Group { axes: Vec::new(), pairs: Vec::new(), values: 0, scalars: 0 }],
            pairs: Vec::new(),
            couplings,
            distinct_couplings,
            path_rows,
            applications: Vec::new(),
        };
        for index in 0..scene.pairs.len() {
            geometry.place_pair(scene, index, weights);
        }
        Ok(geometry)
    }

    /// Prepares for operators that are kept.
    pub(in crate::engine) fn prepare_kept(&mut self, scene: &Scene) {
        self.applications = (0..=self.path_rows.len()).map(|t| self.application(t, scene)).collect();
    }

    /// Whether operators of a group serve several points, so that they are worth keeping.
    pub(in crate::engine) fn is_keepable(&self, group: usize, scene: &Scene) -> bool {
        let axes = self.groups[group].axes.len();
        axes == 0 || axes < scene.landscape.axes.len()
    }

    /// Pairs in the order of summation: first those whose operators may be kept, how many they are, then the others.
    pub(in crate::engine) fn order(&self, scene: &Scene) -> (Vec<usize>, usize) {
        let keepable = |pair: &usize| self.is_keepable(self.pairs[*pair].group, scene);
        let (mut first, others): (Vec<usize>, Vec<usize>) = (0..self.pairs.len()).partition(keepable);
        let count = first.len();
        first.extend(others);
        (first, count)
    }

    /// Directions of pairs whose operators may be kept, in order.
    pub(in crate::engine) fn keepable(&self, scene: &Scene) -> impl Iterator<Item = (usize, &Direction)> {
        let pairs = self.pairs.iter().filter(|p| self.is_keepable(p.group, scene));
        pairs.flat_map(|p| p.directions.iter().map(|d| (p.group, d)))
    }

    fn application(&self, t: usize, scene: &Scene) -> Application {
        let blocks = self.blocks(t);
        // All outputs, also those without a term.
        let mut by_output: BTreeMap<(usize, usize), Vec<Term>> = match t.checked_sub(1) {
            None => (0..self.messages.total).map(|row| ((row * BLOCK, 1), Vec::new())).collect(),
            Some(later) => self.path_rows[later].outputs().map(|output| (output, Vec::new())).collect(),
        };
        for (index, (_, direction)) in self.keepable(scene).enumerate() {
            for row in direction.blocks[blocks.clone()].iter().flat_map(|b| b.clone()) {
                let Target { start, stride, feature } = direction.targets[row];
                by_output.entry((start, stride)).or_default().push(Term { direction: index, row, feature });
            }
        }
        let mut application = Application { outputs: Vec::new(), terms: Vec::new() };
        for ((start, stride), terms) in by_output {
            let first = application.terms.len();
            application.terms.extend(terms);
            application.outputs.push(Output { start, stride, terms: first..application.terms.len() });
        }
        application
    }

    /// The blocks of a layer, see [`Direction::blocks`].
    pub(in crate::engine) fn blocks(&self, t: usize) -> Range<usize> {
        let paths = |t: usize| self.path_rows[t - 1].widths.iter().sum::<usize>();
        let start = if t == 0 { 0 } else { self.messages.degrees.len() + (1..t).map(paths).sum::<usize>() };
        let count = if t == 0 { self.messages.degrees.len() } else { paths(t) };
        start..start + count
    }

    /// Gives a pair its place in the bundle of its group.
    fn place_pair(&mut self, scene: &Scene, index: usize, weights: &Weights<T>) {
        let pair = &scene.pairs[index];
        let found = self.groups.iter().position(|g| g.axes == pair.axes);
        let group = found.unwrap_or_else(|| {
            self.groups.push(Group { axes: pair.axes.clone(), pairs: Vec::new(), values: 0, scalars: 0 });
            self.groups.len() - 1
        });
        let [a, b] = pair.sites;
        let ways = if a == b { vec![(a, a)] } else { vec![(a, b), (b, a)] };
        let mut directions: Vec<Direction> = Vec::new();
        for (receiver, sender) in ways {
            let mut direction = self.direction(receiver, sender, weights);
            let place = &mut self.groups[group];
            (direction.first, direction.scalars) = (place.values, place.scalars);
            place.values += direction.targets.len() * weights.channels;
            place.scalars += weights.density_count() + 1;
            // Pairs come by site, so senders come in order.
            self.incoming[receiver].push((index, directions.len()));
            directions.push(direction);
        }
        self.groups[group].pairs.push(index);
        self.pairs.push(PairGeometry { group, directions });
    }

    /// The rows from a sender into a receiver, with no place in a bundle yet.
    fn direction(&self, receiver: usize, sender: usize, weights: &Weights<T>) -> Direction {
        let (mut blocks, mut targets) = (Vec::new(), Vec::new());
        for l in 0..=weights.lmax {
            let first = targets.len();
            let rows = self.messages.of(l, receiver);
            targets.extend(rows.map(|row| Target { start: row * BLOCK, stride: 1, feature: 0 }));
            blocks.push(first..targets.len());
        }
        for (t, layer) in weights.later.iter().enumerate() {
            let PathRows { bases, widths } = &self.path_rows[t];
            for (k, path) in layer.paths.iter().enumerate() {
                let first = targets.len();
                let slot = layer.paths[..k].iter().filter(|p| p.l3 == path.l3).count();
                let (stride, degree) = (widths[path.l3], self.messages.of_degree(path.l3).start);
                let input = self.features[t].position(path.l1);
                let senders = input.map_or(0..0, |input| self.features[t].of(input, sender));
                for row in self.messages.of(path.l3, receiver) {
                    let start = bases[path.l3] + (row - degree) * BLOCK * stride + slot;
                    let target = |feature| Target { start, stride, feature: feature * BLOCK };
                    targets.extend(senders.clone().map(target));
                }
                blocks.push(first..targets.len());
            }
        }
        Direction { receiver, sender, first: 0, blocks, targets, scalars: 0 }
    }

    /// Coupling of the bonds from an atom into a site.
    pub(in crate::engine) fn coupling(&self, receiver: usize, sender: usize) -> &BondCoupling {
        &self.distinct_couplings[self.couplings[receiver][sender]]
    }
}

fn site_geometry<T: Real>(
    scene: &Scene,
    site: &crate::engine::Site,
    weights: &Weights<T>,
    earlier: &[SiteGeometry<T>],
) -> Result<SiteGeometry<T>, EngineError> {
    let element = weights.element_index(site.element).ok_or(EngineError::Element(site.element))?;
    let bases: Vec<DMatrix<f64>> = (0..=weights.lmax).map(|l| invariant_basis(l, &site.stabiliser)).collect();
    let same = earlier.iter().find(|s| s.element == element && s.bases == bases);
    let contractions = same.map_or_else(
        || {
            let of_layer = |layer: &Update<T>| {
                let contractions = layer.contractions.iter();
                contractions.map(|c| SiteContraction::new(c, &bases, element, weights.channels)).collect()
            };
            Arc::new(weights.layers.iter().map(of_layer).collect())
        },
        |s| s.contractions.clone(),
    );
    let share = site.multiplicity as f64 / scene.atom_count as f64;
    Ok(SiteGeometry { element, share, bases, contractions })
}

/// Couplings for every (receiver, sender atom); bonds between sites without symmetry in a crystal without rotations
/// all share one.
fn all_couplings<T: Real>(
    scene: &Scene,
    sites: &[SiteGeometry<T>],
    weights: &Weights<T>,
) -> (Vec<Vec<usize>>, Vec<BondCoupling>) {
    let mut distinct: Vec<BondCoupling> = Vec::new();
    let mut indices = vec![vec![usize::MAX; scene.atom_count]; sites.len()];
    let bonds = scene.pairs.iter().flat_map(|p| &p.shells).flat_map(|s| &s.bonds);
    let tensors: Vec<Vec<Coupling>> = (weights.later.iter())
        .map(|layer| layer.paths.iter().map(|p| coupling(p.l1, p.l2, p.l3)).collect())
        .collect();
    for bond in bonds {
        let index = &mut indices[bond.receiver][bond.sender];
        if *index != usize::MAX {
            continue;
        }
        let (receiver, sender) = (&sites[bond.receiver].bases, &sites[bond.sender_site].bases);
        let turn = scene.rotations[bond.sender];
        let same = |c: &BondCoupling| c.origin.0 == *receiver && c.origin.1 == *sender && c.origin.2 == turn;
        *index = distinct.iter().position(same).unwrap_or_else(|| {
            let layers: Vec<_> =
                weights.later.iter().zip(&tensors).map(|(l, t)| (&l.paths[..], &t[..])).collect();
            distinct.push(BondCoupling::new((receiver.clone(), sender.clone(), turn), &layers));
            distinct.len() - 1
        });
    }
    (indices, distinct)
}

/// Rows `[path][m3'][m1']` of
/// `G[m3'][m1'] = sqrt(2 l3 + 1) sum Q_receiver[m3][m3'] C[m1][m2][m3] D(turn)[m1][n] Q_sender[n][m1'] Y_m2`.
fn later_rows(
    paths: &[Path],
    tensors: &[Coupling],
    (receiver, sender): (&[DMatrix<f64>], &[DMatrix<f64>]),
    turn: &Matrix3<f64>,
) -> Vec<Vec<f64>> {
    let mut rows = Vec::new();
    for (path, tensor) in paths.iter().zip(tensors) {
        let turned = rotation(path.l1, turn) * &sender[path.l1];
        let scale = ((2 * path.l3 + 1) as f64).sqrt();
        for left in receiver[path.l3].column_iter() {
            for right in turned.column_iter() {
                let mut row = vec![0.0; components(receiver.len() - 1)];
                for (m2, value) in row[degree(path.l2)].iter_mut().enumerate() {
                    for (m3, a) in left.iter().enumerate() {
                        for (m1, b) in right.iter().enumerate() {
                            *value += scale * a * b * tensor.at(m1, m2, m3);
                        }
                    }
                }
                rows.push(row);
            }
        }
    }
    rows
}
