//! Batches under way: one slot is prepared and read by the host while the device computes another.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::DriverError;

use super::buffers::{Buffers, Staging};
use super::forward::Forward;
use super::shape::{GroupShape, SceneShape};
use super::tables::{ModelTables, SceneTables};
use crate::engine::Scene;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::PointOutput;
use crate::engine::cuda::queue::Queue;
use crate::landscape::Point;

/// A stream with buffers of its own.
pub struct Slot<T> {
    queue: Queue,
    buffers: Buffers<T>,
    staging: Staging,
    /// Points of the batch under way; none if the slot is free.
    under_way: usize,
    /// Whether operators that no axis moves are there.
    frozen: bool,
}

/// What all batches of a scene share.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    /// The scene as it is.
    pub scene: &'a Scene,
    /// Its lengths.
    pub shape: &'a SceneShape,
    /// On the device.
    pub tables: &'a SceneTables<T>,
    /// The model on the device.
    pub model: &'a ModelTables<T>,
}

impl<T: CudaReal> Slot<T> {
    /// A slot for batches of at most `capacity` points.
    pub fn new(queue: Queue, shape: &SceneShape, capacity: usize) -> Result<Slot<T>, DriverError> {
        let buffers = Buffers::new(&queue, shape, capacity)?;
        let staging = Staging::new(&queue, shape, capacity)?;
        Ok(Slot { queue, buffers, staging, under_way: 0, frozen: false })
    }

    /// Starts a batch; the slot must be free.
    pub fn start(&mut self, shared: &Shared<T>, points: &[Point]) -> Result<(), DriverError> {
        let Shared { scene, shape, tables, model } = *shared;
        let forward = Forward { queue: &self.queue, shape, model, scene: tables };
        let stream = self.queue.stream();
        let values: Vec<Vec<f64>> = points.iter().map(|p| scene.axis_values(*p)).collect();
        fill(self.staging.points.as_mut_slice()?, &values);
        stream.memcpy_htod(&self.staging.points, &mut self.buffers.values)?;
        for (g, group) in tables.groups.iter().enumerate().filter(|(_, g)| g.shape.shells > 0) {
            let buffers = &mut self.buffers.groups[g];
            if group.shape.is_frozen() && self.frozen {
                continue;
            }
            let (index, first) = nodes(scene, &group.shape, points);
            let of_nodes: Vec<Vec<f64>> = first.iter().map(|p| values[*p].clone()).collect();
            fill(self.staging.values[g].as_mut_slice()?, &of_nodes);
            stream.memcpy_htod(&self.staging.values[g], &mut buffers.values)?;
            if group.shape.has_index() {
                self.staging.index[g].as_mut_slice()?[..index.len()].copy_from_slice(&index);
                stream.memcpy_htod(&self.staging.index[g], &mut buffers.index)?;
            }
            forward.group(group, buffers, first.len())?;
        }
        self.frozen = true;
        forward.points(&mut self.buffers, points.len())?;
        stream.memcpy_dtoh(&self.buffers.outputs, &mut self.staging.outputs)?;
        self.under_way = points.len();
        Ok(())
    }

    /// Waits for the batch under way, if there is one, and reads its results.
    pub fn finish(&mut self) -> Result<Vec<PointOutput>, DriverError> {
        let points = std::mem::take(&mut self.under_way);
        self.queue.stream().synchronize()?;
        Ok(self.staging.outputs.as_slice()?[..points].to_vec())
    }
}

/// Copies rows behind one another.
fn fill(out: &mut [f64], rows: &[Vec<f64>]) {
    rows.iter().flatten().zip(out).for_each(|(value, out)| *out = *value);
}

/// The node of each point, and the first point of each node, in order of appearance.
pub(super) fn nodes(scene: &Scene, group: &GroupShape, points: &[Point]) -> (Vec<i32>, Vec<usize>) {
    if group.is_frozen() {
        return (Vec::new(), vec![0]);
    }
    if group.moves_with_all {
        return (Vec::new(), (0..points.len()).collect());
    }
    let grid = &scene.landscape.grid;
    let mut known: HashMap<usize, i32> = HashMap::new();
    let mut first = Vec::new();
    let index = points.iter().enumerate().map(|(place, point)| {
        let key = group.axes.iter().fold(0, |key, a| key * grid.shape()[*a] + grid.coordinate(*point, *a));
        *known.entry(key).or_insert_with(|| {
            first.push(place);
            first.len() as i32 - 1
        })
    });
    (index.collect(), first)
}

/// Slots, and enough of them that one computes while another is prepared.
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    capacity: usize,
}

impl<T: CudaReal> Slots<T> {
    /// One slot a queue, for batches of at most `capacity` points.
    pub fn new(queues: &[Queue], shape: &SceneShape, capacity: usize) -> Result<Slots<T>, DriverError> {
        let slots = queues.iter().map(|q| Slot::new(q.clone(), shape, capacity));
        Ok(Slots { slots: slots.collect::<Result<_, _>>()?, capacity })
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

/// The kernels' streams.
pub fn queues(
    context: &Arc<cudarc::driver::CudaContext>,
    kernels: &Arc<crate::engine::cuda::queue::Kernels>,
    count: usize,
) -> Result<Vec<Queue>, DriverError> {
    (0..count).map(|_| Ok(Queue::new(context.new_stream()?, kernels.clone()))).collect()
}
