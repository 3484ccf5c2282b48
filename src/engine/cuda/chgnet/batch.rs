//! A batch of points: what is copied to the device and launched for it.

use cudarc::driver::DriverError;

use super::buffers::ChgnetBuffers;
use super::forward::Forward;
use super::tables::{ModelTables, NetworkTables};
use crate::engine::Scene;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::Queue;
use crate::engine::cuda::slot::Staging;
use crate::landscape::Point;

/// What all batches of a scene share.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    /// The scene as it is.
    pub scene: &'a Scene,
    /// On the device.
    pub tables: &'a NetworkTables,
    /// The model on the device.
    pub model: &'a ModelTables<T>,
}

impl<T: CudaReal> Shared<'_, T> {
    /// Launches a batch, and the copy of its results.
    pub fn start(
        &self,
        queue: &Queue,
        buffers: &mut ChgnetBuffers<T>,
        staging: &mut Staging,
        points: &[Point],
    ) -> Result<(), DriverError> {
        let Shared { scene, tables, model } = *self;
        let all: Vec<f64> = points.iter().flat_map(|p| scene.axis_values(*p)).collect();
        if !all.is_empty() {
            let values = &mut staging.values.as_mut_slice()?[..all.len()];
            values.copy_from_slice(&all);
            queue.stream().memcpy_htod(values, &mut buffers.atoms.values)?;
        }
        Forward { queue, model, scene: tables }.points(buffers, points.len())?;
        let outputs = &mut staging.outputs.as_mut_slice()?[..points.len()];
        queue.stream().memcpy_dtoh(&buffers.atoms.outputs.slice(..points.len()), outputs)
    }
}
