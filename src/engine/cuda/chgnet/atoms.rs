//! Positions, distances and energies by the kernels and buffers of families with pair operators: of a scene that has no
//! pairs.

use cudarc::driver::DriverError;

use crate::engine::Scene;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::SiteEnergy;
use crate::engine::cuda::mace::plan::{SeparationPlan, separation};
use crate::engine::cuda::mace::tables::{SceneTables, SeparationTables};
use crate::engine::cuda::queue::Queue;
use crate::potential::chgnet::FEATURES;

pub use crate::engine::cuda::mace::buffers::{Buffers as AtomBuffers, Staging};
pub use crate::engine::cuda::mace::launch::{distance_cost, embed, energy, linear_readout};
pub use crate::engine::cuda::mace::shape::SceneShape as AtomShape;
pub use crate::engine::cuda::mace::slot::queues;

/// What positions, distances and energies need of a scene, on a device.
pub type AtomTables<T> = SceneTables<T>;

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
        let energies: Vec<SiteEnergy> = sites.map(|(share, atomic)| SiteEnergy { share, atomic }).collect();
        AtomPlan {
            shape: AtomShape {
                axes: scene.landscape.grid.shape().len(),
                channels: FEATURES,
                sites: energies.len(),
                components: 0,
                scalars: 1,
                groups: Vec::new(),
                messages: 0,
                paths: 0,
                features: Vec::new(),
                hidden: 0,
                atoms: scene.separation.atoms().len(),
                representatives: scene.separation.representatives().count(),
            },
            energies,
            separation: separation(scene),
        }
    }

    /// Copies it to the device.
    pub fn upload<T: CudaReal>(&self, queue: &Queue) -> Result<AtomTables<T>, DriverError> {
        Ok(SceneTables {
            groups: Vec::new(),
            layers: Vec::new(),
            incoming: queue.upload(&[])?,
            incoming_begins: queue.upload(&vec![0; self.shape.sites + 1])?,
            energies: queue.upload(&self.energies)?,
            scale: 1.0,
            separation: SeparationTables::new(queue, &self.separation)?,
        })
    }
}
