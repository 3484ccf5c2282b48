//! Positions, distances and energies by the kernels and buffers of families with pair operators: of a scene that has no
//! pairs.

use cudarc::driver::DriverError;

use crate::engine::Scene;
use crate::engine::cuda::layout::SiteEnergy;
use crate::engine::cuda::pairs::plan::{SeparationPlan, separation};
use crate::engine::cuda::pairs::shape::NetworkShape;
use crate::engine::cuda::pairs::tables::{SceneTables, SeparationTables};
use crate::engine::cuda::queue::Queue;
use crate::potential::chgnet::FEATURES;

pub use crate::engine::cuda::pairs::buffers::Buffers as AtomBuffers;
pub use crate::engine::cuda::pairs::launch::{distance_cost, embed, energy, linear_readout};
pub use crate::engine::cuda::pairs::shape::SceneShape as AtomShape;

/// What positions, distances and energies need of a scene, on a device.
pub type AtomTables = SceneTables<()>;

/// The same on the host.
#[derive(Debug)]
pub struct AtomPlan {
    /// Lengths.
    pub shape: AtomShape,
    /// By site.
    pub energies: Vec<SiteEnergy>,
    /// Distances of the conventional cell.
    pub separation: SeparationPlan,
}

impl AtomPlan {
    /// Of a scene whose sites add their share of an isolated atom's energy, eV, and of what a readout gives:
    /// `(share, energy)` by site.
    pub fn new(scene: &Scene, sites: impl Iterator<Item = (f64, f64)>) -> AtomPlan {
        let energy = |(share, atomic)| SiteEnergy { share, atomic, scale: 1.0 };
        let energies: Vec<SiteEnergy> = sites.map(energy).collect();
        AtomPlan {
            shape: AtomShape {
                axes: scene.landscape.grid.shape().len(),
                channels: FEATURES,
                sites: energies.len(),
                components: 0,
                scalars: 0,
                groups: Vec::new(),
                network: NetworkShape::default(),
                atoms: scene.separation.atoms().len(),
                representatives: scene.separation.representatives().count(),
            },
            energies,
            separation: separation(scene),
        }
    }

    /// Copies it to the device.
    pub fn upload(&self, queue: &Queue) -> Result<AtomTables, DriverError> {
        Ok(SceneTables {
            groups: Vec::new(),
            messages: Vec::new(),
            layers: Vec::new(),
            incoming: queue.upload(&[])?,
            incoming_begins: queue.upload(&vec![0; self.shape.sites + 1])?,
            energies: queue.upload(&self.energies)?,
            cutoff: 0.0,
            separation: SeparationTables::new(queue, &self.separation)?,
        })
    }
}
