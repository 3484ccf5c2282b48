//! Batches under way: one slot is prepared and read by the host while the device computes another.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DeviceRepr, DriverError};

use super::Network;
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
    /// Until it is handed on.
    staging: Option<Staging>,
    /// Points of the batch under way; none if the slot is free.
    under_way: usize,
    /// Whether operators that no axis moves are there.
    frozen: bool,
}

/// What all batches of a scene share.
pub struct Shared<'a, T: CudaReal, N: Network<T>> {
    /// The scene as it is.
    pub scene: &'a Scene,
    /// Its lengths.
    pub shape: &'a SceneShape,
    /// On the device.
    pub tables: &'a SceneTables<N::Tables>,
    /// The model on the device.
    pub model: &'a ModelTables<T>,
}

impl<T: CudaReal> Slot<T> {
    /// A slot for batches of at most `capacity` points; `old` is what an earlier one had of the host's memory.
    pub fn new(
        queue: Queue,
        shape: &SceneShape,
        capacity: usize,
        old: Option<Staging>,
    ) -> Result<Slot<T>, DriverError> {
        let buffers = Buffers::new(&queue, shape, capacity)?;
        let staging = Staging::new(&queue, shape, capacity, old)?;
        Ok(Slot { queue, buffers, staging: Some(staging), under_way: 0, frozen: false })
    }

    /// Starts a batch; the slot must be free.
    pub fn start<N: Network<T>>(
        &mut self,
        shared: &Shared<T, N>,
        points: &[Point],
    ) -> Result<(), DriverError> {
        let Some(staging) = &mut self.staging else { return Ok(()) };
        let Shared { scene, shape, tables, model } = *shared;
        let forward = Forward::<T, N> { queue: &self.queue, shape, model, scene: tables };
        let stream = self.queue.stream();
        let (mut values, mut index) = (staging.values.as_mut_slice()?, staging.index.as_mut_slice()?);
        let of_points: Vec<f64> = points.iter().flat_map(|p| scene.axis_values(*p)).collect();
        let of_point = |p: &usize| &of_points[p * shape.axes..][..shape.axes];
        copy(stream, take(&mut values, &of_points), &mut self.buffers.values)?;
        for (g, group) in tables.groups.iter().enumerate().filter(|(_, g)| g.shape.shells > 0) {
            let buffers = &mut self.buffers.groups[g];
            if group.shape.is_frozen() && self.frozen {
                continue;
            }
            let (of_nodes, first) = nodes(scene, &group.shape, points);
            let of_first: Vec<f64> = first.iter().flat_map(|p| of_point(p).iter().copied()).collect();
            copy(stream, take(&mut values, &of_first), &mut buffers.values)?;
            copy(stream, take(&mut index, &of_nodes), &mut buffers.index)?;
            forward.group(group, buffers, first.len())?;
        }
        self.frozen = true;
        forward.points(&mut self.buffers, points.len())?;
        let outputs = &mut staging.outputs.as_mut_slice()?[..points.len()];
        stream.memcpy_dtoh(&self.buffers.outputs.slice(..points.len()), outputs)?;
        self.under_way = points.len();
        Ok(())
    }

    /// Waits for the batch under way, if there is one, and reads its results.
    pub fn finish(&mut self) -> Result<Vec<PointOutput>, DriverError> {
        let points = std::mem::take(&mut self.under_way);
        self.queue.stream().synchronize()?;
        let outputs = self.staging.as_ref().map(|s| s.outputs.as_slice()).transpose()?;
        Ok(outputs.unwrap_or_default()[..points].to_vec())
    }
}

/// Puts numbers at the front of what is left of a buffer of the host.
fn take<'s, N: Copy>(left: &mut &'s mut [N], numbers: &[N]) -> &'s [N] {
    let (front, rest) = std::mem::take(left).split_at_mut(numbers.len());
    *left = rest;
    front.copy_from_slice(numbers);
    front
}

/// Copies pinned numbers to the device when the stream comes to it.
fn copy<N: DeviceRepr>(
    stream: &Arc<CudaStream>,
    from: &[N],
    to: &mut CudaSlice<N>,
) -> Result<(), DriverError> {
    if from.is_empty() { Ok(()) } else { stream.memcpy_htod(from, to) }
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

/// All slots of a scene: where there are several, one is prepared while another computes.
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    capacity: usize,
}

impl<T: CudaReal> Slots<T> {
    /// One slot a queue, for batches of at most `capacity` points. They take what they can use of `old`.
    pub fn new(
        queues: &[Queue],
        shape: &SceneShape,
        capacity: usize,
        old: &mut Vec<Staging>,
    ) -> Result<Slots<T>, DriverError> {
        let slots = queues.iter().map(|q| Slot::new(q.clone(), shape, capacity, old.pop()));
        Ok(Slots { slots: slots.collect::<Result<_, _>>()?, capacity })
    }

    /// Gives up the slots for what they have of the host's memory, once all that is under way has ended.
    pub fn into_staging(mut self) -> Result<Vec<Staging>, DriverError> {
        self.slots.iter().try_for_each(|slot| slot.queue.stream().synchronize())?;
        Ok(self.slots.iter_mut().filter_map(|slot| slot.staging.take()).collect())
    }

    /// Results of points, in their order.
    pub fn evaluate<N: Network<T>>(
        &mut self,
        shared: &Shared<T, N>,
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
