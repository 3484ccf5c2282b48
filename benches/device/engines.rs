//! The CUDA engine of a model, whatever its family.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::cuda::chgnet::ChgnetEngine;
use s2dpes::engine::cuda::device::Device;
use s2dpes::engine::cuda::mace::MaceEngine;
use s2dpes::engine::cuda::queue::Profile;
use s2dpes::engine::cuda::sevennet::SevennetEngine;
use s2dpes::engine::cuda::{chgnet, pairs};
use s2dpes::engine::{Engine, Scene};
use s2dpes::potential::{Family, Potential};

use super::Failure;

/// An engine with the times of its launches.
pub enum GpuEngine<T: CudaReal> {
    Mace(Box<MaceEngine<T>>),
    Sevennet(Box<SevennetEngine<T>>),
    Chgnet(Box<ChgnetEngine<T>>),
}

impl<T: CudaReal> GpuEngine<T> {
    /// The first head of a model for a scene.
    pub fn new(potential: &Potential, scene: &Scene, device: Arc<Device>) -> Result<Self, Failure> {
        let elements = scene.landscape.elements();
        Ok(match &potential.family {
            Family::Mace(of) => GpuEngine::Mace(Box::new(MaceEngine::new(of, &elements, 0, device)?)),
            Family::Sevennet(of) => {
                GpuEngine::Sevennet(Box::new(SevennetEngine::new(of, &elements, device)?))
            }
            Family::Chgnet(of) => GpuEngine::Chgnet(Box::new(ChgnetEngine::new(of, &elements, device)?)),
        })
    }

    /// Times of its launches.
    pub fn profile(&self) -> &Profile {
        match self {
            GpuEngine::Mace(engine) => engine.profile(),
            GpuEngine::Sevennet(engine) => engine.profile(),
            GpuEngine::Chgnet(engine) => engine.profile(),
        }
    }

    /// Most points of a batch.
    pub fn batch(&self) -> usize {
        match self {
            GpuEngine::Mace(_) | GpuEngine::Sevennet(_) => pairs::shape::BATCH,
            GpuEngine::Chgnet(_) => chgnet::shape::BATCH,
        }
    }
}

impl<T: CudaReal> Deref for GpuEngine<T> {
    type Target = dyn Engine;

    fn deref(&self) -> &(dyn Engine + 'static) {
        match self {
            GpuEngine::Mace(engine) => &**engine,
            GpuEngine::Sevennet(engine) => &**engine,
            GpuEngine::Chgnet(engine) => &**engine,
        }
    }
}

impl<T: CudaReal> DerefMut for GpuEngine<T> {
    fn deref_mut(&mut self) -> &mut (dyn Engine + 'static) {
        match self {
            GpuEngine::Mace(engine) => &mut **engine,
            GpuEngine::Sevennet(engine) => &mut **engine,
            GpuEngine::Chgnet(engine) => &mut **engine,
        }
    }
}
