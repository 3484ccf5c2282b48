//! Pair operators -> energies, for a block of points at once.

use pulp::{Simd, WithSimd};

use super::geometry::{BLOCK, Direction, Geometry, Rows};
use super::operator::{Gathered, Operators, Place, Scratch, Sink};
use super::weights::Weights;
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real, multiply};
use crate::potential::sevennet::KAPPA;

/// Arrays of a block, as [`super::geometry::LayerArrays`] says.
pub(super) struct Workspace<T> {
    features: Vec<T>,
    up: Vec<T>,
    messages: Vec<T>,
    z: Vec<T>,
    /// Activated scalars and gates of a site at a point.
    activated: Vec<T>,
    arch: pulp::Arch,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let zeros = |count: usize| vec![T::ZERO; count];
        let layers = || geometry.layers.iter();
        let features = layers().flat_map(|a| [a.inputs.len(), a.outputs.len()]).max().unwrap_or(0);
        Workspace {
            features: zeros(features),
            up: zeros(features),
            messages: zeros(layers().skip(1).map(|a| a.messages.len()).max().unwrap_or(0)),
            z: zeros(layers().map(|a| a.z.len()).max().unwrap_or(0)),
            activated: zeros(layers().map(|a| a.z.widths[0]).max().unwrap_or(0)),
            arch: pulp::Arch::new(),
        }
    }
}

/// At most [`BLOCK`] points, and what their pair operators come from. A block that is not full leaves rows of the
/// arrays unused: products keep their shape, and so their bits.
pub(super) struct Block<'a, T> {
    pub(super) operators: &'a Operators<'a, T>,
    pub(super) geometry: &'a Geometry,
    pub(super) weights: &'a Weights<T>,
    /// By point and group of pairs: operators that are kept.
    pub(super) kept: Vec<Vec<Option<&'a [T]>>>,
    /// By point and pair: of the pairs whose operators are not kept.
    pub(super) gathered: &'a [Vec<Gathered<T>>],
    /// These pairs, in the order of [`Geometry::order`].
    pub(super) direct: &'a [usize],
    /// Directions of kept operators into each site in that order, with their groups.
    pub(super) incoming: &'a [Vec<(usize, &'a Direction)>],
}

/// Energies per atom of a block of points.
pub(super) fn energies<T: Real>(
    block: &Block<T>,
    workspace: &mut Workspace<T>,
    scratch: &mut Scratch<T>,
) -> Vec<f64> {
    let arch = workspace.arch;
    for t in 0..block.weights.layers.len() {
        if t > 0 {
            block.up(workspace, t);
        }
        arch.dispatch(Messages { block, workspace, scratch, layer: t });
        block.linear(workspace, t);
        arch.dispatch(Gate { block, workspace, layer: t });
    }
    (0..block.kept.len()).map(|p| block.energy(workspace, p)).collect()
}

/// Sums operators, with the vectors of the machine.
struct Messages<'a, 'b, T> {
    block: &'a Block<'b, T>,
    workspace: &'a mut Workspace<T>,
    scratch: &'a mut Scratch<T>,
    layer: usize,
}

impl<T: Real> WithSimd for Messages<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Messages { block, workspace, scratch, layer } = self;
        let Workspace { messages, z, up, .. } = workspace;
        let sums = if layer == 0 { &mut z[..] } else { &mut messages[..] };
        if block.incoming.iter().all(Vec::is_empty) {
            sums.fill(T::ZERO);
        } else {
            block.apply_kept(simd, layer, up, sums);
        }
        for (point, pair) in (0..block.kept.len()).flat_map(|p| block.direct.iter().map(move |k| (p, *k))) {
            let mut sink = Add { geometry: block.geometry, weights: block.weights, up, sums, point };
            let gathered = &block.gathered[point][pair];
            block.operators.rows(simd, (pair, layer), gathered, (scratch, &mut sink));
        }
    }
}

/// Makes features of z, with the vectors of the machine.
struct Gate<'a, 'b, T> {
    block: &'a Block<'b, T>,
    workspace: &'a mut Workspace<T>,
    layer: usize,
}

impl<T: Real> WithSimd for Gate<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.block.gate(simd, self.workspace, self.layer);
    }
}

/// Adds operator rows, times features in later layers, to the messages of a point (to z in layer 0).
struct Add<'a, T> {
    geometry: &'a Geometry,
    weights: &'a Weights<T>,
    up: &'a [T],
    sums: &'a mut [T],
    point: usize,
}

/// Where a path's row of messages begins, and its width.
#[inline(always)]
fn target<T: Real>(
    (geometry, weights): (&Geometry, &Weights<T>),
    (layer, path): (usize, usize),
    row: usize,
    point: usize,
) -> (usize, usize) {
    let columns = &weights.layers[layer].paths[path];
    let arrays = &geometry.layers[layer];
    let array = if layer == 0 { &arrays.z } else { &arrays.messages };
    (array.row(columns.path.l3, row, point) + columns.slot, columns.width)
}

impl<T: Real> Add<'_, T> {
    /// The vectors of messages that a place stands for.
    #[inline(always)]
    fn messages<S: Simd, const N: usize>(&mut self, place: &Place) -> &mut [T::Vector<S>] {
        let Rows { rows: [receiver, _], .. } = place.direction.blocks[place.layer][place.path];
        let model = (self.geometry, self.weights);
        let row = receiver + place.component;
        let (start, width) = target(model, (place.layer, place.path), row, self.point);
        &mut T::vectors_mut::<S>(&mut self.sums[start..][..width])[place.first..place.first + N]
    }
}

impl<T: Real> Sink<T> for Add<'_, T> {
    #[inline(always)]
    fn begin<S: Simd, const N: usize>(&mut self, simd: S, place: &Place) -> [T::Vector<S>; N] {
        let mut sums = [T::splat(simd, T::ZERO); N];
        sums.copy_from_slice(self.messages::<S, N>(place));
        sums
    }

    #[inline(always)]
    fn take<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        (place, m1): (&Place, usize),
        values: [T::Vector<S>; N],
        sums: &mut [T::Vector<S>; N],
    ) {
        let Place { direction, layer, path, first: k, .. } = *place;
        if layer == 0 {
            for i in 0..N {
                sums[i] = <T as Real>::add(simd, sums[i], values[i]);
            }
            return;
        }
        let columns = &self.weights.layers[layer].paths[path];
        let [_, sender] = direction.blocks[layer][path].rows;
        let start = self.geometry.layers[layer].inputs.row(columns.path.l1, sender + m1, self.point);
        let feature = &T::vectors::<S>(&self.up[start..][..columns.width])[k..k + N];
        for i in 0..N {
            sums[i] = T::multiply_add(simd, values[i], feature[i], sums[i]);
        }
    }

    #[inline(always)]
    fn end<S: Simd, const N: usize>(&mut self, place: &Place, sums: [T::Vector<S>; N]) {
        self.messages::<S, N>(place).copy_from_slice(&sums);
    }
}

impl<T: Real> Block<'_, T> {
    /// Messages of a layer from the operators that are kept: the same sums in the same order as those of [`Add`].
    #[inline(always)]
    fn apply_kept<S: Simd>(&self, simd: S, layer: usize, up: &[T], sums: &mut [T]) {
        let per_lane = vectors_per_lane::<T, S>();
        let vectors = |numbers: usize| numbers / LANES * per_lane;
        let inputs = &self.geometry.layers[layer].inputs;
        let (up, sums) = (T::vectors::<S>(up), T::vectors_mut::<S>(sums));
        let mut operators: Vec<&[T::Vector<S>]> = Vec::new();
        let mut terms: Vec<Term> = Vec::new();
        for (receiver, incoming) in self.incoming.iter().enumerate() {
            // [point][direction]
            operators.clear();
            for bundles in &self.kept {
                for (group, direction) in incoming {
                    let values = bundles[*group].map_or(&[][..], |bundle| &bundle[direction.first..]);
                    operators.push(T::vectors::<S>(values));
                }
            }
            for (path, columns) in self.weights.layers[layer].paths.iter().enumerate() {
                let l1 = columns.path.l1;
                terms.clear();
                terms.extend(incoming.iter().map(|(_, direction)| {
                    let Rows { first, shape: [_, components], rows: [_, sender], .. } =
                        direction.blocks[layer][path];
                    Term { first: vectors(first), components, feature: vectors(inputs.row(l1, sender, 0)) }
                }));
                let width = vectors(columns.width);
                let rows = &self.geometry.starts[columns.path.l3];
                for row in rows[receiver]..rows[receiver + 1] {
                    for point in 0..self.kept.len() {
                        let operators = &operators[point * incoming.len()..][..incoming.len()];
                        let (start, _) = target((self.geometry, self.weights), (layer, path), row, point);
                        let component = row - rows[receiver];
                        let sum = Sum::<T, S> {
                            simd,
                            terms: &terms,
                            operators,
                            up: (layer > 0).then_some(up),
                            component,
                            point,
                            width,
                        };
                        sum.write(&mut sums[vectors(start)..][..width]);
                    }
                }
            }
        }
    }

    /// u, and the self-connection in z.
    fn up(&self, workspace: &mut Workspace<T>, t: usize) {
        let layer = &self.weights.layers[t];
        let arrays = &self.geometry.layers[t];
        workspace.z[..arrays.z.len()].fill(T::ZERO);
        for (l, matrix) in layer.up.iter().enumerate() {
            let range = arrays.inputs.of_degree(l);
            multiply(&workspace.features[range.clone()], matrix, &mut workspace.up[range], false);
        }
        for (l, matrix) in layer.connection.iter().enumerate() {
            let (from, to) = (arrays.inputs.of_degree(l), arrays.z.of_degree(l));
            multiply(&workspace.features[from], matrix, &mut workspace.z[to], false);
        }
    }

    /// z: the linear maps of the messages are added to the self-connection. Layer 0 has the maps in its operators.
    fn linear(&self, workspace: &mut Workspace<T>, t: usize) {
        let arrays = &self.geometry.layers[t];
        if t > 0 {
            for (l, matrix) in self.weights.layers[t].linear.iter().enumerate() {
                let (from, to) = (arrays.messages.of_degree(l), arrays.z.of_degree(l));
                multiply(&workspace.messages[from], matrix, &mut workspace.z[to], true);
            }
            return;
        }
        let width = arrays.z.widths[0];
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            for point in 0..self.kept.len() {
                let row = &mut workspace.z[arrays.z.row(0, self.geometry.starts[0][site], point)..][..width];
                let constants = &self.weights.constants[geometry.element];
                row.iter_mut().zip(constants).for_each(|(value, constant)| *value = *value + *constant);
            }
        }
    }

    /// Output features from z.
    #[inline(always)]
    fn gate<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, t: usize) {
        let arrays = &self.geometry.layers[t];
        let Workspace { features, z, activated, .. } = workspace;
        let activated = T::vectors_mut::<S>(&mut activated[..arrays.z.widths[0]]);
        let kappa = T::splat(simd, T::from_f64(KAPPA));
        for (site, point) in
            (0..self.geometry.sites.len()).flat_map(|i| (0..self.kept.len()).map(move |p| (i, p)))
        {
            let start = arrays.z.row(0, self.geometry.starts[0][site], point);
            for (out, x) in activated.iter_mut().zip(T::vectors::<S>(&z[start..])) {
                *out = T::multiply(simd, kappa, T::silu(simd, *x));
            }
            let mut gates = &activated[..];
            for (l, width) in arrays.outputs.widths.iter().enumerate() {
                let vectors = width / LANES * vectors_per_lane::<T, S>();
                for row in self.geometry.starts[l][site]..self.geometry.starts[l][site + 1] {
                    let out = &mut features[arrays.outputs.row(l, row, point)..][..*width];
                    let out = T::vectors_mut::<S>(out);
                    if l == 0 {
                        out.copy_from_slice(&gates[..vectors]);
                        continue;
                    }
                    let z = T::vectors::<S>(&z[arrays.z.row(l, row, point)..][..*width]);
                    for ((out, gate), z) in out.iter_mut().zip(gates).zip(z) {
                        *out = T::multiply(simd, *gate, *z);
                    }
                }
                gates = &gates[vectors..];
            }
        }
    }

    /// Energy per atom of one point; sums in float64.
    fn energy(&self, workspace: &Workspace<T>, point: usize) -> f64 {
        let Some(arrays) = self.geometry.layers.last() else { return f64::NAN };
        let of_site = |(index, site): (usize, &super::geometry::SiteGeometry)| {
            let start = arrays.outputs.row(0, self.geometry.starts[0][index], point);
            let features = workspace.features[start..].iter().zip(&self.weights.readout);
            let readout: f64 = features.map(|(h, w)| h.to_f64() * w).sum();
            site.share * (self.weights.scale[site.element] * readout + self.weights.shift[site.element])
        };
        self.geometry.sites.iter().enumerate().map(of_site).sum()
    }
}

/// What a sender adds to a path's messages, counted in vectors.
struct Term {
    /// First row of the operator.
    first: usize,
    /// Components of l1.
    components: usize,
    /// The first one's features at the first point.
    feature: usize,
}

/// A row of messages of one path as a sum over senders and their components.
struct Sum<'a, T: Real, S: Simd> {
    simd: S,
    terms: &'a [Term],
    /// By term.
    operators: &'a [&'a [T::Vector<S>]],
    /// Features, which layer 0 does without.
    up: Option<&'a [T::Vector<S>]>,
    /// Component of l3.
    component: usize,
    point: usize,
    /// Vectors of a row.
    width: usize,
}

impl<T: Real, S: Simd> Sum<'_, T, S> {
    #[inline(always)]
    fn write(&self, out: &mut [T::Vector<S>]) {
        let mut k = 0;
        while k + 4 <= self.width {
            self.strip::<4>(k, out);
            k += 4;
        }
        while k + 2 <= self.width {
            self.strip::<2>(k, out);
            k += 2;
        }
        while k < self.width {
            self.strip::<1>(k, out);
            k += 1;
        }
    }

    /// Writes the k-th and the following vectors, `N` in all.
    #[inline(always)]
    fn strip<const N: usize>(&self, k: usize, out: &mut [T::Vector<S>]) {
        let mut sums = [T::splat(self.simd, T::ZERO); N];
        for (term, operator) in self.terms.iter().zip(self.operators) {
            let first = term.first + self.component * term.components * self.width + k;
            for m1 in 0..term.components {
                let row = &operator[first + m1 * self.width..][..N];
                match self.up {
                    Some(up) => {
                        let feature = term.feature + (m1 * BLOCK + self.point) * self.width + k;
                        let feature = &up[feature..][..N];
                        for i in 0..N {
                            sums[i] = T::multiply_add(self.simd, row[i], feature[i], sums[i]);
                        }
                    }
                    None => {
                        for i in 0..N {
                            sums[i] = <T as Real>::add(self.simd, sums[i], row[i]);
                        }
                    }
                }
            }
        }
        out[k..k + N].copy_from_slice(&sums);
    }
}
