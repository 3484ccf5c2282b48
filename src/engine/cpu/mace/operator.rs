//! Pair operators: sums over the bonds of a pair of sites, at given axis values.

use pulp::{Simd, WithSimd};

use super::geometry::{Direction, Geometry, Group};
use super::weights::Weights;
use crate::engine::cpu::real::{add_scaled, vectors_per_lane};
use crate::engine::cpu::table::Place;
use crate::engine::cpu::{LANES, Real, Table};
use crate::engine::{COINCIDENCE, Scene, Shell};
use crate::equivariant::{Harmonics, components};
use crate::landscape::Point;

/// The operators of a group's pairs at one set of axis values.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Bundle<T> {
    pub(in crate::engine) values: Vec<T>,
    pub(in crate::engine) scalars: Vec<f64>,
}

/// What the operators of a pair are made of, at one set of axis values.
#[derive(Clone, Debug)]
pub(super) struct Gathered<T> {
    /// Where the shells within the cutoff lie on the tables.
    places: Vec<Place<T>>,
    /// By direction: `[shell][row]`.
    angular: [Vec<T>; 2],
    /// By direction: `[density columns]` and the repulsion.
    pub(super) scalars: Vec<f64>,
}

impl<T: Real> Gathered<T> {
    /// Nothing yet.
    pub(super) fn new() -> Gathered<T> {
        Gathered { places: Vec::new(), angular: [Vec::new(), Vec::new()], scalars: Vec::new() }
    }
}

/// Takes operator rows, some neighbouring vectors of channels at a time.
pub(super) trait Sink<T: Real> {
    /// The vectors from the k-th on of a direction's row.
    fn take<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        direction: &Direction,
        place: (usize, usize),
        values: [T::Vector<S>; N],
    );
}

/// Writes rows into a bundle.
struct Store<'a, T> {
    values: &'a mut [T],
    channels: usize,
}

impl<T: Real> Sink<T> for Store<'_, T> {
    #[inline(always)]
    fn take<S: Simd, const N: usize>(
        &mut self,
        _: S,
        direction: &Direction,
        (row, k): (usize, usize),
        values: [T::Vector<S>; N],
    ) {
        let out = &mut self.values[direction.first + row * self.channels..][..self.channels];
        T::vectors_mut::<S>(out)[k..k + N].copy_from_slice(&values);
    }
}

/// Builds operators of a scene.
pub(in crate::engine) struct Operators<'a, T> {
    scene: &'a Scene,
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    harmonics: Harmonics,
    /// Indices of each pair's shells that may be within the cutoff.
    active: Vec<Vec<usize>>,
    arch: pulp::Arch,
}

/// Buffers of a thread.
pub(super) struct Scratch<T> {
    harmonics: Vec<f64>,
    /// Angular parts of one shell: `[row]`, padded.
    sums: Vec<f64>,
    /// `[density column]`, padded.
    densities: Vec<f64>,
    /// `[shell]`, a strip of channels each.
    radial: Vec<T>,
}

/// Vectors of channels that are summed at once, in registers.
const STRIP: usize = 4;

impl<T: Real> Scratch<T> {
    pub(super) fn new(geometry: &Geometry<T>, weights: &Weights<T>) -> Scratch<T> {
        let densities = weights.densities.as_ref().map_or(0, |tables| tables[0][0].columns());
        let directions = geometry.pairs.iter().flat_map(|p| &p.directions);
        Scratch {
            harmonics: vec![0.0; components(weights.lmax)],
            sums: vec![0.0; directions.map(|d| d.targets.len()).max().unwrap_or(0).next_multiple_of(LANES)],
            densities: vec![0.0; densities],
            radial: Vec::new(),
        }
    }
}

/// Gathers a group's pairs with the vectors of the machine.
struct GatherGroup<'a, 'b, T> {
    operators: &'a Operators<'b, T>,
    group: &'a Group,
    s: &'a [f64],
    gathered: &'a mut [Gathered<T>],
    scratch: &'a mut Scratch<T>,
}

impl<T: Real> WithSimd for GatherGroup<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for pair in &self.group.pairs {
            let gathered = &mut self.gathered[*pair];
            self.operators.gather(simd, *pair, self.s, (gathered, self.scratch));
        }
    }
}

/// Builds a bundle with the vectors of the machine.
struct Build<'a, 'b, T> {
    operators: &'a Operators<'b, T>,
    group: &'a Group,
    s: &'a [f64],
    bundle: &'a mut Bundle<T>,
}

impl<T: Real> WithSimd for Build<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Build { operators, group, s, bundle } = self;
        let (mut gathered, mut scratch) =
            (Gathered::new(), Scratch::new(operators.geometry, operators.weights));
        for pair in &group.pairs {
            operators.gather(simd, *pair, s, (&mut gathered, &mut scratch));
            for (d, direction) in operators.geometry.pairs[*pair].directions.iter().enumerate() {
                let count = gathered.scalars.len() / operators.geometry.pairs[*pair].directions.len();
                bundle.scalars[direction.scalars..][..count]
                    .copy_from_slice(&gathered.scalars[d * count..][..count]);
            }
            let mut sink = Store { values: &mut bundle.values, channels: operators.weights.channels };
            for t in 0..operators.weights.layers.len() {
                operators.rows(simd, (*pair, t), &gathered, (&mut scratch, &mut sink));
            }
        }
    }
}

impl<'a, T: Real> Operators<'a, T> {
    /// For any points of the scene.
    pub(in crate::engine) fn new(
        scene: &'a Scene,
        geometry: &'a Geometry<T>,
        weights: &'a Weights<T>,
    ) -> Self {
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

    /// The operators of a group at the axis values `s`.
    pub(in crate::engine) fn bundle(&self, group: usize, s: &[f64]) -> Bundle<T> {
        let group = &self.geometry.groups[group];
        let mut bundle = Bundle { values: vec![T::ZERO; group.values], scalars: vec![0.0; group.scalars] };
        self.arch.dispatch(Build { operators: self, group, s, bundle: &mut bundle });
        bundle
    }

    /// Collects the shells of a group's pairs at the axis values `s`, into one entry a pair of the scene.
    pub(super) fn gather_group(
        &self,
        group: usize,
        s: &[f64],
        gathered: &mut [Gathered<T>],
        scratch: &mut Scratch<T>,
    ) {
        let group = &self.geometry.groups[group];
        self.arch.dispatch(GatherGroup { operators: self, group, s, gathered, scratch });
    }

    /// Collects a pair's shells within the cutoff at the axis values `s`.
    #[inline(always)]
    pub(super) fn gather<S: Simd>(
        &self,
        simd: S,
        pair: usize,
        s: &[f64],
        (gathered, scratch): (&mut Gathered<T>, &mut Scratch<T>),
    ) {
        let directions = &self.geometry.pairs[pair].directions;
        let count = self.weights.density_count() + 1;
        gathered.places.clear();
        gathered.angular.iter_mut().for_each(Vec::clear);
        gathered.scalars.clear();
        gathered.scalars.resize(directions.len() * count, 0.0);
        let [a, b] = self.scene.pairs[pair].sites.map(|site| self.geometry.sites[site].element);
        let elements = (self.weights.elements[a], self.weights.elements[b]);
        for shell in self.active[pair].iter().map(|k| &self.scene.pairs[pair].shells[*k]) {
            let r = shell.bonds[0].at(s).norm();
            // Coinciding atoms have no direction; their point gets no energy either.
            if r >= self.scene.cutoff || r < COINCIDENCE {
                continue;
            }
            gathered.places.push(self.weights.first[a][b].place(r));
            if let Some(densities) = &self.weights.densities {
                let table = &densities[a][b];
                let place = table.place(r);
                for (k, out) in f64::vectors_mut::<S>(&mut scratch.densities).iter_mut().enumerate() {
                    [*out] = table.strip(simd, &place, k);
                }
            }
            let repulsion = self.weights.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, elements));
            for (d, direction) in directions.iter().enumerate() {
                let weight = self.angular(simd, (direction, shell), s, scratch);
                let rows = &scratch.sums[..direction.targets.len()];
                gathered.angular[d].extend(rows.iter().map(|g| T::from_f64(*g)));
                if let [densities @ .., sum] = &mut gathered.scalars[d * count..][..count] {
                    *sum += weight * repulsion;
                    densities.iter_mut().zip(&scratch.densities).for_each(|(sum, d)| *sum += weight * d);
                }
            }
        }
    }

    /// Sums the angular parts of a shell's bonds in one direction; returns the number of neighbours they stand for.
    #[inline(always)]
    fn angular<S: Simd>(
        &self,
        simd: S,
        (direction, shell): (&Direction, &Shell),
        s: &[f64],
        scratch: &mut Scratch<T>,
    ) -> f64 {
        let mut weight = 0.0;
        let sums = &mut scratch.sums[..direction.targets.len().next_multiple_of(LANES)];
        sums.fill(0.0);
        for bond in shell.bonds.iter().filter(|b| b.receiver == direction.receiver) {
            weight += bond.weight;
            self.harmonics.evaluate(&bond.at(s).normalize(), &mut scratch.harmonics);
            let columns = self.geometry.coupling(bond.receiver, bond.sender).columns();
            for (column, y) in columns.zip(&scratch.harmonics) {
                add_scaled(simd, bond.weight * y, column, sums);
            }
        }
        weight
    }

    /// Gives the rows of a layer of a pair's operators to a sink: sums of (angular) x (radial) over the shells.
    #[inline(always)]
    pub(super) fn rows<S: Simd, K: Sink<T>>(
        &self,
        simd: S,
        (pair, t): (usize, usize),
        gathered: &Gathered<T>,
        (scratch, sink): (&mut Scratch<T>, &mut K),
    ) {
        let directions = &self.geometry.pairs[pair].directions;
        let [a, b] = self.scene.pairs[pair].sites.map(|site| self.geometry.sites[site].element);
        for (column, block) in self.geometry.blocks(t).enumerate() {
            let mut rows = Rows { simd, gathered, block, column, table: &self.weights.first[a][b] };
            if t > 0 {
                rows.table = &self.weights.later[t - 1].tables[a][b];
                self.strips(rows, (directions, 0), (scratch, sink));
                continue;
            }
            // Functions of layer 0 depend on the order of the elements, if they differ.
            if a == b {
                self.strips(rows, (directions, 0), (scratch, sink));
                continue;
            }
            for (d, direction) in directions.iter().enumerate() {
                let [a, b] = [direction.receiver, direction.sender].map(|s| self.geometry.sites[s].element);
                rows.table = &self.weights.first[a][b];
                self.strips(rows, (std::slice::from_ref(direction), d), (scratch, sink));
            }
        }
    }

    /// Rows of some directions, of which the first has the given index, with one radial function.
    #[inline(always)]
    fn strips<S: Simd, K: Sink<T>>(
        &self,
        rows: Rows<T, S>,
        directions: (&[Direction], usize),
        (scratch, sink): (&mut Scratch<T>, &mut K),
    ) {
        let width = self.weights.channels / LANES * vectors_per_lane::<T, S>();
        let mut k = 0;
        while k + STRIP <= width {
            rows.strip::<K, STRIP>((k, width), directions, (&mut scratch.radial, sink));
            k += STRIP;
        }
        while k < width {
            rows.strip::<K, 1>((k, width), directions, (&mut scratch.radial, sink));
            k += 1;
        }
    }
}

/// Operator rows with one radial function.
#[derive(Clone, Copy)]
struct Rows<'a, T, S> {
    simd: S,
    gathered: &'a Gathered<T>,
    /// Which of a direction's blocks.
    block: usize,
    /// The radial function: a table and which block of its columns.
    table: &'a Table<T>,
    column: usize,
}

impl<T: Real, S: Simd> Rows<'_, T, S> {
    /// The vectors from the k-th on, of `width` in a row.
    #[inline(always)]
    fn strip<K: Sink<T>, const N: usize>(
        &self,
        (k, width): (usize, usize),
        (directions, first): (&[Direction], usize),
        (radial, sink): (&mut Vec<T>, &mut K),
    ) {
        let places = &self.gathered.places;
        radial.resize(places.len() * N * size_of::<T::Vector<S>>() / size_of::<T>(), T::ZERO);
        let radial = T::vectors_mut::<S>(radial);
        for (place, out) in places.iter().zip(radial.chunks_exact_mut(N)) {
            let strip = self.table.strip::<S, N>(self.simd, place, self.column * width + k);
            out.copy_from_slice(&strip);
        }
        for (d, direction) in directions.iter().enumerate() {
            for row in direction.blocks[self.block].clone() {
                let angular = self.gathered.angular[first + d].iter().skip(row);
                let angular = angular.step_by(direction.targets.len().max(1));
                let mut sums = [T::splat(self.simd, T::ZERO); N];
                for (factor, radial) in angular.zip(radial.chunks_exact(N)) {
                    let factor = T::splat(self.simd, *factor);
                    for i in 0..N {
                        sums[i] = T::multiply_add(self.simd, factor, radial[i], sums[i]);
                    }
                }
                sink.take(self.simd, direction, (row, k), sums);
            }
        }
    }
}
