//! The CUDA engine of a model, whatever its family.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::cuda::chgnet::ChgnetEngine;
use s2dpes::engine::cuda::device::Device;
use s2dpes::engine::cuda::mace::MaceEngine;
use s2dpes::engine::cuda::queue::Profile;
use s2dpes::engine::cuda::{chgnet, mace};
use s2dpes::engine::{Engine, Scene};
use s2dpes::potential::{Family, Potential};

use super::Failure;

/// An engine with the times of its launches.
pub enum GpuEngine<T> {
    Mace(Box<MaceEngine<T>>),
    Chgnet(Box<ChgnetEngine<T>>),
}

impl<T: CudaReal> GpuEngine<T> {
    /// The first head of a model for a scene.
    pub fn new(potential: &Potential, scene: &Scene, device: Arc<Device>) -> Result<Self, Failure> {
        let elements = scene.landscape.elements();
        match &potential.family {
            Family::Mace(model) => {
                Ok(GpuEngine::Mace(Box::new(MaceEngine::new(model, &elements, 0, device)?)))
            }
            Family::Chgnet(model) => {
                Ok(GpuEngine::Chgnet(Box::new(ChgnetEngine::new(model, &elements, device)?)))
            }
            Family::Sevennet(_) => {
                Err(format!("{}: there are no GPU kernels for this family", potential.source).into())
            }
        }
    }

    /// Times of its launches.
    pub fn profile(&self) -> &Profile {
        match self {
            GpuEngine::Mace(engine) => engine.profile(),
            GpuEngine::Chgnet(engine) => engine.profile(),
        }
    }

    /// Most points of a batch.
    pub fn batch(&self) -> usize {
        match self {
            GpuEngine::Mace(_) => mace::shape::BATCH,
            GpuEngine::Chgnet(_) => chgnet::shape::BATCH,
        }
    }
}

impl<T: CudaReal> Deref for GpuEngine<T> {
    type Target = dyn Engine;

    fn deref(&self) -> &(dyn Engine + 'static) {
        match self {
            GpuEngine::Mace(engine) => &**engine,
            GpuEngine::Chgnet(engine) => &**engine,
        }
    }
}

impl<T: CudaReal> DerefMut for GpuEngine<T> {
    fn deref_mut(&mut self) -> &mut (dyn Engine + 'static) {
        match self {
            GpuEngine::Mace(engine) => &mut **engine,
            GpuEngine::Chgnet(engine) => &mut **engine,
        }
    }
}
