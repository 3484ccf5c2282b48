//! A scene in terms of a model, as arrays for kernels. Everything that does not depend on axis values is decided here.
//!
//! ```text
//! group      pairs that the same axes move: candidate shells, couplings, rows of operators
//! messages   operators -> messages: terms of those that are kept, blocks and ways of the others
//! ```
//!
//! What follows the messages is up to the family, see [`Network::plan`].

mod group;
mod messages;

pub use group::GroupPlan;
pub use messages::MessagePlan;

use super::Network;
use super::arrays::ModelArrays;
use super::shape::{BATCH, GroupShape, NetworkShape, SceneShape};
use crate::engine::cpu::pairs::geometry::Geometry;
use crate::engine::cpu::pairs::{Interaction, Interactions};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{Cell, Incoming, Product, SiteEnergy};
use crate::engine::{EngineError, Scene};
use crate::equivariant::components;

/// Operators of a group are kept if those of all nodes that a batch may need have at most this many bytes. It depends
/// on the scene alone, so that results do not depend on the memory of a device.
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

/// Products that are computed together.
pub type Products = Vec<Product>;

/// A scene in terms of a model.
#[derive(Debug)]
pub struct Plan<L> {
    /// Lengths of everything.
    pub shape: SceneShape,
    /// Pairs by the axes that move them.
    pub groups: Vec<GroupPlan>,
    /// Operators -> messages, by layer.
    pub messages: Vec<MessagePlan>,
    /// What follows the messages, by layer.
    pub layers: Vec<L>,
    /// Scalars of the directions into each site.
    pub incoming: Vec<Incoming>,
    /// Where those of each site begin, and the end.
    pub incoming_begins: Vec<i32>,
    /// Distance beyond which atoms do not see one another, Angstrom.
    pub cutoff: f64,
    /// By site.
    pub energies: Vec<SiteEnergy>,
    /// Distances of the conventional cell.
    pub separation: SeparationPlan,
}

impl<L> Plan<L> {
    /// Plans a scene for a model. `keep` overrules which operators are kept: all that may be, or none.
    pub(crate) fn new<T: CudaReal, N: Network<T, Plan = L>>(
        scene: &Scene,
        (model, arrays): (&N, &ModelArrays<T, N::Places>),
        keep: Option<bool>,
    ) -> Result<Plan<L>, EngineError> {
        let of = model.interactions();
        let geometry = Geometry::new(scene, of)?;
        let sites = model.sites(&geometry);
        let channels = row_channels(&of.layers);
        let kept = |g: usize| {
            geometry.groups[g].is_keepable(scene)
                && keep.unwrap_or_else(|| fits_when_kept::<T>(scene, &geometry, g))
        };
        let planned = Planned { scene, geometry: &geometry, of, arrays, channels };
        let groups: Vec<GroupPlan> =
            (0..geometry.groups.len()).map(|g| GroupPlan::new(&planned, g, kept(g))).collect();
        let (incoming, incoming_begins) = incoming(&geometry, of.scalar_count());
        Ok(Plan {
            messages: (0..of.layers.len()).map(|t| MessagePlan::new(&planned, t, &groups)).collect(),
            layers: model.plan((&geometry, &sites), &arrays.layers),
            energies: geometry.sites.iter().map(|site| model.energy(site)).collect(),
            cutoff: scene.cutoff,
            separation: separation(scene),
            shape: SceneShape {
                network: model.shape((&geometry, &sites), &arrays.layers),
                ..shape(&planned, &groups)
            },
            groups,
            incoming,
            incoming_begins,
        })
    }
}

/// What plans are made of.
struct Planned<'a, T, P> {
    scene: &'a Scene,
    geometry: &'a Geometry,
    of: &'a Interactions<T>,
    arrays: &'a ModelArrays<T, P>,
    /// See [`SceneShape::channels`].
    channels: usize,
}

/// The largest number of channels that all columns of a model are multiples of.
fn row_channels<T>(layers: &[Interaction<T>]) -> usize {
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let widths = layers
        .iter()
        .flat_map(|l| l.inputs.iter().chain(&l.messages).chain(l.paths.iter().map(|p| &p.width)));
    widths.copied().fold(0, divisor)
}

/// All but what follows the messages.
fn shape<T, P>(planned: &Planned<T, P>, groups: &[GroupPlan]) -> SceneShape {
    let Planned { scene, geometry, of, channels, .. } = planned;
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
        channels: *channels,
        sites: geometry.sites.len(),
        components: components(of.lmax),
        scalars: of.scalar_count(),
        groups: groups.iter().map(group).collect(),
        network: NetworkShape::default(),
        atoms: scene.separation.atoms().len(),
        representatives: scene.separation.representatives().count(),
    }
}

/// Whether operators of a group may be kept without taking too much memory.
fn fits_when_kept<T>(scene: &Scene, geometry: &Geometry, group: usize) -> bool {
    let (shape, of) = (scene.landscape.grid.shape(), &geometry.groups[group]);
    let nodes = of.axes.iter().map(|a| shape[*a]).product::<usize>().min(BATCH);
    of.values * size_of::<T>() <= KEPT_BYTES / nodes.max(1)
}

fn incoming(geometry: &Geometry, scalars: usize) -> (Vec<Incoming>, Vec<i32>) {
    let (mut all, mut begins) = (Vec::new(), vec![0]);
    for of_site in &geometry.incoming {
        all.extend(of_site.iter().filter(|_| scalars > 0).map(|(pair, d)| Incoming {
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
