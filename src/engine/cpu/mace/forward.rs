//! Pair operators -> energies, for a block of points at once.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::contraction::{GROUP, Quad};
use super::geometry::{BLOCK, Direction, Geometry, Term};
use super::operator::{Bundle, Gathered, Operators, Scratch, Sink};
use super::weights::{HeadReadout, Weights};
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real, multiply};
use crate::potential::mace::silu;

/// Arrays of a block, `[row][point][channel]`; rows as in [`Geometry`].
pub(super) struct Workspace<T> {
    /// Messages of a later layer before its linear map, as [`super::geometry::PathRows`] says.
    paths: Vec<T>,
    /// A, all degrees.
    messages: Vec<T>,
    /// B of the layer.
    products: Vec<T>,
    /// Features of each layer.
    features: Vec<Vec<T>>,
    /// u of the layer.
    up: Vec<T>,
    hidden: Vec<T>,
    /// `[site][point]`: 1 / (1 + density) and the sum of readouts.
    normalisers: Vec<T>,
    readouts: Vec<f64>,
    arch: pulp::Arch,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(geometry: &Geometry<T>, weights: &Weights<T>) -> Self {
        let unit = BLOCK * weights.channels;
        let zeros = |count: usize| vec![T::ZERO; count];
        let paths = geometry.path_rows.iter().filter_map(|r| r.bases.last()).max();
        let features = geometry.features.iter().map(|r| r.total).max().unwrap_or(0);
        let units = |r: &HeadReadout<T>| match r {
            HeadReadout::Linear(..) => 0,
            HeadReadout::Hidden { first, .. } => first.outputs,
        };
        let sites = geometry.sites.len();
        Workspace {
            paths: zeros(paths.unwrap_or(&0) * weights.channels),
            messages: zeros(geometry.messages.total * unit),
            products: zeros(features * unit),
            features: geometry.features.iter().map(|r| zeros(r.total * unit)).collect(),
            up: zeros(features * unit),
            hidden: zeros(weights.readouts.iter().map(units).max().unwrap_or(0) * sites * BLOCK),
            normalisers: zeros(sites * BLOCK),
            readouts: vec![0.0; sites * BLOCK],
            arch: pulp::Arch::new(),
        }
    }
}

/// The rows of an array that belong to a range.
fn rows(range: Range<usize>, unit: usize) -> Range<usize> {
    range.start * unit..range.end * unit
}

/// At most [`BLOCK`] points, and what their pair operators come from. A block that is not full leaves rows of the
/// arrays unused: products keep their shape, and so their bits.
pub(super) struct Block<'a, T> {
    pub(super) operators: &'a Operators<'a, T>,
    pub(super) geometry: &'a Geometry<T>,
    pub(super) weights: &'a Weights<T>,
    /// By point and group of pairs: operators that are kept.
    pub(super) kept: Vec<Vec<Option<&'a Bundle<T>>>>,
    /// By point and pair: of the pairs whose operators are not kept.
    pub(super) gathered: &'a [Vec<Gathered<T>>],
    /// These pairs, in the order of [`Geometry::order`].
    pub(super) direct: &'a [usize],
    /// Directions of kept operators, group by group as in [`Geometry::keepable`]; empty if none are kept.
    pub(super) directions: Vec<(usize, &'a Direction)>,
}

/// Energies per atom of a block of points.
pub(super) fn energies<T: Real>(
    block: &Block<T>,
    workspace: &mut Workspace<T>,
    scratch: &mut Scratch<T>,
) -> Vec<f64> {
    let arch = workspace.arch;
    workspace.readouts.fill(0.0);
    for t in 0..block.weights.layers.len() {
        block.normalise(workspace, t);
        if t > 0 {
            block.up(workspace, t);
        }
        arch.dispatch(Loop::Messages(block, workspace, scratch, t));
        if t > 0 {
            block.linear(workspace, t);
        }
        arch.dispatch(Loop::Contract(block, workspace, t));
        block.update(workspace, t);
        block.readout(workspace, t);
    }
    (0..block.points()).map(|p| block.energy(workspace, p)).collect()
}

/// Loops that are compiled for every instruction set and dispatched at run time.
enum Loop<'a, 'b, T> {
    Messages(&'a Block<'b, T>, &'a mut Workspace<T>, &'a mut Scratch<T>, usize),
    Contract(&'a Block<'b, T>, &'a mut Workspace<T>, usize),
}

impl<T: Real> WithSimd for Loop<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self {
            Loop::Messages(block, workspace, scratch, t) => block.messages(simd, workspace, scratch, t),
            Loop::Contract(block, workspace, t) => block.contract(simd, workspace, t),
        }
    }
}

/// Adds operator rows to the messages of a point, as [`super::geometry::Target`] says.
struct Add<'a, T> {
    /// Features, which layer 0 does without.
    up: Option<&'a [T]>,
    sums: &'a mut [T],
    channels: usize,
    point: usize,
}

impl<T: Real> Sink<T> for Add<'_, T> {
    #[inline(always)]
    fn take<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        direction: &Direction,
        (row, k): (usize, usize),
        values: [T::Vector<S>; N],
    ) {
        let target = &direction.targets[row];
        let start = (target.start + target.stride * self.point) * self.channels;
        let out = &mut T::vectors_mut::<S>(&mut self.sums[start..][..self.channels])[k..k + N];
        match self.up {
            Some(up) => {
                let feature = &up[(target.feature + self.point) * self.channels..][..self.channels];
                let feature = &T::vectors::<S>(feature)[k..k + N];
                for i in 0..N {
                    out[i] = T::multiply_add(simd, values[i], feature[i], out[i]);
                }
            }
            None => {
                for i in 0..N {
                    out[i] = <T as Real>::add(simd, out[i], values[i]);
                }
            }
        }
    }
}

impl<'a, T: Real> Block<'a, T> {
    fn points(&self) -> usize {
        self.kept.len()
    }

    /// A scalar of a site: the sum over what comes in, where 0, 1, ... are the densities and the last the repulsion.
    fn scalar(&self, point: usize, site: usize, index: usize) -> f64 {
        let count = self.weights.density_count() + 1;
        let of = |(pair, d): &(usize, usize)| {
            let geometry = &self.geometry.pairs[*pair];
            match self.kept[point][geometry.group] {
                Some(bundle) => bundle.scalars[geometry.directions[*d].scalars + index],
                None => self.gathered[point][*pair].scalars[d * count + index],
            }
        };
        self.geometry.incoming[site].iter().map(of).sum()
    }

    /// Vectors of a row of channels.
    fn vectors<S: Simd>(&self) -> usize {
        self.weights.channels / LANES * vectors_per_lane::<T, S>()
    }

    /// 1 / (1 + density) of every site, or 1.
    fn normalise(&self, workspace: &mut Workspace<T>, t: usize) {
        let Some(column) = self.weights.density_column[t] else {
            workspace.normalisers.fill(T::ONE);
            return;
        };
        for site in 0..self.geometry.sites.len() {
            for point in 0..self.points() {
                let density = self.scalar(point, site, column);
                workspace.normalisers[site * BLOCK + point] = T::from_f64(1.0 / (1.0 + density));
            }
        }
    }

    /// A of layer 0, or the messages of a later layer by paths: sums over kept operators, to which the others are
    /// added pair by pair. The order is the same whether operators are kept or not, and so are the bits.
    #[inline(always)]
    fn messages<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, scratch: &mut Scratch<T>, t: usize) {
        let channels = self.weights.channels;
        let Workspace { messages, paths, up, .. } = workspace;
        let (up, sums) = if t == 0 { (None, messages) } else { (Some(&up[..]), paths) };
        match self.directions.is_empty() {
            true => sums.fill(T::ZERO),
            false => self.apply_kept(simd, t, up, sums),
        }
        for (point, pair) in (0..self.points()).flat_map(|p| self.direct.iter().map(move |k| (p, *k))) {
            let mut sink = Add { up, sums, channels, point };
            let gathered = &self.gathered[point][pair];
            self.operators.rows(simd, (pair, t), gathered, (scratch, &mut sink));
        }
    }

    /// Messages of a layer from the operators that are kept.
    #[inline(always)]
    fn apply_kept<S: Simd>(&self, simd: S, t: usize, up: Option<&[T]>, out: &mut [T]) {
        let (out, width) = (T::vectors_mut::<S>(out), self.vectors::<S>());
        let up = up.map(|up| T::vectors::<S>(up));
        let operator =
            |(bundles, (group, direction)): (&Vec<Option<&'a Bundle<T>>>, &(usize, &Direction))| {
                let values = bundles[*group].map_or(&[][..], |bundle| &bundle.values[direction.first..]);
                T::vectors::<S>(values)
            };
        // [point][direction]
        let operators: Vec<_> =
            self.kept.iter().flat_map(|b| self.directions.iter().map(move |d| operator((b, d)))).collect();
        let application = &self.geometry.applications[t];
        for output in &application.outputs {
            let terms = &application.terms[output.terms.clone()];
            for (point, operators) in operators.chunks_exact(self.directions.len()).enumerate() {
                let sums = Sums::<T, S> { simd, terms, operators, up, point, width };
                let out = &mut out[(output.start + output.stride * point) * width..][..width];
                let mut k = 0;
                while k + 4 <= width {
                    sums.write::<4>(k, out);
                    k += 4;
                }
                while k < width {
                    sums.write::<1>(k, out);
                    k += 1;
                }
            }
        }
    }

    /// u = h up.
    fn up(&self, workspace: &mut Workspace<T>, t: usize) {
        let unit = BLOCK * self.weights.channels;
        let map = &self.geometry.features[t - 1];
        for (k, matrix) in self.weights.later[t - 1].up.iter().enumerate() {
            let range = rows(map.of_degree(k), unit);
            let input = &workspace.features[t - 1][range.clone()];
            multiply(input, matrix, &mut workspace.up[range], false);
        }
        self.add_constant(&self.weights.later[t - 1].up_constant, t - 1, &mut workspace.up);
    }

    /// A of a later layer.
    fn linear(&self, workspace: &mut Workspace<T>, t: usize) {
        let unit = BLOCK * self.weights.channels;
        let layer = &self.weights.later[t - 1];
        let paths = &self.geometry.path_rows[t - 1];
        for (l3, matrices) in layer.linear.iter().enumerate() {
            let all = self.geometry.messages.of_degree(l3);
            let (base, width) = (paths.bases[l3], paths.widths[l3]);
            for (index, sites) in self.geometry.sites_by_element.iter() {
                let matrix = if matrices.len() == 1 { &matrices[0] } else { &matrices[*index] };
                let target = self.geometry.messages.of_sites(l3, sites.clone());
                let source = base + (target.start - all.start) * BLOCK * width
                    ..base + (target.end - all.start) * BLOCK * width;
                let out = &mut workspace.messages[rows(target, unit)];
                multiply(&workspace.paths[rows(source, self.weights.channels)], matrix, out, false);
            }
        }
    }

    /// B: the symmetric contractions of all sites.
    #[inline(always)]
    fn contract<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, t: usize) {
        let map = &self.geometry.features[t];
        let messages = T::vectors::<S>(&workspace.messages);
        let width = self.vectors::<S>();
        let products = T::vectors_mut::<S>(&mut workspace.products);
        let mut inputs: Vec<Quad<T, S>> = Vec::with_capacity(self.geometry.messages.total);
        let groups = (0..self.points()).step_by(GROUP);
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            for (k, first) in (0..width).flat_map(|k| groups.clone().map(move |p| (k, p))) {
                inputs.clear();
                for row in (0..=self.weights.lmax).flat_map(|l| self.geometry.messages.of(l, site)) {
                    // No closure: what is not inlined is compiled without the vectors' instructions.
                    let mut input = [T::splat(simd, T::ZERO); GROUP];
                    for (p, value) in input.iter_mut().enumerate() {
                        let factor = T::splat(simd, workspace.normalisers[site * BLOCK + first + p]);
                        *value = T::multiply(simd, messages[(row * BLOCK + first + p) * width + k], factor);
                    }
                    inputs.push(input);
                }
                for (degree, contraction) in geometry.contractions[t].iter().enumerate() {
                    for (m, row) in map.of(degree, site).enumerate() {
                        let result = contraction.evaluate(simd, m, k, &inputs);
                        for (p, values) in result.into_iter().enumerate() {
                            products[(row * BLOCK + first + p) * width + k] = values;
                        }
                    }
                }
            }
        }
    }

    /// h' = B product + self-connection.
    fn update(&self, workspace: &mut Workspace<T>, t: usize) {
        let unit = BLOCK * self.weights.channels;
        let layer = &self.weights.layers[t];
        let map = &self.geometry.features[t];
        let (earlier, current) = workspace.features.split_at_mut(t);
        let out = &mut current[0];
        for (k, matrix) in layer.product.iter().enumerate() {
            let range = rows(map.of_degree(k), unit);
            multiply(&workspace.products[range.clone()], matrix, &mut out[range], false);
        }
        if layer.product.is_empty() {
            let count = out.len();
            out.copy_from_slice(&workspace.products[..count]);
        }
        self.add_constant(&layer.constant, t, out);
        let Some(input) = earlier.last() else { return };
        for (l, matrices) in &layer.skip {
            let input_map = &self.geometry.features[t - 1];
            let (Some(from), Some(to)) = (input_map.position(*l), map.position(*l)) else { continue };
            for (element, sites) in self.geometry.sites_by_element.iter() {
                let source = &input[rows(input_map.of_sites(from, sites.clone()), unit)];
                let target = &mut out[rows(map.of_sites(to, sites.clone()), unit)];
                multiply(source, &matrices[*element], target, true);
            }
        }
    }

    /// Adds a constant for each element to degree 0 of features with the rows of layer `t`.
    fn add_constant(&self, constants: &Option<Vec<Vec<T>>>, t: usize, out: &mut [T]) {
        let Some(constants) = constants else { return };
        let channels = self.weights.channels;
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            for row in self.geometry.features[t].of(0, site) {
                for point in 0..BLOCK {
                    let target = &mut out[(row * BLOCK + point) * channels..][..channels];
                    for (value, constant) in target.iter_mut().zip(&constants[geometry.element]) {
                        *value = *value + *constant;
                    }
                }
            }
        }
    }

    /// Adds a layer's readout of every site, in float64 from the features on.
    fn readout(&self, workspace: &mut Workspace<T>, t: usize) {
        let channels = self.weights.channels;
        // Every site has one component of degree 0, so its rows are [site][point].
        let range = rows(self.geometry.features[t].of_degree(0), BLOCK * channels);
        let features = &workspace.features[t][range];
        match &self.weights.readouts[t] {
            HeadReadout::Linear(weights, constants) => {
                let rows = workspace.readouts.iter_mut().zip(features.chunks_exact(channels)).enumerate();
                for (row, (sum, h)) in rows {
                    let product: f64 = h.iter().zip(weights).map(|(h, w)| h.to_f64() * w.to_f64()).sum();
                    *sum += product + constants[self.geometry.sites[row / BLOCK].element];
                }
            }
            HeadReadout::Hidden { first, second } => {
                let hidden = &mut workspace.hidden[..workspace.readouts.len() * first.outputs];
                multiply(features, first, hidden, false);
                for (sum, units) in workspace.readouts.iter_mut().zip(hidden.chunks_exact(first.outputs)) {
                    *sum += units.iter().zip(second).map(|(q, w)| w * silu(q.to_f64())).sum::<f64>();
                }
            }
        }
    }

    /// Energy per atom of one point.
    fn energy(&self, workspace: &Workspace<T>, point: usize) -> f64 {
        let of_site = |(index, site): (usize, &super::geometry::SiteGeometry<T>)| {
            let repulsion = self.scalar(point, index, self.weights.density_count());
            let interaction = repulsion + workspace.readouts[index * BLOCK + point];
            site.share * (self.weights.atomic_energies[site.element] + self.weights.scale * interaction)
        };
        self.geometry.sites.iter().enumerate().map(of_site).sum()
    }
}

/// A row of messages as a sum over terms.
struct Sums<'a, T: Real, S: Simd> {
    simd: S,
    terms: &'a [Term],
    /// By direction.
    operators: &'a [&'a [T::Vector<S>]],
    /// Features, which layer 0 does without.
    up: Option<&'a [T::Vector<S>]>,
    point: usize,
    /// Vectors of a row.
    width: usize,
}

impl<T: Real, S: Simd> Sums<'_, T, S> {
    /// Writes the k-th and the following vectors, `N` in all.
    #[inline(always)]
    fn write<const N: usize>(&self, k: usize, out: &mut [T::Vector<S>]) {
        let mut sums = [T::splat(self.simd, T::ZERO); N];
        for term in self.terms {
            let operator = &self.operators[term.direction][term.row * self.width + k..][..N];
            match self.up {
                Some(up) => {
                    let feature = &up[(term.feature + self.point) * self.width + k..][..N];
                    for i in 0..N {
                        sums[i] = T::multiply_add(self.simd, operator[i], feature[i], sums[i]);
                    }
                }
                None => {
                    for i in 0..N {
                        sums[i] = <T as Real>::add(self.simd, sums[i], operator[i]);
                    }
                }
            }
        }
        out[k..k + N].copy_from_slice(&sums);
    }
}
