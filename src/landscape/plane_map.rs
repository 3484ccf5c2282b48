//! Exact symmetries of a grid: affine maps of the axis values that give equivalent crystals.
//!
//! Let n = (P, p) run over the Euclidean normaliser of the group on the actual lattice. If n maps the frozen atoms
//! onto frozen atoms of their species, and each moving orbit i at coordinates u onto a moving orbit j of its
//! species at M u + t, then both points hold the same crystal, moved by n. An orbit's coordinates are not unique
//! (its forms permute), so the choice of (M, t) is independent for every orbit.

use std::collections::HashMap;

use nalgebra::{DMatrix, DVector, Matrix3, Vector3};
use serde::{Deserialize, Serialize};

use super::Axis;
use crate::crystal::Element;
use crate::symmetry::{Crystal, Form, Normalizer, Operation, is_integer, solve_modulo_lattice, wrap};

/// What has to be done to a crystal to get the equivalent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Nothing: the same set of atoms.
    Identical,
    /// A translation.
    Translated,
    /// A rotation or reflection.
    Rotated,
}

const RELATIONS: [Relation; 3] = [Relation::Identical, Relation::Translated, Relation::Rotated];

/// An affine map of axis values, `s -> matrix * s + shift` modulo 1, that gives an equivalent crystal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GridMap {
    /// n_axes x n_axes, small rationals.
    pub matrix: DMatrix<f64>,
    /// Each in [0, 1).
    pub shift: DVector<f64>,
    /// In which ways the map comes about: bit `2 * relation + improper`.
    ways: u8,
}

impl GridMap {
    /// Whether the map comes about by at most `relation`, and without a change of handedness if `proper_only`.
    pub fn is_within(&self, relation: Relation, proper_only: bool) -> bool {
        RELATIONS.iter().filter(|r| **r <= relation).any(|r| {
            let bits = self.ways >> (2 * *r as u8);
            bits & 1 != 0 || (!proper_only && bits & 2 != 0)
        })
    }

    fn key(&self) -> Vec<i64> {
        // Matrix entries are multiples of 1/6 or so; shifts differ by more than this or are the same.
        let matrix = self.matrix.iter().map(|v| (v * 720.0).round() as i64);
        matrix.chain(self.shift.iter().map(|v| (v * 1e6).round() as i64 % 1_000_000)).collect()
    }

    /// `self` after `first`.
    fn after(&self, first: &GridMap) -> GridMap {
        let mut ways = 0;
        for a in (0..6).filter(|a| self.ways >> a & 1 != 0) {
            for b in (0..6).filter(|b| first.ways >> b & 1 != 0) {
                ways |= 1 << (2 * (a / 2).max(b / 2) + (a ^ b) % 2);
            }
        }
        let matrix = &self.matrix * &first.matrix;
        let shift = (&self.matrix * &first.shift + &self.shift).map(wrap);
        GridMap { matrix, shift, ways }
    }
}

/// Frozen coordinates are equal when they agree to this: exact symmetry only, since results are shared.
const EXACT: f64 = 1e-8;
/// More choices than this for one normaliser element, or more maps, are not followed up: fewer points are then
/// identified, never wrong ones.
const LIMIT: usize = 2048;

/// All maps of a landscape's axes, closed under composition, the identity included.
///
/// Where the lattice's own symmetry is not found, the group's own operations make fewer maps, and no wrong ones.
pub(super) fn grid_maps(crystal: &Crystal, axes: &[Axis]) -> Vec<GridMap> {
    let normalizer = Normalizer::new(&crystal.group, &crystal.lattice).unwrap_or_else(|error| {
        log::warn!("{}: {error}; points are identified by the group's own operations only", crystal.name);
        Normalizer::of_group(&crystal.group)
    });
    let search = Search::new(crystal, axes);
    let mut maps = MapSet::default();
    maps.insert(identity(axes.len()));
    for element in search.candidates(&normalizer) {
        if search.keeps_frozen(&element) {
            let ways = search.ways(&element);
            search.maps_of(&element).into_iter().for_each(|(matrix, shift)| {
                maps.insert(GridMap { matrix, shift, ways });
            });
        }
    }
    maps.closed()
}

fn identity(axes: usize) -> GridMap {
    GridMap { matrix: DMatrix::identity(axes, axes), shift: DVector::zeros(axes), ways: 1 }
}

/// Maps without repetition.
#[derive(Default)]
struct MapSet {
    maps: Vec<GridMap>,
    places: HashMap<Vec<i64>, usize>,
}

impl MapSet {
    /// Adds a map or its ways; true if that was news.
    fn insert(&mut self, map: GridMap) -> bool {
        if let Some(place) = self.places.get(&map.key()) {
            let known = &mut self.maps[*place].ways;
            let news = map.ways & !*known != 0;
            *known |= map.ways;
            return news;
        }
        self.places.insert(map.key(), self.maps.len());
        self.maps.push(map);
        true
    }

    /// The group that the maps generate, or the maps' own identity alone if it is too large.
    fn closed(mut self) -> Vec<GridMap> {
        let generators = self.maps.clone();
        loop {
            let mut news = false;
            for generator in &generators {
                for i in 0..self.maps.len() {
                    let product = generator.after(&self.maps[i]);
                    news |= self.insert(product);
                }
            }
            if self.maps.len() > LIMIT {
                let axes = self.maps[0].shift.len();
                return vec![identity(axes)];
            }
            if !news {
                return self.maps;
            }
        }
    }
}

/// A linear map of an orbit's three coordinates onto another's, in the columns and rows of all axes.
type OrbitMap = (DMatrix<f64>, DVector<f64>);

struct Search<'a> {
    crystal: &'a Crystal,
    axes: &'a [Axis],
    moving: Vec<usize>,
    frozen: Vec<(Element, Vector3<f64>)>,
}

impl<'a> Search<'a> {
    fn new(crystal: &'a Crystal, axes: &'a [Axis]) -> Self {
        let moves = |orbit: &usize| axes.iter().any(|a| a.dof.orbit == *orbit);
        let (moving, still): (Vec<usize>, Vec<usize>) = (0..crystal.orbits.len()).partition(moves);
        let frozen = (still.iter().map(|o| &crystal.orbits[*o]))
            .flat_map(|o| {
                let forms = &crystal.group.wyckoff[o.position].forms;
                forms.iter().map(|f| (o.element, f.at(&o.coordinates).map(wrap)))
            })
            .collect();
        Search { crystal, axes, moving, frozen }
    }

    /// The normaliser's elements; in polar groups, shifted along the free directions so that the first frozen atom
    /// lands on a frozen atom.
    fn candidates(&self, normalizer: &Normalizer) -> Vec<Operation> {
        let Some((element, first)) = self.frozen.first() else { return normalizer.operations.clone() };
        if normalizer.polar_directions.is_empty() {
            return normalizer.operations.clone();
        }
        let directions = &normalizer.polar_directions;
        let d = DMatrix::from_fn(3, directions.len(), |i, j| directions[j][i]);
        let mut candidates: Vec<Operation> = Vec::new();
        for operation in &normalizer.operations {
            let targets = self.frozen.iter().filter(|(e, _)| e == element);
            for shift in targets.flat_map(|(_, y)| shifts_along(&d, &(y - operation.apply(first)))) {
                let translation = (operation.translation + shift).map(wrap);
                let candidate = Operation { rotation: operation.rotation, translation };
                if !candidates.iter().any(|c| same_operation(c, &candidate)) {
                    candidates.push(candidate);
                }
            }
        }
        candidates
    }

    fn keeps_frozen(&self, n: &Operation) -> bool {
        self.frozen.iter().all(|(element, x)| {
            let image = n.apply(x);
            self.frozen.iter().any(|(e, y)| e == element && same_modulo_lattice(&image, y))
        })
    }

    /// How the crystal is moved by n, given that the group itself moves nothing.
    fn ways(&self, n: &Operation) -> u8 {
        let improper = u8::from(!n.is_proper());
        let operations = &self.crystal.group.operations;
        let bit = |relation: Relation, improper: u8| 1 << (2 * relation as u8 + improper);
        if operations.iter().any(|g| same_operation(g, n)) {
            return bit(Relation::Identical, 0);
        }
        if operations.iter().any(|g| (g.rotation - n.rotation).amax() < EXACT) {
            return bit(Relation::Translated, 0);
        }
        // With an improper operation in the group, n times that operation moves the crystal just as n does.
        let either = operations.iter().any(|g| !g.is_proper());
        if either { bit(Relation::Rotated, 0) } else { bit(Relation::Rotated, improper) }
    }

    /// All maps of the axis values that come from one element of the normaliser.
    fn maps_of(&self, n: &Operation) -> Vec<OrbitMap> {
        let mut maps = Vec::new();
        self.extend(n, 0, &mut vec![false; self.moving.len()], vec![self.blank()], &mut maps);
        maps
    }

    fn blank(&self) -> OrbitMap {
        (DMatrix::zeros(self.axes.len(), self.axes.len()), DVector::zeros(self.axes.len()))
    }

    /// Chooses an image for the `k`-th moving orbit and goes on with the next.
    fn extend(
        &self,
        n: &Operation,
        k: usize,
        taken: &mut Vec<bool>,
        partial: Vec<OrbitMap>,
        out: &mut Vec<OrbitMap>,
    ) {
        if k == self.moving.len() {
            out.extend(partial);
            return;
        }
        for target in 0..self.moving.len() {
            if taken[target] {
                continue;
            }
            let choices = self.orbit_maps(n, self.moving[k], self.moving[target]);
            if choices.is_empty() || choices.len() * partial.len() > LIMIT {
                continue;
            }
            let extended = (partial.iter())
                .flat_map(|(m, t)| choices.iter().map(move |(dm, dt)| (m + dm, t + dt)))
                .collect();
            taken[target] = true;
            self.extend(n, k + 1, taken, extended, out);
            taken[target] = false;
        }
    }

    /// Maps of orbit `i` onto orbit `j` by n, in the rows of the axes of `j` and the columns of those of `i`; only
    /// those that respect the frozen coordinates.
    fn orbit_maps(&self, n: &Operation, i: usize, j: usize) -> Vec<OrbitMap> {
        let (source, target) = (&self.crystal.orbits[i], &self.crystal.orbits[j]);
        let (from, to) =
            (&self.crystal.group.wyckoff[source.position], &self.crystal.group.wyckoff[target.position]);
        if source.element != target.element || from.multiplicity != to.multiplicity {
            return Vec::new();
        }
        let image = from.representative().moved(&n.rotation, &n.translation);
        let mut maps: Vec<OrbitMap> = Vec::new();
        for form in &to.forms {
            for (m, t) in coordinate_maps(&image, form) {
                if let Some(map) = self.restrict((i, j), &m, &t) {
                    let same = |other: &&OrbitMap| {
                        (&other.0 - &map.0).amax() < EXACT && same_shift(&other.1, &map.1)
                    };
                    if maps.iter().find(same).is_none() {
                        maps.push(map);
                    }
                }
            }
        }
        maps
    }

    /// The part of a coordinate map (3 x 3, u_j = m u_i + t) that acts on the axes, if frozen coordinates stay.
    fn restrict(&self, (i, j): (usize, usize), m: &Matrix3<f64>, t: &Vector3<f64>) -> Option<OrbitMap> {
        let axis_of = |orbit: usize, coordinate: usize| {
            self.axes.iter().position(|a| a.dof.orbit == orbit && a.dof.coordinate == coordinate)
        };
        let orbits = &self.crystal.orbits;
        let free = self.crystal.group.wyckoff[orbits[j].position].free();
        let (mut matrix, mut shift) = self.blank();
        for row in (0..3).filter(|row| free[*row]) {
            let target = axis_of(j, row);
            let mut constant = t[row];
            for column in 0..3 {
                match (axis_of(i, column), target) {
                    (Some(source), Some(target)) => matrix[(target, source)] = m[(row, column)],
                    (Some(_), None) if m[(row, column)].abs() > EXACT => return None,
                    (Some(_), None) => {}
                    (None, _) => constant += m[(row, column)] * orbits[i].coordinates[column],
                }
            }
            match target {
                Some(target) => shift[target] = wrap(constant),
                None if !is_integer(constant - orbits[j].coordinates[row], EXACT) => return None,
                None => {}
            }
        }
        Some((matrix, shift))
    }
}

/// All (m, t) with `image(u) = form(m u + t)` modulo the lattice for every u: `image.A = A m`,
/// `A t = image.b - b`.
fn coordinate_maps(image: &Form, form: &Form) -> Vec<(Matrix3<f64>, Vector3<f64>)> {
    let free = form.free();
    let columns = form.free_columns();
    let mut m = Matrix3::zeros();
    if columns.ncols() > 0 {
        let Some(inverse) = (columns.transpose() * &columns).try_inverse() else { return Vec::new() };
        let solution = inverse * columns.transpose() * image.linear;
        for (row, free_row) in (0..3).filter(|j| free[*j]).enumerate() {
            for column in 0..3 {
                // Exact rationals: sixths cover all tables.
                m[(free_row, column)] = (solution[(row, column)] * 6.0).round() / 6.0;
            }
        }
    }
    if (form.linear * m - image.linear).amax() > EXACT {
        return Vec::new();
    }
    solve_modulo_lattice(&columns, &(image.shift - form.shift), 1e-6)
        .into_iter()
        .map(|t| {
            let mut values = t.iter();
            (m, Vector3::from_fn(|j, _| if free[j] { values.next().copied().unwrap_or(0.0) } else { 0.0 }))
        })
        .collect()
}

/// Vectors in the span of the columns of `d` that equal `rhs` modulo the lattice.
fn shifts_along(d: &DMatrix<f64>, rhs: &Vector3<f64>) -> Vec<Vector3<f64>> {
    let Some(inverse) = (d.transpose() * d).try_inverse() else { return Vec::new() };
    let projector = d * inverse * d.transpose();
    let range = || -1..=1;
    range()
        .flat_map(|i| range().flat_map(move |j| range().map(move |k| [i, j, k])))
        .filter_map(|z| {
            let wanted = DVector::from_fn(3, |i, _| rhs[i] + f64::from(z[i]));
            let reached = &projector * &wanted;
            ((&reached - &wanted).amax() < EXACT).then(|| Vector3::new(reached[0], reached[1], reached[2]))
        })
        .collect()
}

fn same_modulo_lattice(a: &Vector3<f64>, b: &Vector3<f64>) -> bool {
    (a - b).iter().all(|v| is_integer(*v, EXACT))
}

fn same_shift(a: &DVector<f64>, b: &DVector<f64>) -> bool {
    (a - b).iter().all(|v| is_integer(*v, EXACT))
}

fn same_operation(a: &Operation, b: &Operation) -> bool {
    (a.rotation - b.rotation).amax() < EXACT && same_modulo_lattice(&a.translation, &b.translation)
}
