//! Pair operators: sums over the bonds of a pair of sites, at given axis values.

use pulp::{Simd, WithSimd};

use super::geometry::{Direction, Geometry, Group};
use super::weights::Weights;
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::table::Place;
use crate::engine::cpu::{LANES, Real, Table};
use crate::engine::{Bond, COINCIDENCE, Scene, Shell};
use crate::equivariant::{Harmonics, components, degree};
use crate::landscape::Point;

/// The operators of a group's pairs at one set of axis values.
#[derive(Clone, Debug)]
pub(super) struct Bundle<T> {
    pub(super) values: Vec<T>,
    pub(super) scalars: Vec<f64>,
}

impl<T: Real> Bundle<T> {
    /// All zero.
    pub(super) fn new(group: &Group) -> Bundle<T> {
        Bundle { values: vec![T::ZERO; group.values], scalars: vec![0.0; group.scalars] }
    }
}

/// Builds bundles of a scene.
pub(super) struct Operators<'a, T> {
    scene: &'a Scene,
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    harmonics: Harmonics,
    /// Indices of each pair's shells that may be within the cutoff.
    active: Vec<Vec<usize>>,
    arch: pulp::Arch,
}

/// Buffers for one pair.
pub(super) struct Scratch<T> {
    harmonics: Vec<f64>,
    /// Angular parts of one shell: `[row of the operators]`.
    sums: Vec<f64>,
    /// Where the shells within the cutoff lie on the tables.
    places: Vec<Place<T>>,
    /// By direction: `[shell][row of the operators]`.
    angular: [Vec<T>; 2],
    /// `[shell]`, a few vectors of channels each.
    radial: Vec<T>,
    /// `[density column]`, padded.
    densities: Vec<f64>,
}

/// Vectors of channels that are summed at once, in registers.
const STRIP: usize = 4;

impl<T: Real> Scratch<T> {
    pub(super) fn new(geometry: &Geometry<T>, weights: &Weights<T>) -> Scratch<T> {
        let densities = weights.densities.as_ref().map_or(0, |tables| tables[0][0].columns());
        let directions = geometry.pairs.iter().flat_map(|p| &p.directions);
        Scratch {
            harmonics: vec![0.0; components(weights.lmax)],
            sums: vec![0.0; directions.map(|d| d.rows()).max().unwrap_or(0)],
            places: Vec::new(),
            angular: [Vec::new(), Vec::new()],
            radial: Vec::new(),
            densities: vec![0.0; densities],
        }
    }
}

/// The loop over a group's pairs, compiled for every instruction set and dispatched at run time.
struct Fill<'a, 'b, T> {
    operators: &'a Operators<'b, T>,
    group: &'a Group,
    s: &'a [f64],
    bundle: &'a mut Bundle<T>,
    scratch: &'a mut Scratch<T>,
}

impl<T: Real> WithSimd for Fill<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Fill { operators, group, s, bundle, scratch } = self;
        for pair in &group.pairs {
            operators.gather(simd, *pair, s, (&mut bundle.scalars, scratch));
            operators.sum(simd, *pair, scratch, &mut bundle.values);
        }
    }
}

impl<'a, T: Real> Operators<'a, T> {
    /// For any points of the scene.
    pub(super) fn new(scene: &'a Scene, geometry: &'a Geometry<T>, weights: &'a Weights<T>) -> Self {
        let active = scene.pairs.iter().map(|p| (0..p.shells.len()).collect()).collect();
        let harmonics = Harmonics::new(weights.lmax);
        Operators { scene, geometry, weights, harmonics, active, arch: pulp::Arch::new() }
    }

    /// For some points: shells that are beyond the cutoff at all of them are not looked at again.
    pub(super) fn within(
        scene: &'a Scene,
        geometry: &'a Geometry<T>,
        weights: &'a Weights<T>,
        points: &[Point],
    ) -> Self {
        let mut operators = Self::new(scene, geometry, weights);
        let axes = scene.landscape.axes.len();
        let (mut low, mut high) = (vec![f64::INFINITY; axes], vec![f64::NEG_INFINITY; axes]);
        for values in points.iter().map(|p| scene.axis_values(*p)) {
            for (a, value) in values.into_iter().enumerate() {
                low[a] = low[a].min(value);
                high[a] = high[a].max(value);
            }
        }
        let centre: Vec<f64> = low.iter().zip(&high).map(|(l, h)| 0.5 * (l + h)).collect();
        // A hair wider than the points, so that rounding leaves none out.
        let half_width: Vec<f64> = low.iter().zip(&high).map(|(l, h)| 0.5 * (h - l) + 1e-9).collect();
        for (pair, active) in scene.pairs.iter().zip(&mut operators.active) {
            active.retain(|s| {
                let bond = &pair.shells[*s].bonds[0];
                bond.shortest_within(&centre, &half_width) < scene.cutoff
            });
        }
        operators
    }

    /// Replaces a bundle by the operators of its group at the axis values `s`.
    pub(super) fn fill(&self, group: usize, s: &[f64], bundle: &mut Bundle<T>, scratch: &mut Scratch<T>) {
        bundle.scalars.fill(0.0);
        let group = &self.geometry.groups[group];
        self.arch.dispatch(Fill { operators: self, group, s, bundle, scratch });
    }

    /// A new bundle with the operators of a group at the axis values `s`.
    pub(super) fn bundle(&self, group: usize, s: &[f64]) -> Bundle<T> {
        let mut bundle = Bundle::new(&self.geometry.groups[group]);
        self.fill(group, s, &mut bundle, &mut Scratch::new(self.geometry, self.weights));
        bundle
    }

    /// Collects a pair's shells within the cutoff: places on the tables and angular parts; adds up the scalars.
    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        pair: usize,
        s: &[f64],
        (scalars, scratch): (&mut [f64], &mut Scratch<T>),
    ) {
        scratch.places.clear();
        scratch.angular.iter_mut().for_each(Vec::clear);
        let [a, b] = self.scene.pairs[pair].sites.map(|site| self.geometry.sites[site].element);
        let elements = (self.weights.elements[a], self.weights.elements[b]);
        for shell in self.active[pair].iter().map(|k| &self.scene.pairs[pair].shells[*k]) {
            let r = shell.bonds[0].at(s).norm();
            // Coinciding atoms have no direction; their point gets no energy either.
            if r >= self.scene.cutoff || r < COINCIDENCE {
                continue;
            }
            scratch.places.push(self.weights.first[a][b].place(r));
            if let Some(densities) = &self.weights.densities {
                let table = &densities[a][b];
                let place = table.place(r);
                for (k, out) in f64::vectors_mut::<S>(&mut scratch.densities).iter_mut().enumerate() {
                    [*out] = table.strip(simd, &place, k);
                }
            }
            let repulsion = self.weights.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, elements));
            for (d, direction) in self.geometry.pairs[pair].directions.iter().enumerate() {
                let weight = self.angular(direction, shell, s, scratch);
                let rounded = scratch.sums[..direction.rows()].iter().map(|g| T::from_f64(*g));
                scratch.angular[d].extend(rounded);
                let scalars = &mut scalars[direction.scalars..][..self.weights.density_count() + 1];
                if let [densities @ .., sum] = scalars {
                    *sum += weight * repulsion;
                    densities.iter_mut().zip(&scratch.densities).for_each(|(sum, d)| *sum += weight * d);
                }
            }
        }
    }

    /// Sums the angular parts of a shell's bonds in one direction; returns the number of neighbours they stand for.
    #[inline(always)]
    fn angular(&self, direction: &Direction, shell: &Shell, s: &[f64], scratch: &mut Scratch<T>) -> f64 {
        let mut weight = 0.0;
        scratch.sums[..direction.rows()].fill(0.0);
        for bond in shell.bonds.iter().filter(|b| b.receiver == direction.receiver) {
            weight += bond.weight;
            self.harmonics.evaluate(&bond.at(s).normalize(), &mut scratch.harmonics);
            self.add_angular(bond, scratch);
        }
        weight
    }

    #[inline(always)]
    fn add_angular(&self, bond: &Bond, scratch: &mut Scratch<T>) {
        let y = &scratch.harmonics;
        let mut sums = scratch.sums.iter_mut();
        for (l, basis) in self.geometry.sites[bond.receiver].bases.iter().enumerate() {
            for (column, sum) in basis.column_iter().zip(&mut sums) {
                *sum += bond.weight * column.iter().zip(&y[degree(l)]).map(|(q, y)| q * y).sum::<f64>();
            }
        }
        for sparse in &self.geometry.coupling(bond.receiver, bond.sender).layers {
            for (range, sum) in sparse.starts.windows(2).zip(&mut sums) {
                let entries = &sparse.entries[range[0]..range[1]];
                *sum += bond.weight * entries.iter().map(|(lm, c)| c * y[*lm]).sum::<f64>();
            }
        }
    }

    /// Writes the operators of a pair: sums of (angular) x (radial) over its gathered shells.
    #[inline(always)]
    fn sum<S: Simd>(&self, simd: S, pair: usize, scratch: &mut Scratch<T>, values: &mut [T]) {
        let directions = &self.geometry.pairs[pair].directions;
        let [a, b] = self.scene.pairs[pair].sites.map(|site| self.geometry.sites[site].element);
        let degrees = self.weights.lmax + 1;
        for (d, direction) in directions.iter().enumerate() {
            let [a, b] = [direction.receiver, direction.sender].map(|s| self.geometry.sites[s].element);
            for l in 0..degrees {
                let rows = Rows { table: &self.weights.first[a][b], column: l, block: l };
                self.strips(simd, rows, (&directions[d..d + 1], d), (scratch, values));
            }
        }
        let mut block = degrees;
        for layer in &self.weights.later {
            for column in 0..layer.paths.len() {
                let rows = Rows { table: &layer.tables[a][b], column, block };
                self.strips(simd, rows, (directions, 0), (scratch, values));
                block += 1;
            }
        }
    }

    /// Rows of some directions, of which the first has the given index, with one radial function.
    #[inline(always)]
    fn strips<S: Simd>(
        &self,
        simd: S,
        rows: Rows<T>,
        directions: (&[Direction], usize),
        (scratch, values): (&mut Scratch<T>, &mut [T]),
    ) {
        let width = self.weights.channels / LANES * vectors_per_lane::<T, S>();
        scratch
            .radial
            .resize(scratch.places.len() * STRIP * size_of::<T::Vector<S>>() / size_of::<T>(), T::ZERO);
        let mut k = 0;
        while k + STRIP <= width {
            self.strip::<S, STRIP>(simd, (&rows, k), directions, (scratch, values));
            k += STRIP;
        }
        while k < width {
            self.strip::<S, 1>(simd, (&rows, k), directions, (scratch, values));
            k += 1;
        }
    }

    /// The k-th and the following vectors of channels, `N` in all.
    #[inline(always)]
    fn strip<S: Simd, const N: usize>(
        &self,
        simd: S,
        (rows, k): (&Rows<T>, usize),
        (directions, first): (&[Direction], usize),
        (scratch, values): (&mut Scratch<T>, &mut [T]),
    ) {
        let width = self.weights.channels / LANES * vectors_per_lane::<T, S>();
        let radial = T::vectors_mut::<S>(&mut scratch.radial);
        for (place, out) in scratch.places.iter().zip(radial.chunks_exact_mut(N)) {
            out.copy_from_slice(&rows.table.strip::<S, N>(simd, place, rows.column * width + k));
        }
        for (d, direction) in directions.iter().enumerate() {
            let stride = direction.rows();
            let out = T::vectors_mut::<S>(&mut values[direction.first..]);
            for row in direction.blocks[rows.block].clone() {
                let mut sums = [T::splat(simd, T::ZERO); N];
                let angular = scratch.angular[first + d].iter().skip(row).step_by(stride);
                for (factor, radial) in angular.zip(radial.chunks_exact(N)) {
                    let factor = T::splat(simd, *factor);
                    for i in 0..N {
                        sums[i] = T::multiply_add(simd, factor, radial[i], sums[i]);
                    }
                }
                out[row * width + k..][..N].copy_from_slice(&sums);
            }
        }
    }
}

/// Operator rows with one radial function.
struct Rows<'a, T> {
    table: &'a Table<T>,
    /// Which block of the table's columns.
    column: usize,
    /// Which of a direction's blocks.
    block: usize,
}
