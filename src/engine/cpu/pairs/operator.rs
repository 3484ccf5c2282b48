//! Pair operators: sums over the bonds of a pair of sites, at given axis values.

use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::geometry::{Direction, Geometry, Group, Rows};
use super::{Interactions, Scalars};
use crate::crystal::Element;
use crate::engine::cpu::real::{add_scaled, vectors_per_lane};
use crate::engine::cpu::table::Place as RadialPlace;
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
    /// Where the spheres within the cutoff lie on the tables.
    places: Vec<RadialPlace<T>>,
    /// By direction: `[sphere][row]`.
    angular: [Vec<T>; 2],
    /// By direction, see [`Scalars`].
    pub(super) scalars: Vec<f64>,
}

impl<T: Real> Gathered<T> {
    /// Nothing yet.
    pub(super) fn new() -> Gathered<T> {
        Gathered { places: Vec::new(), angular: [Vec::new(), Vec::new()], scalars: Vec::new() }
    }
}

/// Where operator rows of one component of l3 belong: layer, path, component, and the first of some vectors of columns.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) direction: &'a Direction,
    pub(super) layer: usize,
    pub(super) path: usize,
    pub(super) component: usize,
    pub(super) first: usize,
}

/// Takes operator rows, some neighbouring vectors of columns at a time, by components of l1.
pub(super) trait Sink<T: Real> {
    /// What the rows at a place are taken into.
    fn begin<S: Simd, const N: usize>(&mut self, simd: S, place: &Place) -> [T::Vector<S>; N];

    /// Takes the row of a component of l1.
    fn take<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        place: (&Place, usize),
        values: [T::Vector<S>; N],
        sums: &mut [T::Vector<S>; N],
    );

    /// After all components.
    fn end<S: Simd, const N: usize>(&mut self, place: &Place, sums: [T::Vector<S>; N]);
}

/// Writes rows into a bundle.
struct Store<'a, T> {
    values: &'a mut [T],
    interactions: &'a Interactions<T>,
}

impl<T: Real> Sink<T> for Store<'_, T> {
    #[inline(always)]
    fn begin<S: Simd, const N: usize>(&mut self, simd: S, _: &Place) -> [T::Vector<S>; N] {
        [T::splat(simd, T::ZERO); N]
    }

    #[inline(always)]
    fn take<S: Simd, const N: usize>(
        &mut self,
        _: S,
        (place, m1): (&Place, usize),
        values: [T::Vector<S>; N],
        _: &mut [T::Vector<S>; N],
    ) {
        let Place { direction, layer, path, component, first: k } = *place;
        let Rows { first, shape, .. } = direction.blocks[layer][path];
        let width = self.interactions.layers[layer].paths[path].width;
        let start = direction.first + first + (component * shape[1] + m1) * width;
        T::vectors_mut::<S>(&mut self.values[start..][..width])[k..k + N].copy_from_slice(&values);
    }

    #[inline(always)]
    fn end<S: Simd, const N: usize>(&mut self, _: &Place, _: [T::Vector<S>; N]) {}
}

/// Builds operators of a scene.
pub(in crate::engine) struct Operators<'a, T> {
    scene: &'a Scene,
    pub(in crate::engine) geometry: &'a Geometry,
    pub(super) interactions: &'a Interactions<T>,
    harmonics: Harmonics,
    /// Indices of each pair's spheres that may be within the cutoff.
    active: Vec<Vec<usize>>,
    pub(super) arch: pulp::Arch,
}

/// Buffers of a thread.
pub struct Scratch<T> {
    harmonics: Vec<f64>,
    /// Angular parts of one sphere: `[row]`, padded.
    sums: Vec<f64>,
    /// Of one sphere, see [`Scalars`]; padded.
    scalars: Vec<f64>,
    /// `[sphere]`, a strip of columns each.
    radial: Vec<T>,
}

impl<T: Real> Scratch<T> {
    pub(super) fn new(geometry: &Geometry, of: &Interactions<T>) -> Scratch<T> {
        let rows = geometry.pairs.iter().flat_map(|p| &p.directions).map(|d| d.angular).max().unwrap_or(0);
        Scratch {
            harmonics: vec![0.0; components(of.lmax)],
            sums: vec![0.0; rows.next_multiple_of(LANES)],
            scalars: vec![0.0; of.scalar_count().next_multiple_of(LANES)],
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
            self.operators.gather(simd, *pair, self.s, (&mut self.gathered[*pair], self.scratch));
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
        let (geometry, interactions) = (operators.geometry, operators.interactions);
        let (mut gathered, mut scratch) = (Gathered::new(), Scratch::new(geometry, interactions));
        let count = interactions.scalar_count();
        for pair in &group.pairs {
            operators.gather(simd, *pair, s, (&mut gathered, &mut scratch));
            for (d, direction) in geometry.pairs[*pair].directions.iter().enumerate() {
                let sums = &gathered.scalars[d * count..][..count];
                bundle.scalars[direction.scalars..][..count].copy_from_slice(sums);
            }
            let mut sink = Store { values: &mut bundle.values, interactions };
            for t in 0..interactions.layers.len() {
                operators.rows(simd, (*pair, t), &gathered, (&mut scratch, &mut sink));
            }
        }
    }
}

impl Scalars {
    /// All of them at a distance between two elements.
    #[inline(always)]
    fn evaluate<S: Simd>(
        &self,
        simd: S,
        ([a, b], elements): ([usize; 2], &[Element]),
        r: f64,
        out: &mut [f64],
    ) {
        if let Some(densities) = &self.densities {
            let table = &densities[a][b];
            let place = table.place(r);
            for (k, out) in f64::vectors_mut::<S>(&mut out[..table.columns()]).iter_mut().enumerate() {
                [*out] = table.strip(simd, &place, k);
            }
        }
        let repulsion = self.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, (elements[a], elements[b])));
        out[self.density_count] = repulsion;
    }
}

impl<'a, T: Real> Operators<'a, T> {
    /// For any points of the scene.
    pub(in crate::engine) fn new(
        scene: &'a Scene,
        geometry: &'a Geometry,
        interactions: &'a Interactions<T>,
    ) -> Self {
        let active = geometry.pairs.iter().map(|p| (0..p.spheres.len()).collect()).collect();
        let harmonics = Harmonics::new(interactions.lmax);
        Operators { scene, geometry, interactions, harmonics, active, arch: pulp::Arch::new() }
    }

    /// For some points: spheres that are beyond the cutoff at all of them are not looked at again.
    pub(super) fn within(
        scene: &'a Scene,
        geometry: &'a Geometry,
        interactions: &'a Interactions<T>,
        points: &[Point],
    ) -> Self {
        let mut operators = Self::new(scene, geometry, interactions);
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
        for (pair, active) in operators.active.iter_mut().enumerate() {
            active.retain(|sphere| {
                let bond = geometry.pairs[pair].bond(&scene.pairs[pair], *sphere);
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

    /// Collects the spheres of a group's pairs at the axis values `s`, into one entry a pair of the scene.
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

    /// Collects a pair's spheres within the cutoff at the axis values `s`.
    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        index: usize,
        s: &[f64],
        (gathered, scratch): (&mut Gathered<T>, &mut Scratch<T>),
    ) {
        let (pair, geometry) = (&self.scene.pairs[index], &self.geometry.pairs[index]);
        let [a, b] = self.geometry.elements(pair);
        let count = self.interactions.scalar_count();
        gathered.places.clear();
        gathered.angular.iter_mut().for_each(Vec::clear);
        gathered.scalars.clear();
        gathered.scalars.resize(geometry.directions.len() * count, 0.0);
        for sphere in &self.active[index] {
            let r = geometry.bond(pair, *sphere).at(s).norm();
            // Coinciding atoms have no direction; their point gets no energy either.
            if r >= self.scene.cutoff || r < COINCIDENCE {
                continue;
            }
            gathered.places.push(self.interactions.layers[0].tables[a][b].place(r));
            if let Some(scalars) = &self.interactions.scalars {
                scalars.evaluate(simd, ([a, b], &self.interactions.elements), r, &mut scratch.scalars);
            }
            for (d, direction) in geometry.directions.iter().enumerate() {
                let sums = &mut scratch.sums[..direction.angular.next_multiple_of(LANES)];
                sums.fill(0.0);
                let mut weight = 0.0;
                for shell in geometry.shells(pair, *sphere) {
                    let arrays = (&mut scratch.harmonics[..], &mut *sums);
                    weight += self.angular(simd, (direction.receiver, shell), s, arrays);
                }
                let rows = &scratch.sums[..direction.angular];
                gathered.angular[d].extend(rows.iter().map(|g| T::from_f64(*g)));
                let own = &mut gathered.scalars[d * count..][..count];
                own.iter_mut().zip(&scratch.scalars).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }

    /// Adds the angular parts of a shell's bonds into one of its sites; returns the number of neighbours that they
    /// stand for.
    #[inline(always)]
    fn angular<S: Simd>(
        &self,
        simd: S,
        (receiver, shell): (usize, &Shell),
        s: &[f64],
        (harmonics, sums): (&mut [f64], &mut [f64]),
    ) -> f64 {
        let mut weight = 0.0;
        for bond in shell.bonds.iter().filter(|b| b.receiver == receiver) {
            weight += bond.weight;
            self.harmonics.evaluate(&bond.at(s).normalize(), harmonics);
            let columns = self.geometry.couplings.of(bond).columns();
            for (column, y) in columns.zip(harmonics.iter()) {
                add_scaled(simd, bond.weight * y, column, sums);
            }
        }
        weight
    }

    /// Gives the rows of a layer of a pair's operators to a sink: sums of (angular) x (radial) over the spheres.
    #[inline(always)]
    pub(super) fn rows<S: Simd, K: Sink<T>>(
        &self,
        simd: S,
        (pair, layer): (usize, usize),
        gathered: &Gathered<T>,
        (scratch, sink): (&mut Scratch<T>, &mut K),
    ) {
        let directions = &self.geometry.pairs[pair].directions;
        let [a, b] = self.geometry.elements(&self.scene.pairs[pair]);
        let tables =
            [&self.interactions.layers[layer].tables[a][b], &self.interactions.layers[layer].tables[b][a]];
        let share = Arc::ptr_eq(tables[0], tables[1]);
        for path in 0..self.interactions.layers[layer].paths.len() {
            let mut rows = PathRows { simd, gathered, layer, path, table: tables[0] };
            if share {
                self.strips(rows, (directions, 0), (scratch, sink));
                continue;
            }
            for (d, direction) in directions.iter().enumerate() {
                rows.table = tables[d];
                self.strips(rows, (std::slice::from_ref(direction), d), (scratch, sink));
            }
        }
    }

    /// Rows of some directions, of which the first has the given index, with one radial function.
    #[inline(always)]
    fn strips<S: Simd, K: Sink<T>>(
        &self,
        rows: PathRows<T, S>,
        directions: (&[Direction], usize),
        (scratch, sink): (&mut Scratch<T>, &mut K),
    ) {
        let columns = &self.interactions.layers[rows.layer].paths[rows.path];
        let vectors = |columns: usize| columns / LANES * vectors_per_lane::<T, S>();
        let (first, width) = (vectors(columns.column), vectors(columns.width));
        let mut k = 0;
        while k + 4 <= width {
            rows.strip::<K, 4>((first, k), directions, (&mut scratch.radial, sink));
            k += 4;
        }
        while k + 2 <= width {
            rows.strip::<K, 2>((first, k), directions, (&mut scratch.radial, sink));
            k += 2;
        }
        while k < width {
            rows.strip::<K, 1>((first, k), directions, (&mut scratch.radial, sink));
            k += 1;
        }
    }
}

/// Operator rows of a path.
#[derive(Clone, Copy)]
struct PathRows<'a, T, S> {
    simd: S,
    gathered: &'a Gathered<T>,
    layer: usize,
    path: usize,
    table: &'a Table<T>,
}

impl<T: Real, S: Simd> PathRows<'_, T, S> {
    /// The vectors from the k-th on; the path's begin with the `first` of the table.
    #[inline(always)]
    fn strip<K: Sink<T>, const N: usize>(
        &self,
        (first, k): (usize, usize),
        (directions, offset): (&[Direction], usize),
        (radial, sink): (&mut Vec<T>, &mut K),
    ) {
        let places = &self.gathered.places;
        radial.resize(places.len() * N * size_of::<T::Vector<S>>() / size_of::<T>(), T::ZERO);
        let radial = T::vectors_mut::<S>(radial);
        for (place, out) in places.iter().zip(radial.chunks_exact_mut(N)) {
            out.copy_from_slice(&self.table.strip::<S, N>(self.simd, place, first + k));
        }
        for (d, direction) in directions.iter().enumerate() {
            let Rows { angular, shape: [n3, n1], .. } = direction.blocks[self.layer][self.path];
            let parts = &self.gathered.angular[offset + d];
            for component in 0..n3 {
                let place = Place { direction, layer: self.layer, path: self.path, component, first: k };
                let mut taken = sink.begin(self.simd, &place);
                for m1 in 0..n1 {
                    let row = angular + component * n1 + m1;
                    let factors = parts.chunks_exact(direction.angular).map(|parts| parts[row]);
                    let mut sums = [T::splat(self.simd, T::ZERO); N];
                    for (factor, radial) in factors.zip(radial.chunks_exact(N)) {
                        let factor = T::splat(self.simd, factor);
                        for i in 0..N {
                            sums[i] = T::multiply_add(self.simd, factor, radial[i], sums[i]);
                        }
                    }
                    sink.take(self.simd, (&place, m1), sums, &mut taken);
                }
                sink.end::<S, N>(&place, taken);
            }
        }
    }
}
