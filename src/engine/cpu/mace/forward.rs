//! Pair operators -> energies, for a block of points at once.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::contraction::{GROUP, Quad};
use super::geometry::{Direction, Geometry, Term};
use super::operator::Bundle;
use super::weights::{HeadReadout, Update, Weights};
use crate::engine::cpu::real::{add_scaled, vectors_per_lane};
use crate::engine::cpu::{LANES, Real, multiply};
use crate::potential::mace::silu;

/// Points of a block: the rows that a matrix product sees are this many for every component of every site.
pub(super) const BLOCK: usize = 16;

/// Arrays of a block, `[row][point][channel]`; rows as in [`Geometry`].
pub(super) struct Workspace<T> {
    /// Messages of a later layer before its linear map, by degree: `[row][point][path][channel]`.
    paths: Vec<Vec<T>>,
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
        let widest = |l3: usize| {
            let paths =
                |layer: &super::weights::LaterLayer<T>| layer.paths.iter().filter(|p| p.l3 == l3).count();
            weights.later.iter().map(paths).max().unwrap_or(0)
        };
        let features = geometry.features.iter().map(|r| r.total).max().unwrap_or(0);
        let units = |r: &HeadReadout<T>| match r {
            HeadReadout::Linear(_) => 0,
            HeadReadout::Hidden { first, .. } => first.outputs,
        };
        let sites = geometry.sites.len();
        Workspace {
            paths: (0..=weights.lmax)
                .map(|l| zeros(geometry.messages.of_degree(l).len() * widest(l) * unit))
                .collect(),
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

/// Energies per atom of a block of points, given the bundles of all groups for each of them.
pub(super) fn energies<T: Real>(
    workspace: &mut Workspace<T>,
    geometry: &Geometry<T>,
    weights: &Weights<T>,
    bundles: &[Vec<&Bundle<T>>],
) -> Vec<f64> {
    let arch = workspace.arch;
    // A block that is not full repeats its last point: products keep their shape, and so their bits.
    let block = Block { geometry, weights, bundles };
    workspace.readouts.fill(0.0);
    for t in 0..weights.layers.len() {
        block.normalise(workspace, t);
        if t == 0 {
            arch.dispatch(Loop::FirstMessages(&block, workspace));
        } else {
            block.up(workspace, t);
            arch.dispatch(Loop::ApplyOperators(&block, workspace, t));
            block.linear(workspace, t);
        }
        arch.dispatch(Loop::Contract(&block, workspace, t));
        block.update(workspace, t);
        block.readout(workspace, t);
    }
    (0..bundles.len()).map(|p| block.energy(workspace, p)).collect()
}

/// Loops that are compiled for every instruction set and dispatched at run time.
enum Loop<'a, 'b, T> {
    FirstMessages(&'a Block<'b, T>, &'a mut Workspace<T>),
    ApplyOperators(&'a Block<'b, T>, &'a mut Workspace<T>, usize),
    Contract(&'a Block<'b, T>, &'a mut Workspace<T>, usize),
}

impl<T: Real> WithSimd for Loop<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self {
            Loop::FirstMessages(block, workspace) => block.first_messages(simd, workspace),
            Loop::ApplyOperators(block, workspace, t) => block.apply_operators(simd, workspace, t),
            Loop::Contract(block, workspace, t) => block.contract(simd, workspace, t),
        }
    }
}

struct Block<'a, T> {
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    bundles: &'a [Vec<&'a Bundle<T>>],
}

impl<T: Real> Block<'_, T> {
    fn bundle(&self, point: usize, group: usize) -> &Bundle<T> {
        self.bundles[point.min(self.bundles.len() - 1)][group]
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
            for point in 0..BLOCK {
                let density: f64 = (self.geometry.incoming[site].iter())
                    .map(|d| self.bundle(point, d.group).scalars[d.scalars + column])
                    .sum();
                workspace.normalisers[site * BLOCK + point] = T::from_f64(1.0 / (1.0 + density));
            }
        }
    }

    /// A of layer 0: sums of operators.
    #[inline(always)]
    fn first_messages<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>) {
        let channels = self.weights.channels;
        for (site, incoming) in self.geometry.incoming.iter().enumerate() {
            let site_rows = (0..=self.weights.lmax).flat_map(|l| self.geometry.messages.of(l, site));
            for (component, row) in site_rows.enumerate() {
                for point in 0..BLOCK {
                    let out = &mut workspace.messages[(row * BLOCK + point) * channels..][..channels];
                    out.fill(T::ZERO);
                    let out = T::vectors_mut::<S>(out);
                    for direction in incoming {
                        let values = &self.bundle(point, direction.group).values;
                        let term = &values[direction.first + component * channels..][..channels];
                        for (sum, v) in out.iter_mut().zip(T::vectors::<S>(term)) {
                            *sum = T::add(simd, *sum, *v);
                        }
                    }
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
    }

    /// M of a later layer: operators applied to the senders' features.
    #[inline(always)]
    fn apply_operators<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, t: usize) {
        let up = T::vectors::<S>(&workspace.up);
        let width = self.vectors::<S>();
        for (site, incoming) in self.geometry.incoming.iter().enumerate() {
            let application = &self.geometry.applications[t - 1][site];
            let operator = |point: usize, d: &Direction| {
                T::vectors::<S>(&self.bundle(point, d.group).values[d.later[t - 1]..])
            };
            // [point][incoming]
            let operators: Vec<_> =
                (0..BLOCK).flat_map(|p| incoming.iter().map(move |d| operator(p, d))).collect();
            for output in &application.outputs {
                let terms = &application.terms[output.terms.clone()];
                let out = T::vectors_mut::<S>(&mut workspace.paths[output.l3]);
                for point in 0..BLOCK {
                    let operators = &operators[point * incoming.len()..][..incoming.len()];
                    let row = ((output.row * BLOCK + point) * output.width + output.slot) * width;
                    let mut sums = Sums::<T, S> { simd, terms, operators, up, place: (point, width) };
                    let mut k = 0;
                    while k + 4 <= width {
                        sums.write::<4>(k, &mut out[row + k..]);
                        k += 4;
                    }
                    while k < width {
                        sums.write::<1>(k, &mut out[row + k..]);
                        k += 1;
                    }
                }
            }
        }
    }

    /// A of a later layer.
    fn linear(&self, workspace: &mut Workspace<T>, t: usize) {
        let unit = BLOCK * self.weights.channels;
        let layer = &self.weights.later[t - 1];
        for (l3, matrices) in layer.linear.iter().enumerate() {
            let all = self.geometry.messages.of_degree(l3);
            for (index, sites) in self.geometry.sites_by_element.iter() {
                let matrix = if matrices.len() == 1 { &matrices[0] } else { &matrices[*index] };
                let target = self.geometry.messages.of_sites(l3, sites.clone());
                let width = matrix.inputs / self.weights.channels.max(1);
                let source = rows(target.start - all.start..target.end - all.start, unit * width);
                let out = &mut workspace.messages[rows(target, unit)];
                multiply(&workspace.paths[l3][source], matrix, out, false);
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
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            for (k, first) in (0..width).flat_map(|k| (0..BLOCK).step_by(GROUP).map(move |p| (k, p))) {
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
        self.add_constant(layer, t, out);
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

    /// The self-connection of layer 0.
    fn add_constant(&self, layer: &Update<T>, t: usize, out: &mut [T]) {
        let Some(constants) = &layer.constant else { return };
        let channels = self.weights.channels;
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            for row in self.geometry.features[t].of(0, site) {
                for point in 0..BLOCK {
                    let target = &mut out[(row * BLOCK + point) * channels..][..channels];
                    add_scaled(pulp::Scalar::new(), T::ONE, &constants[geometry.element], target);
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
            HeadReadout::Linear(weights) => {
                for (sum, h) in workspace.readouts.iter_mut().zip(features.chunks_exact(channels)) {
                    *sum += h.iter().zip(weights).map(|(h, w)| h.to_f64() * w.to_f64()).sum::<f64>();
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
        let densities = self.weights.density_count();
        let of_site = |(index, site): (usize, &super::geometry::SiteGeometry<T>)| {
            let repulsion: f64 = (self.geometry.incoming[index].iter())
                .map(|d| self.bundle(point, d.group).scalars[d.scalars + densities])
                .sum();
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
    /// By incoming direction.
    operators: &'a [&'a [T::Vector<S>]],
    up: &'a [T::Vector<S>],
    /// The point, and vectors of a row.
    place: (usize, usize),
}

impl<T: Real, S: Simd> Sums<'_, T, S> {
    /// Writes the k-th and the following vectors, `N` in all.
    #[inline(always)]
    fn write<const N: usize>(&mut self, k: usize, out: &mut [T::Vector<S>]) {
        let (point, width) = self.place;
        let mut sums = [T::splat(self.simd, T::ZERO); N];
        for term in self.terms {
            let operator = &self.operators[term.incoming][term.operator * width + k..][..N];
            let feature = &self.up[(term.feature * BLOCK + point) * width + k..][..N];
            for i in 0..N {
                sums[i] = T::multiply_add(self.simd, operator[i], feature[i], sums[i]);
            }
        }
        out[..N].copy_from_slice(&sums);
    }
}
