//! Pair operators: sums over the bonds of a pair of sites, at given axis values.

use pulp::{Simd, WithSimd};

use super::geometry::{Direction, Geometry, Group};
use super::weights::Weights;
use crate::engine::cpu::Real;
use crate::engine::cpu::real::add_scaled;
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

/// Buffers for one shell.
pub(super) struct Scratch<T> {
    harmonics: Vec<f64>,
    /// `[component]` of the receiver.
    first_angular: Vec<f64>,
    /// By later layer: `[row of the operator]`.
    later_angular: Vec<Vec<f64>>,
    /// `[degree][channel]`.
    first_radial: Vec<T>,
    /// By later layer: `[path][channel]`.
    later_radial: Vec<Vec<T>>,
    /// `[density column]`, padded.
    densities: Vec<f64>,
}

impl<T: Real> Scratch<T> {
    pub(super) fn new(geometry: &Geometry<T>, weights: &Weights<T>) -> Scratch<T> {
        let couplings = geometry.distinct_couplings.iter();
        let rows = |t: usize| couplings.clone().map(|c| c.layers[t].len()).max().unwrap_or(0);
        let densities = weights.densities.as_ref().map_or(0, |tables| tables[0][0].columns());
        Scratch {
            harmonics: vec![0.0; components(weights.lmax)],
            first_angular: vec![0.0; components(weights.lmax)],
            later_angular: (0..weights.later.len()).map(|t| vec![0.0; rows(t)]).collect(),
            first_radial: vec![T::ZERO; (weights.lmax + 1) * weights.channels],
            later_radial: (weights.later.iter())
                .map(|l| vec![T::ZERO; l.paths.len() * weights.channels])
                .collect(),
            densities: vec![0.0; densities],
        }
    }
}

/// The loop over a group's shells, compiled for every instruction set and dispatched at run time.
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
        for pair in &self.group.pairs {
            for shell in &self.operators.active[*pair] {
                let shell = &self.operators.scene.pairs[*pair].shells[*shell];
                self.operators.add(simd, (*pair, shell), self.s, (self.bundle, self.scratch));
            }
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
        bundle.values.fill(T::ZERO);
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

    /// Adds one shell to the operators of its pair.
    #[inline(always)]
    fn add<S: Simd>(
        &self,
        simd: S,
        (pair, shell): (usize, &Shell),
        s: &[f64],
        (bundle, scratch): (&mut Bundle<T>, &mut Scratch<T>),
    ) {
        let r = shell.bonds[0].at(s).norm();
        // Coinciding atoms have no direction; their point gets no energy either.
        if r >= self.scene.cutoff || r < COINCIDENCE {
            return;
        }
        let [a, b] = self.scene.pairs[pair].sites.map(|site| self.geometry.sites[site].element);
        for (layer, radial) in self.weights.later.iter().zip(&mut scratch.later_radial) {
            let table = &layer.tables[a][b];
            table.evaluate(simd, &table.place(r), radial);
        }
        if let Some(densities) = &self.weights.densities {
            let table = &densities[a][b];
            table.evaluate(simd, &table.place(r), &mut scratch.densities);
        }
        let elements = (self.weights.elements[a], self.weights.elements[b]);
        let repulsion = self.weights.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, elements));
        for direction in &self.geometry.pairs[pair].directions {
            let weight = self.angular(direction, shell, s, scratch);
            if weight == 0.0 {
                continue;
            }
            let scalars = &mut bundle.scalars[direction.scalars..][..self.weights.density_count() + 1];
            if let [densities @ .., sum] = scalars {
                *sum += weight * repulsion;
                densities.iter_mut().zip(&scratch.densities).for_each(|(sum, d)| *sum += weight * d);
            }
            let table = &self.weights.first[self.geometry.sites[direction.receiver].element]
                [self.geometry.sites[direction.sender].element];
            table.evaluate(simd, &table.place(r), &mut scratch.first_radial);
            self.add_outer(simd, direction, shell, (scratch, &mut bundle.values));
        }
    }

    /// Sums the angular parts of a shell's bonds in one direction; returns the number of neighbours they stand for.
    #[inline(always)]
    fn angular(&self, direction: &Direction, shell: &Shell, s: &[f64], scratch: &mut Scratch<T>) -> f64 {
        let mut weight = 0.0;
        scratch.first_angular.fill(0.0);
        scratch.later_angular.iter_mut().for_each(|g| g.fill(0.0));
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
        let mut place = 0;
        for (l, basis) in self.geometry.sites[bond.receiver].bases.iter().enumerate() {
            for column in basis.column_iter() {
                let overlap: f64 = column.iter().zip(&y[degree(l)]).map(|(q, y)| q * y).sum();
                scratch.first_angular[place] += bond.weight * overlap;
                place += 1;
            }
        }
        let coupling = self.geometry.coupling(bond.receiver, bond.sender);
        for (sparse, angular) in coupling.layers.iter().zip(&mut scratch.later_angular) {
            for (q, sum) in angular.iter_mut().enumerate().take(sparse.len()) {
                let entries = &sparse.entries[sparse.starts[q]..sparse.starts[q + 1]];
                *sum += bond.weight * entries.iter().map(|(lm, c)| c * y[*lm]).sum::<f64>();
            }
        }
    }

    /// Adds (angular) x (radial) to the operators of a direction.
    #[inline(always)]
    fn add_outer<S: Simd>(
        &self,
        simd: S,
        direction: &Direction,
        shell: &Shell,
        (scratch, values): (&Scratch<T>, &mut [T]),
    ) {
        let channels = self.weights.channels;
        let add =
            |factor: f64, radial: &[T], sum: &mut [T]| add_scaled(simd, T::from_f64(factor), radial, sum);
        let mut rows = values[direction.first..].chunks_exact_mut(channels).zip(&scratch.first_angular);
        for (l, basis) in self.geometry.sites[direction.receiver].bases.iter().enumerate() {
            let radial = &scratch.first_radial[l * channels..][..channels];
            for (row, factor) in rows.by_ref().take(basis.ncols()) {
                add(*factor, radial, row);
            }
        }
        let bond = shell.bonds.iter().find(|b| b.receiver == direction.receiver);
        let Some(bond) = bond else { return };
        let coupling = self.geometry.coupling(bond.receiver, bond.sender);
        for (t, sparse) in coupling.layers.iter().enumerate() {
            let rows = values[direction.later[t]..].chunks_exact_mut(channels);
            for ((row, path), factor) in rows.zip(&sparse.paths).zip(&scratch.later_angular[t]) {
                add(*factor, &scratch.later_radial[t][path * channels..][..channels], row);
            }
        }
    }
}
