//! A scene in terms of a model, as arrays for kernels. Everything that does not depend on axis values is decided here.
//!
//! ```text
//! group      pairs that the same axes move: candidate shells, couplings, rows of operators
//! messages   operators -> messages: terms of those that are kept, blocks and ways of the others
//! network    matrix products and contractions of each layer
//! ```

mod group;
mod messages;
mod network;

pub use group::GroupPlan;
pub use messages::MessagePlan;
pub use network::{ContractionPlan, Products, ReadoutPlan};

use super::model::ModelArrays;
use super::shape::{BATCH, GroupShape, SceneShape};
use crate::engine::cpu::Real;
use crate::engine::cpu::mace::geometry::Geometry;
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::layout::{Cell, Incoming, SiteEnergy};
use crate::engine::{EngineError, Scene};
use crate::equivariant::components;

/// Operators of a group are kept if those of all nodes that a batch may need have at most this many bytes. It depends on
/// the scene alone, so that results do not depend on the memory of a device.
const KEPT_BYTES: usize = 2 << 30;

/// What positions and distances of the conventional cell need.
#[derive(Debug)]
pub struct SeparationPlan {
    /// The reduced cell.
    pub cell: Cell,
    /// `[atom][1 + axes][3]`, in the reduced basis.
    pub forms: Vec<f64>,
    /// One atom of each orbit.
    pub representatives: Vec<i32>,
    /// Atoms of each orbit.
    pub multiplicities: Vec<f64>,
    /// `[representative][atom]`, Angstrom.
    pub thresholds: Vec<f64>,
    /// What atoms add to the cost with their own images.
    pub self_cost: f64,
    /// Shortest lattice vector.
    pub shortest: f64,
}

/// A layer.
#[derive(Debug)]
pub struct LayerPlan<T> {
    /// Operators -> messages.
    pub messages: MessagePlan,
    /// Features -> features that are sent; empty in layer 0.
    pub up: Products,
    /// Messages by paths -> messages; empty in layer 0.
    pub linear: Products,
    /// Messages -> products.
    pub contraction: ContractionPlan<T>,
    /// Products -> features; empty if they are the features.
    pub product: Products,
    /// Features of the layer before -> what is added to the features.
    pub skip: Products,
    /// Features -> energies.
    pub readout: ReadoutPlan<T>,
    /// Column of the density normaliser, if the layer has one.
    pub density_column: Option<usize>,
}

/// A scene in terms of a model.
#[derive(Debug)]
pub struct Plan<T> {
    /// Lengths of everything.
    pub shape: SceneShape,
    /// Pairs by the axes that move them.
    pub groups: Vec<GroupPlan>,
    /// By layer.
    pub layers: Vec<LayerPlan<T>>,
    /// Scalars of the directions into each site.
    pub incoming: Vec<Incoming>,
    /// Where those of each site begin, and the end.
    pub incoming_begins: Vec<i32>,
    /// By site.
    pub energies: Vec<SiteEnergy>,
    /// Factor of everything but the energies of isolated atoms.
    pub scale: f64,
    /// Distances of the conventional cell.
    pub separation: SeparationPlan,
}

impl<T: Real> Plan<T> {
    /// Plans a scene for a model. `keep` overrules which operators are kept: all that may be, or none.
    pub(crate) fn new(
        scene: &Scene,
        weights: &Weights<T>,
        model: &ModelArrays<T>,
        keep: Option<bool>,
    ) -> Result<Plan<T>, EngineError> {
        let geometry = Geometry::new(scene, weights)?;
        let kept = |g: usize| {
            geometry.is_keepable(g, scene) && keep.unwrap_or_else(|| fits_when_kept(scene, &geometry, g))
        };
        let groups: Vec<GroupPlan> = (0..geometry.groups.len())
            .map(|g| GroupPlan::new(scene, (&geometry, weights, model), g, kept(g)))
            .collect();
        let layers = (0..weights.layers.len())
            .map(|t| LayerPlan {
                messages: MessagePlan::new((&geometry, weights, model), t, &groups),
                up: network::up(&geometry, model, t, weights.channels),
                linear: network::linear(&geometry, model, t, weights.channels),
                contraction: ContractionPlan::new(&geometry, t),
                product: network::product(&geometry, model, t, weights.channels),
                skip: network::skip(&geometry, model, t, weights.channels),
                readout: ReadoutPlan::new((&geometry, weights, model), t),
                density_column: weights.density_column[t],
            })
            .collect();
        let (incoming, incoming_begins) = incoming(&geometry);
        let energy = |site: &crate::engine::cpu::mace::geometry::SiteGeometry<T>| SiteEnergy {
            share: site.share,
            atomic: weights.atomic_energies[site.element],
        };
        Ok(Plan {
            shape: shape(scene, (&geometry, weights, model), &groups),
            groups,
            layers,
            incoming,
            incoming_begins,
            energies: geometry.sites.iter().map(energy).collect(),
            scale: weights.scale,
            separation: separation(scene),
        })
    }
}

fn shape<T: Real>(
    scene: &Scene,
    (geometry, weights, model): (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
    groups: &[GroupPlan],
) -> SceneShape {
    let paths = |r: &crate::engine::cpu::mace::geometry::PathRows| {
        (0..r.widths.len()).map(|l| geometry.messages.of_degree(l).len() * r.widths[l]).sum::<usize>()
    };
    let grid = scene.landscape.grid.shape();
    let group = |plan: &GroupPlan| GroupShape {
        axes: plan.axes.clone(),
        moves_with_all: plan.axes.len() == grid.len(),
        node_limit: plan.axes.iter().map(|a| grid[*a]).product(),
        kept: plan.kept,
        shells: plan.shells(),
        entries: plan.entries,
        pairs: plan.pairs(),
        bonds_of_shell: plan.bonds_of_shell,
        rows: plan.rows,
        sums: plan.sums.len(),
        operator_rows: plan.operator_rows.len(),
    };
    SceneShape {
        axes: grid.len(),
        channels: weights.channels,
        sites: geometry.sites.len(),
        components: components(weights.lmax),
        scalars: weights.density_count() + 1,
        groups: groups.iter().map(group).collect(),
        messages: geometry.messages.total,
        paths: geometry.path_rows.iter().map(paths).max().unwrap_or(0),
        features: geometry.features.iter().map(|r| r.total).collect(),
        hidden: model.layers.iter().filter_map(|l| l.hidden).map(|(_, units)| units).max().unwrap_or(0),
        atoms: scene.separation.atoms().len(),
        representatives: scene.separation.representatives().count(),
    }
}

/// Whether operators of a group may be kept without taking too much memory.
fn fits_when_kept<T: Real>(scene: &Scene, geometry: &Geometry<T>, group: usize) -> bool {
    let (shape, of) = (scene.landscape.grid.shape(), &geometry.groups[group]);
    let nodes = of.axes.iter().map(|a| shape[*a]).product::<usize>().min(BATCH);
    of.values * size_of::<T>() <= KEPT_BYTES / nodes.max(1)
}

fn incoming<T: Real>(geometry: &Geometry<T>) -> (Vec<Incoming>, Vec<i32>) {
    let (mut all, mut begins) = (Vec::new(), vec![0]);
    for of_site in &geometry.incoming {
        all.extend(of_site.iter().map(|(pair, d)| Incoming {
            group: geometry.pairs[*pair].group as i32,
            offset: geometry.pairs[*pair].directions[*d].scalars as i32,
        }));
        begins.push(all.len() as i32);
    }
    (all, begins)
}

pub(in crate::engine::cuda) fn separation(scene: &Scene) -> SeparationPlan {
    let cost = &scene.separation;
    let atoms = cost.atoms();
    let form = |atom: &crate::landscape::EmbeddedAtom| {
        let all = std::iter::once(&atom.base).chain(&atom.slopes);
        all.flat_map(|v| v.iter().copied()).collect::<Vec<f64>>()
    };
    SeparationPlan {
        cell: {
            let (basis, images, shortest_squared) = cost.cell();
            Cell { basis, images, shortest_squared }
        },
        forms: atoms.iter().flat_map(form).collect(),
        representatives: cost.representatives().map(|(atom, ..)| atom as i32).collect(),
        multiplicities: cost.representatives().map(|(_, multiplicity, _)| multiplicity).collect(),
        thresholds: cost.representatives().flat_map(|(.., t)| t.iter().copied()).collect(),
        self_cost: cost.self_cost(),
        shortest: cost.shortest(),
    }
}
