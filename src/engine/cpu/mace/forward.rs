//! Messages -> energies, for a block of points at once.

use std::ops::Range;
use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::contraction::{GROUP, Quad, SiteContraction};
use super::weights::{HeadReadout, Update, Weights};
use crate::engine::cpu::pairs::cost::Products;
use crate::engine::cpu::pairs::geometry::{Array, Components, Geometry, SiteGeometry};
use crate::engine::cpu::pairs::messages::Block;
use crate::engine::cpu::pairs::operator::Scratch;
use crate::engine::cpu::pairs::{BLOCK, Family, Interactions};
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real, multiply};
use crate::potential::mace::silu;

/// Contractions of a site, by layer and output.
type Contractions<T> = Arc<Vec<Vec<SiteContraction<T>>>>;

/// What MACE prepares for the sites of a scene.
pub struct Sites<T> {
    /// By site; sites of equal element and bases share them.
    pub(in crate::engine) contractions: Vec<Contractions<T>>,
    /// Neighbouring sites of one element: the element's place in the weights and the sites.
    pub(in crate::engine) by_element: Vec<(usize, Range<usize>)>,
    /// A, all degrees.
    pub(in crate::engine) messages: Array,
    /// Output features of each layer.
    pub(in crate::engine) features: Vec<Array>,
}

impl<T: Real> Sites<T> {
    fn new(geometry: &Geometry, weights: &Weights<T>) -> Sites<T> {
        let (channels, lmax) = (weights.channels, weights.interactions.lmax);
        let features = |layer: &Update<T>| {
            let width = |l: usize| if layer.outputs.contains(&l) { channels } else { 0 };
            let highest = layer.outputs.iter().max().copied().unwrap_or(0);
            Array::new(&(0..=highest).map(width).collect::<Vec<_>>(), &geometry.components)
        };
        let mut by_element: Vec<(usize, Range<usize>)> = Vec::new();
        for (index, site) in geometry.sites.iter().enumerate() {
            match by_element.last_mut().filter(|(element, _)| *element == site.element) {
                Some((_, range)) => range.end = index + 1,
                None => by_element.push((site.element, index..index + 1)),
            }
        }
        Sites {
            contractions: contractions(&geometry.sites, weights),
            by_element,
            messages: Array::new(&vec![channels; lmax + 1], &geometry.components),
            features: weights.layers.iter().map(features).collect(),
        }
    }
}

fn contractions<T: Real>(sites: &[SiteGeometry], weights: &Weights<T>) -> Vec<Contractions<T>> {
    let degrees = 0..=weights.interactions.lmax;
    let mut all: Vec<Contractions<T>> = Vec::new();
    for site in sites {
        let bases = &site.bases[degrees.clone()];
        let same =
            |other: &SiteGeometry| other.element == site.element && other.bases[degrees.clone()] == *bases;
        let known = sites[..all.len()].iter().position(same).map(|known| all[known].clone());
        let of_layer = |layer: &Update<T>| {
            let contractions = layer.contractions.iter();
            contractions.map(|c| SiteContraction::new(c, bases, site.element, weights.channels)).collect()
        };
        all.push(known.unwrap_or_else(|| Arc::new(weights.layers.iter().map(of_layer).collect())));
    }
    all
}

/// Arrays of a block, `[row][point][channel]`.
pub struct Workspace<T> {
    /// Messages of a later layer before its linear map.
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

impl<T: Real> Family<T> for Weights<T> {
    type Sites = Sites<T>;
    type Workspace = Workspace<T>;

    fn interactions(&self) -> &Interactions<T> {
        &self.interactions
    }

    fn sites(&self, geometry: &Geometry) -> Sites<T> {
        Sites::new(geometry, self)
    }

    fn workspace(&self, geometry: &Geometry, sites: &Sites<T>) -> Workspace<T> {
        let zeros = |count: usize| vec![T::ZERO; count];
        let paths = geometry.layers.iter().skip(1).map(|l| l.messages.len()).max();
        let features = sites.features.iter().map(Array::len).max().unwrap_or(0);
        let units = |r: &HeadReadout<T>| match r {
            HeadReadout::Linear(..) => 0,
            HeadReadout::Hidden { first, .. } => first.outputs,
        };
        let rows = geometry.sites.len() * BLOCK;
        Workspace {
            paths: zeros(paths.unwrap_or(0)),
            messages: zeros(sites.messages.len()),
            products: zeros(features),
            features: sites.features.iter().map(|array| zeros(array.len())).collect(),
            up: zeros(features),
            hidden: zeros(self.readouts.iter().map(units).max().unwrap_or(0) * rows),
            normalisers: zeros(rows),
            readouts: vec![0.0; rows],
            arch: pulp::Arch::new(),
        }
    }

    fn energies(
        &self,
        sites: &Sites<T>,
        block: &Block<T>,
        (workspace, scratch): (&mut Workspace<T>, &mut Scratch<T>),
    ) -> Vec<f64> {
        let (arch, forward) = (workspace.arch, Forward { weights: self, sites, block });
        workspace.readouts.fill(0.0);
        for t in 0..self.layers.len() {
            forward.normalise(workspace, t);
            if t == 0 {
                block.messages(t, None, &mut workspace.messages, scratch);
            } else {
                forward.up(workspace, t);
                let Workspace { paths, up, .. } = workspace;
                block.messages(t, Some(up), paths, scratch);
                forward.linear(workspace, t);
            }
            arch.dispatch(Contract { forward: &forward, workspace, t });
            forward.update(workspace, t);
            forward.readout(workspace, t);
        }
        (0..block.points()).map(|p| forward.energy(workspace, p)).collect()
    }

    fn steps(&self, geometry: &Geometry, sites: &Sites<T>) -> Vec<(&'static str, f64, f64)> {
        let all = |l: usize| geometry.components.all(l).len();
        let (mut linear, mut update, mut contraction) = (Products::default(), Products::default(), (0, 0));
        for (t, layer) in self.layers.iter().enumerate() {
            if let Some(later) = t.checked_sub(1).map(|before| &self.later[before]) {
                self.layers[t - 1].outputs.iter().zip(&later.up).for_each(|(l, m)| linear.add(all(*l), m));
                later.linear.iter().enumerate().for_each(|(l3, m)| linear.add(all(l3), &m[0]));
            }
            layer.outputs.iter().zip(&layer.product).for_each(|(l, m)| update.add(all(*l), m));
            for (l, matrices) in layer.skip.iter().filter(|(l, _)| layer.outputs.contains(l)) {
                update.add(all(*l), &matrices[0]);
            }
            for contractions in sites.contractions.iter().flat_map(|c| &c[t]) {
                let (operations, coefficients) = contractions.operations();
                contraction.0 += operations * self.channels;
                contraction.1 += coefficients * self.channels;
            }
            if let HeadReadout::Hidden { first, .. } = &self.readouts[t] {
                update.add(geometry.sites.len(), first);
            }
        }
        vec![
            linear.step("linear maps of messages"),
            ("symmetric contractions", contraction.0 as f64, contraction.1 as f64),
            update.step("updates and readouts"),
        ]
    }
}

/// The symmetric contractions of a layer, with the vectors of the machine.
struct Contract<'a, 'b, T> {
    forward: &'a Forward<'b, T>,
    workspace: &'a mut Workspace<T>,
    t: usize,
}

impl<T: Real> WithSimd for Contract<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.forward.contract(simd, self.workspace, self.t);
    }
}

/// A block of points of a scene.
struct Forward<'a, T> {
    weights: &'a Weights<T>,
    sites: &'a Sites<T>,
    block: &'a Block<'a, T>,
}

impl<T: Real> Forward<'_, T> {
    /// 1 / (1 + density) of every site, or 1.
    fn normalise(&self, workspace: &mut Workspace<T>, t: usize) {
        let Some(column) = self.weights.density_column[t] else {
            workspace.normalisers.fill(T::ONE);
            return;
        };
        for site in 0..self.sites.contractions.len() {
            for point in 0..self.block.points() {
                let density = self.block.scalar(point, site, column);
                workspace.normalisers[site * BLOCK + point] = T::from_f64(1.0 / (1.0 + density));
            }
        }
    }

    /// u = h up.
    fn up(&self, workspace: &mut Workspace<T>, t: usize) {
        let layer = &self.weights.later[t - 1];
        for (l, matrix) in self.weights.layers[t - 1].outputs.iter().zip(&layer.up) {
            let range = self.sites.features[t - 1].rows(*l, self.components().all(*l));
            let input = &workspace.features[t - 1][range.clone()];
            multiply(input, matrix, &mut workspace.up[range], false);
        }
        self.add_constant(&layer.up_constant, t - 1, &mut workspace.up);
    }

    fn components(&self) -> &Components {
        &self.block.geometry().components
    }

    /// A of a later layer.
    fn linear(&self, workspace: &mut Workspace<T>, t: usize) {
        let paths = &self.block.geometry().layers[t].messages;
        for (l3, matrices) in self.weights.later[t - 1].linear.iter().enumerate() {
            for (index, sites) in self.sites.by_element.iter() {
                let matrix = if matrices.len() == 1 { &matrices[0] } else { &matrices[*index] };
                let components = self.components().of_sites(l3, sites.clone());
                let source = &workspace.paths[paths.rows(l3, components.clone())];
                let out = &mut workspace.messages[self.sites.messages.rows(l3, components)];
                multiply(source, matrix, out, false);
            }
        }
    }

    /// B: the symmetric contractions of all sites.
    #[inline(always)]
    fn contract<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, t: usize) {
        let per_lane = vectors_per_lane::<T, S>();
        let vectors = |numbers: usize| numbers / LANES * per_lane;
        let messages = T::vectors::<S>(&workspace.messages);
        let width = vectors(self.weights.channels);
        let products = T::vectors_mut::<S>(&mut workspace.products);
        let (mut inputs, mut starts): (Vec<Quad<T, S>>, Vec<usize>) = (Vec::new(), Vec::new());
        let groups = (0..self.block.points()).step_by(GROUP);
        for (site, contractions) in self.sites.contractions.iter().enumerate() {
            starts.clear();
            for l in 0..=self.weights.interactions.lmax {
                let rows = self.components().of(l, site);
                starts.extend(rows.map(|row| vectors(self.sites.messages.row(l, row, 0))));
            }
            for (k, first) in (0..width).flat_map(|k| groups.clone().map(move |p| (k, p))) {
                inputs.clear();
                for start in &starts {
                    // No closure: what is not inlined is compiled without the vectors' instructions.
                    let mut input = [T::splat(simd, T::ZERO); GROUP];
                    for (p, value) in input.iter_mut().enumerate() {
                        let factor = T::splat(simd, workspace.normalisers[site * BLOCK + first + p]);
                        *value = T::multiply(simd, messages[start + (first + p) * width + k], factor);
                    }
                    inputs.push(input);
                }
                for (l, contraction) in self.weights.layers[t].outputs.iter().zip(&contractions[t]) {
                    for (m, row) in self.components().of(*l, site).enumerate() {
                        let result = contraction.evaluate(simd, m, k, &inputs);
                        let start = vectors(self.sites.features[t].row(*l, row, 0));
                        for (p, values) in result.into_iter().enumerate() {
                            products[start + (first + p) * width + k] = values;
                        }
                    }
                }
            }
        }
    }

    /// h' = B product + self-connection.
    fn update(&self, workspace: &mut Workspace<T>, t: usize) {
        let layer = &self.weights.layers[t];
        let array = &self.sites.features[t];
        let (earlier, current) = workspace.features.split_at_mut(t);
        let out = &mut current[0];
        for (l, matrix) in layer.outputs.iter().zip(&layer.product) {
            let range = array.rows(*l, self.components().all(*l));
            multiply(&workspace.products[range.clone()], matrix, &mut out[range], false);
        }
        if layer.product.is_empty() {
            let count = out.len();
            out.copy_from_slice(&workspace.products[..count]);
        }
        self.add_constant(&layer.constant, t, out);
        let Some(input) = earlier.last() else { return };
        for (l, matrices) in layer.skip.iter().filter(|(l, _)| layer.outputs.contains(l)) {
            for (element, sites) in self.sites.by_element.iter() {
                let components = self.components().of_sites(*l, sites.clone());
                let source = &input[self.sites.features[t - 1].rows(*l, components.clone())];
                multiply(source, &matrices[*element], &mut out[array.rows(*l, components)], true);
            }
        }
    }

    /// Adds a constant for each element to degree 0 of features with the rows of layer `t`.
    fn add_constant(&self, constants: &Option<Vec<Vec<T>>>, t: usize, out: &mut [T]) {
        let Some(constants) = constants else { return };
        let channels = self.weights.channels;
        for (site, geometry) in self.block.geometry().sites.iter().enumerate() {
            let rows = self.sites.features[t].rows(0, self.components().of(0, site));
            for target in out[rows].chunks_exact_mut(channels) {
                for (value, constant) in target.iter_mut().zip(&constants[geometry.element]) {
                    *value = *value + *constant;
                }
            }
        }
    }

    /// Adds a layer's readout of every site, in float64 from the features on.
    fn readout(&self, workspace: &mut Workspace<T>, t: usize) {
        let (channels, sites) = (self.weights.channels, &self.block.geometry().sites);
        // Every site has one component of degree 0, so its rows are [site][point].
        let range = self.sites.features[t].rows(0, self.components().all(0));
        let features = &workspace.features[t][range];
        match &self.weights.readouts[t] {
            HeadReadout::Linear(weights, constants) => {
                let rows = workspace.readouts.iter_mut().zip(features.chunks_exact(channels)).enumerate();
                for (row, (sum, h)) in rows {
                    let product: f64 = h.iter().zip(weights).map(|(h, w)| h.to_f64() * w.to_f64()).sum();
                    *sum += product + constants[sites[row / BLOCK].element];
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
        let last = self.weights.interactions.scalar_count() - 1;
        let of_site = |(index, site): (usize, &SiteGeometry)| {
            let repulsion = self.block.scalar(point, index, last);
            let interaction = repulsion + workspace.readouts[index * BLOCK + point];
            site.share * (self.weights.atomic_energies[site.element] + self.weights.scale * interaction)
        };
        self.block.geometry().sites.iter().enumerate().map(of_site).sum()
    }
}
