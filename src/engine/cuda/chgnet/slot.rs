//! Batches under way: one slot is prepared and read by the host while the device computes another.

use cudarc::driver::DriverError;

use super::atoms::Staging;
use super::buffers::ChgnetBuffers;
use super::forward::Forward;
use super::shape::ChgnetShape;
use super::tables::{ModelTables, NetworkTables};
use crate::engine::Scene;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::PointOutput;
use crate::engine::cuda::queue::Queue;
use crate::landscape::Point;

/// A stream with buffers of its own.
struct Slot<T> {
    queue: Queue,
    buffers: ChgnetBuffers<T>,
    /// Until it is handed on.
    staging: Option<Staging>,
    /// Points of the batch under way; none if the slot is free.
    under_way: usize,
}

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

impl<T: CudaReal> Slot<T> {
    /// Starts a batch; the slot must be free.
    fn start(&mut self, shared: &Shared<T>, points: &[Point]) -> Result<(), DriverError> {
        let Some(staging) = &mut self.staging else { return Ok(()) };
        let Shared { scene, tables, model } = *shared;
        let stream = self.queue.stream();
        let all: Vec<f64> = points.iter().flat_map(|p| scene.axis_values(*p)).collect();
        if !all.is_empty() {
            let values = &mut staging.values.as_mut_slice()?[..all.len()];
            values.copy_from_slice(&all);
            stream.memcpy_htod(values, &mut self.buffers.atoms.values)?;
        }
        let forward = Forward { queue: &self.queue, model, scene: tables };
        forward.points(&mut self.buffers, points.len())?;
        let outputs = &mut staging.outputs.as_mut_slice()?[..points.len()];
        stream.memcpy_dtoh(&self.buffers.atoms.outputs.slice(..points.len()), outputs)?;
        self.under_way = points.len();
        Ok(())
    }

    /// Waits for the batch under way, if there is one, and reads its results.
    fn finish(&mut self) -> Result<Vec<PointOutput>, DriverError> {
        let points = std::mem::take(&mut self.under_way);
        self.queue.stream().synchronize()?;
        let outputs = self.staging.as_ref().map(|s| s.outputs.as_slice()).transpose()?;
        Ok(outputs.unwrap_or_default()[..points].to_vec())
    }
}

/// All slots of a scene: where there are several, one is prepared while another computes.
pub struct ChgnetSlots<T> {
    slots: Vec<Slot<T>>,
    capacity: usize,
}

impl<T: CudaReal> ChgnetSlots<T> {
    /// One slot a queue, for batches of at most `capacity` points. They take what they can use of `old`, what earlier
    /// ones had of the host's memory.
    pub fn new(
        queues: &[Queue],
        shape: &ChgnetShape,
        capacity: usize,
        old: &mut Vec<Staging>,
    ) -> Result<ChgnetSlots<T>, DriverError> {
        let slot = |queue: &Queue| {
            let buffers = ChgnetBuffers::new(queue, shape, capacity)?;
            let staging = Staging::new(queue, &shape.atoms, capacity, old.pop())?;
            Ok(Slot { queue: queue.clone(), buffers, staging: Some(staging), under_way: 0 })
        };
        Ok(ChgnetSlots { slots: queues.iter().map(slot).collect::<Result<_, DriverError>>()?, capacity })
    }

    /// Gives up the slots for what they have of the host's memory, once all that is under way has ended.
    pub fn into_staging(mut self) -> Result<Vec<Staging>, DriverError> {
        self.slots.iter().try_for_each(|slot| slot.queue.stream().synchronize())?;
        Ok(self.slots.iter_mut().filter_map(|slot| slot.staging.take()).collect())
    }

    /// Results of points, in their order.
    pub fn evaluate(
        &mut self,
        shared: &Shared<T>,
        points: &[Point],
    ) -> Result<Vec<PointOutput>, DriverError> {
        let mut results = Vec::with_capacity(points.len());
        let count = self.slots.len();
        let batches = points.chunks(self.capacity);
        let last = batches.len();
        for (k, batch) in batches.enumerate() {
            let slot = &mut self.slots[k % count];
            results.extend(slot.finish()?);
            slot.start(shared, batch)?;
        }
        for k in last..last + count {
            results.extend(self.slots[k % count].finish()?);
        }
        Ok(results)
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // Buffers must not go while kernels use them. If the device has failed, nothing uses them any more.
        let _ = self.queue.stream().synchronize();
    }
}
