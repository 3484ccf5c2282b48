//! CHGNet on a GPU.
//!
//! The evaluation is that of [`crate::engine::cpu::chgnet`], step by step, whose tables, split and centred matrices it
//! uses. Kernels work on all points of a batch at once:
//!
//! ```text
//! atoms      positions, distances and energies, by what other families have for them
//! plan       scene -> arrays: bonds and angles that may be short enough somewhere
//! tables     model and scene on the device
//! shape      lengths of all buffers, and the bytes of a batch
//! buffers    what a batch is computed in
//! launch     one typed launch a kernel
//! forward    their order
//! batch      what is copied and launched for some points
//! ```
//!
//! Bonds and angles that are short enough at a point become rows, those of all points below one another. How many there
//! are stays on the device: buffers and launches are for the most that a point can have, and kernels stop where the
//! rows end. Each result has one owner, which adds up in a fixed order, so neither batches nor devices of one kind
//! change a bit.

pub mod atoms;
pub mod batch;
pub mod buffers;
pub mod forward;
pub mod launch;
pub mod plan;
pub mod shape;
pub mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::CudaReal;
use super::device::Device;
use super::memory::{Needs, SLOTS};
use super::queue::{Kernels, Profile};
use super::slot::{Slots, queues};
use crate::crystal::Element;
use crate::engine::cpu::Real;
use crate::engine::cpu::chgnet::cost_of;
use crate::engine::cpu::chgnet::weights::Weights;
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use crate::potential::chgnet::Chgnet;
use batch::Shared;
use buffers::ChgnetBuffers;
use plan::ChgnetPlan;
use shape::{BATCH, ChgnetShape};
use tables::{ModelTables, NetworkTables};

/// A CHGNet on a GPU.
pub struct ChgnetEngine<T> {
    device: Arc<Device>,
    kernels: Arc<Kernels>,
    weights: Weights<T>,
    model: ModelTables<T>,
    prepared: Option<Prepared<T>>,
}

/// A scene on the device.
struct Prepared<T> {
    scene: Arc<Scene>,
    // Before the tables, which kernels under way use until the slots have gone.
    slots: Slots<ChgnetBuffers<T>>,
    tables: NetworkTables,
}

impl<T: CudaReal> ChgnetEngine<T> {
    /// Prepares a model for some elements.
    pub fn new(model: &Chgnet, elements: &[Element], device: Arc<Device>) -> Result<Self, EngineError> {
        let weights = Weights::<T>::new(model, elements);
        let failed = |e| device.failed("copying a model to it", e);
        // The device may have been opened by another thread.
        device.context.bind_to_thread().map_err(failed)?;
        let module = device.module(T::DOUBLE)?;
        let kernels = Arc::new(Kernels::new(&module).map_err(failed)?);
        let queue = queues(&device.context, &kernels, 1).map_err(failed)?.remove(0);
        let model = ModelTables::new(&queue, &weights).map_err(failed)?;
        queue.stream().synchronize().map_err(failed)?;
        Ok(ChgnetEngine { device, kernels, weights, model, prepared: None })
    }

    /// Times of its launches, for benchmarks.
    pub fn profile(&self) -> &Profile {
        &self.kernels.profile
    }

    /// Brings a scene to the device, unless it is the last one.
    fn prepare(&mut self, scene: &Arc<Scene>) -> Result<Prepared<T>, EngineError> {
        let failed = |e| self.device.failed("preparing a landscape", e);
        let mut staging = match self.prepared.take() {
            Some(known) if Arc::ptr_eq(&known.scene, scene) => return Ok(known),
            Some(Prepared { slots, .. }) => slots.into_staging().map_err(failed)?,
            None => Vec::new(),
        };
        let plan = ChgnetPlan::new(scene, &self.weights)?;
        let queues = queues(&self.device.context, &self.kernels, SLOTS).map_err(failed)?;
        let tables = NetworkTables::new(&queues[0], &plan, &self.model).map_err(failed)?;
        queues[0].stream().synchronize().map_err(failed)?;
        let shape = &plan.shape;
        let make = |count: usize, capacity| {
            let buffers = |queue: &_| ChgnetBuffers::new(queue, shape, capacity);
            Slots::new(&queues[..count], (capacity, shape.atoms.staging(capacity)), &mut staging, buffers)
        };
        let slots = needs::<T>(scene, shape).allocate(&self.device, make)?;
        Ok(Prepared { scene: scene.clone(), slots, tables })
    }
}

/// What batches of a scene take.
fn needs<T>(scene: &Scene, shape: &ChgnetShape) -> Needs<impl Fn(usize) -> usize, impl Fn(usize) -> usize> {
    Needs {
        points: scene.landscape.grid.len(),
        most: BATCH,
        bytes: |points| shape.bytes::<T>(points),
        threads: |points| shape.most_threads(points),
    }
}

/// Bytes that a GPU needs for a scene, apart from the model and its tables: of batches of the largest size. Needs no
/// GPU.
pub fn memory_of<T: CudaReal>(model: &Chgnet, scene: &Scene) -> Result<usize, EngineError> {
    let weights = Weights::<T>::new(model, &scene.landscape.elements());
    let shape = ChgnetPlan::new(scene, &weights)?.shape;
    let needs = needs::<T>(scene, &shape);
    Ok(needs.all_bytes(needs.largest()))
}

impl<T: CudaReal> Engine for ChgnetEngine<T> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        self.device.context.bind_to_thread().map_err(|e| self.device.failed("evaluating points", e))?;
        let mut prepared = self.prepare(scene)?;
        let Prepared { tables, slots, .. } = &mut prepared;
        let shared = Shared { scene, tables, model: &self.model };
        let results = slots
            .evaluate(points, |queue, buffers, staging, batch| shared.start(queue, buffers, staging, batch));
        let results = results.map_err(|e| self.device.failed("evaluating points", e))?;
        self.prepared = Some(prepared);
        Ok(results)
    }

    fn cost(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Cost, EngineError> {
        cost_of(scene, &self.weights, points)
    }

    fn call(&self) -> usize {
        2 * SLOTS * BATCH
    }

    fn describe(&self) -> String {
        format!("cuda {}, {}", <T as Real>::NAME, self.device.info.name)
    }
}
