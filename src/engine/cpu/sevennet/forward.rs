//! Messages -> energies, for a block of points at once.

use pulp::{Simd, WithSimd};

use super::weights::{LayerWeights, Weights};
use crate::engine::cpu::pairs::cost::Products;
use crate::engine::cpu::pairs::geometry::{Array, Geometry, SiteGeometry};
use crate::engine::cpu::pairs::messages::Block;
use crate::engine::cpu::pairs::operator::Scratch;
use crate::engine::cpu::pairs::{Family, Interactions};
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real, multiply};
use crate::potential::sevennet::KAPPA;

/// Arrays of a layer: features that come in, z, features that come out.
pub struct LayerArrays {
    pub(in crate::engine) inputs: Array,
    pub(in crate::engine) z: Array,
    pub(in crate::engine) outputs: Array,
}

/// Arrays of a block.
pub struct Workspace<T> {
    features: Vec<T>,
    up: Vec<T>,
    messages: Vec<T>,
    z: Vec<T>,
    /// Activated scalars and gates of a site at a point.
    activated: Vec<T>,
    arch: pulp::Arch,
}

impl<T: Real> Family<T> for Weights<T> {
    /// By layer.
    type Sites = Vec<LayerArrays>;
    type Workspace = Workspace<T>;

    fn interactions(&self) -> &Interactions<T> {
        &self.interactions
    }

    fn sites(&self, geometry: &Geometry) -> Vec<LayerArrays> {
        let array = |widths: &[usize]| Array::new(widths, &geometry.components);
        let arrays = |layer: &LayerWeights<T>| LayerArrays {
            inputs: array(&layer.inputs),
            z: array(&layer.widths),
            outputs: array(&layer.outputs),
        };
        self.layers.iter().map(arrays).collect()
    }

    fn workspace(&self, geometry: &Geometry, sites: &Vec<LayerArrays>) -> Workspace<T> {
        let zeros = |count: usize| vec![T::ZERO; count];
        let features = sites.iter().flat_map(|a| [a.inputs.len(), a.outputs.len()]).max().unwrap_or(0);
        Workspace {
            features: zeros(features),
            up: zeros(features),
            messages: zeros(geometry.layers.iter().map(|l| l.messages.len()).max().unwrap_or(0)),
            z: zeros(sites.iter().map(|a| a.z.len()).max().unwrap_or(0)),
            activated: zeros(sites.iter().map(|a| a.z.widths[0]).max().unwrap_or(0)),
            arch: pulp::Arch::new(),
        }
    }

    fn energies(
        &self,
        sites: &Vec<LayerArrays>,
        block: &Block<T>,
        (workspace, scratch): (&mut Workspace<T>, &mut Scratch<T>),
    ) -> Vec<f64> {
        let (arch, forward) = (workspace.arch, Forward { weights: self, arrays: sites, block });
        for t in 0..self.layers.len() {
            if t == 0 {
                block.messages(t, None, &mut workspace.z, scratch);
                forward.add_constants(workspace);
            } else {
                forward.up(workspace, t);
                let Workspace { up, messages, .. } = workspace;
                block.messages(t, Some(up), messages, scratch);
                forward.linear(workspace, t);
            }
            arch.dispatch(Gate { forward: &forward, workspace, layer: t });
        }
        (0..block.points()).map(|p| forward.energy(workspace, p)).collect()
    }

    fn steps(&self, geometry: &Geometry, _: &Vec<LayerArrays>) -> Vec<(&'static str, f64, f64)> {
        let mut products = Products::default();
        for layer in self.layers.iter().skip(1) {
            for (l, matrix) in
                [&layer.up, &layer.connection, &layer.linear].into_iter().flat_map(|m| m.iter().enumerate())
            {
                products.add(geometry.components.all(l).len(), matrix);
            }
        }
        vec![products.step("linear maps")]
    }
}

/// Makes features of z, with the vectors of the machine.
struct Gate<'a, 'b, T> {
    forward: &'a Forward<'b, T>,
    workspace: &'a mut Workspace<T>,
    layer: usize,
}

impl<T: Real> WithSimd for Gate<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.forward.gate(simd, self.workspace, self.layer);
    }
}

/// A block of points of a scene.
struct Forward<'a, T> {
    weights: &'a Weights<T>,
    arrays: &'a [LayerArrays],
    block: &'a Block<'a, T>,
}

impl<T: Real> Forward<'_, T> {
    /// u, and the self-connection in z.
    fn up(&self, workspace: &mut Workspace<T>, t: usize) {
        let (layer, arrays) = (&self.weights.layers[t], &self.arrays[t]);
        let components = &self.block.geometry().components;
        workspace.z[..arrays.z.len()].fill(T::ZERO);
        for (l, matrix) in layer.up.iter().enumerate() {
            let range = arrays.inputs.rows(l, components.all(l));
            multiply(&workspace.features[range.clone()], matrix, &mut workspace.up[range], false);
        }
        for (l, matrix) in layer.connection.iter().enumerate() {
            let from = arrays.inputs.rows(l, components.all(l));
            let to = arrays.z.rows(l, components.all(l));
            multiply(&workspace.features[from], matrix, &mut workspace.z[to], false);
        }
    }

    /// z of a later layer: the linear maps of the messages are added to the self-connection.
    fn linear(&self, workspace: &mut Workspace<T>, t: usize) {
        let geometry = self.block.geometry();
        for (l, matrix) in self.weights.layers[t].linear.iter().enumerate() {
            let all = geometry.components.all(l);
            let from = geometry.layers[t].messages.rows(l, all.clone());
            let to = self.arrays[t].z.rows(l, all);
            multiply(&workspace.messages[from], matrix, &mut workspace.z[to], true);
        }
    }

    /// z of layer 0, whose operators have the maps in them: the self-connection is added.
    fn add_constants(&self, workspace: &mut Workspace<T>) {
        let (geometry, z) = (self.block.geometry(), &self.arrays[0].z);
        for (site, of_site) in geometry.sites.iter().enumerate() {
            let rows = z.rows(0, geometry.components.of(0, site));
            for row in workspace.z[rows].chunks_exact_mut(z.widths[0]) {
                let constants = &self.weights.constants[of_site.element];
                row.iter_mut().zip(constants).for_each(|(value, constant)| *value = *value + *constant);
            }
        }
    }

    /// Output features from z.
    #[inline(always)]
    fn gate<S: Simd>(&self, simd: S, workspace: &mut Workspace<T>, t: usize) {
        let (arrays, geometry) = (&self.arrays[t], self.block.geometry());
        let Workspace { features, z, activated, .. } = workspace;
        let activated = T::vectors_mut::<S>(&mut activated[..arrays.z.widths[0]]);
        let kappa = T::splat(simd, T::from_f64(KAPPA));
        for (site, point) in
            (0..geometry.sites.len()).flat_map(|i| (0..self.block.points()).map(move |p| (i, p)))
        {
            let start = arrays.z.row(0, geometry.components.of(0, site).start, point);
            for (out, x) in activated.iter_mut().zip(T::vectors::<S>(&z[start..])) {
                *out = T::multiply(simd, kappa, T::silu(simd, *x));
            }
            let mut gates = &activated[..];
            for (l, width) in arrays.outputs.widths.iter().enumerate() {
                let vectors = width / LANES * vectors_per_lane::<T, S>();
                for row in geometry.components.of(l, site) {
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
        let Some(arrays) = self.arrays.last() else { return f64::NAN };
        let geometry = self.block.geometry();
        let of_site = |(index, site): (usize, &SiteGeometry)| {
            let start = arrays.outputs.row(0, geometry.components.of(0, index).start, point);
            let features = workspace.features[start..].iter().zip(&self.weights.readout);
            let readout: f64 = features.map(|(h, w)| h.to_f64() * w).sum();
            site.share * (self.weights.scale[site.element] * readout + self.weights.shift[site.element])
        };
        geometry.sites.iter().enumerate().map(of_site).sum()
    }
}
