//! Batches under way: one slot is prepared and read by the host while the device computes another.

use std::sync::Arc;

use cudarc::driver::{CudaContext, DriverError, PinnedHostSlice};

use super::layout::PointOutput;
use super::queue::{Kernels, Queue};
use crate::engine::PointResult;
use crate::landscape::Point;

/// Pinned memory of the host, so that copies do not wait for one another. Only to be touched when the stream is idle.
#[derive(Debug)]
pub struct Staging {
    /// Axis values.
    pub values: PinnedHostSlice<f64>,
    /// Numbers of nodes.
    pub index: PinnedHostSlice<i32>,
    /// Results.
    pub outputs: PinnedHostSlice<PointOutput>,
}

/// Lengths of [`Staging`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields are those of Staging")]
pub struct StagingLengths {
    pub values: usize,
    pub index: usize,
    pub outputs: usize,
}

impl Staging {
    /// At least as long as told; takes what there is if that is long enough.
    fn new(queue: &Queue, least: StagingLengths, old: Option<Staging>) -> Result<Staging, DriverError> {
        let StagingLengths { values, index, outputs } = least;
        let is_enough = |old: &Staging| {
            old.values.len() >= values && old.index.len() >= index && old.outputs.len() >= outputs
        };
        if let Some(old) = old.filter(is_enough) {
            return Ok(old);
        }
        let context = queue.stream().context();
        // Cached by the processor, unlike cudarc's default: results are read from it.
        // SAFETY: plain numbers, for which any bits are valid; the part that is used is written first.
        unsafe {
            Ok(Staging {
                values: context.alloc_pinned_with_flags(values.max(1), 0)?,
                index: context.alloc_pinned_with_flags(index.max(1), 0)?,
                outputs: context.alloc_pinned_with_flags(outputs.max(1), 0)?,
            })
        }
    }
}

/// A stream with buffers of its own.
struct Slot<B> {
    queue: Queue,
    buffers: B,
    /// Until it is handed on.
    staging: Option<Staging>,
    /// Points of the batch under way; none if the slot is free.
    under_way: usize,
}

impl<B> Slot<B> {
    /// Waits for the batch under way, if there is one, and reads its results.
    fn finish(&mut self) -> Result<Vec<PointResult>, DriverError> {
        let points = std::mem::take(&mut self.under_way);
        self.queue.stream().synchronize()?;
        let outputs = self.staging.as_ref().map(|s| s.outputs.as_slice()).transpose()?;
        Ok(outputs.unwrap_or_default()[..points].iter().map(|out| PointResult::from(*out)).collect())
    }
}

impl<B> Drop for Slot<B> {
    fn drop(&mut self) {
        // Buffers must not go while kernels use them. If the device has failed, nothing uses them any more.
        let _ = self.queue.stream().synchronize();
    }
}

/// All slots of a scene: where there are several, one is prepared while another computes.
pub struct Slots<B> {
    slots: Vec<Slot<B>>,
    capacity: usize,
}

impl<B> Slots<B> {
    /// One slot a queue, for batches of at most `capacity` points, with what `buffers` gives. They take what they can use
    /// of `old`, what earlier ones had of the host's memory.
    pub fn new(
        queues: &[Queue],
        (capacity, least): (usize, StagingLengths),
        old: &mut Vec<Staging>,
        buffers: impl Fn(&Queue) -> Result<B, DriverError>,
    ) -> Result<Slots<B>, DriverError> {
        let slot = |queue: &Queue| {
            let buffers = buffers(queue)?;
            let staging = Some(Staging::new(queue, least, old.pop())?);
            Ok(Slot { queue: queue.clone(), buffers, staging, under_way: 0 })
        };
        Ok(Slots { slots: queues.iter().map(slot).collect::<Result<_, DriverError>>()?, capacity })
    }

    /// Gives up the slots for what they have of the host's memory, once all that is under way has ended.
    pub fn into_staging(mut self) -> Result<Vec<Staging>, DriverError> {
        self.slots.iter().try_for_each(|slot| slot.queue.stream().synchronize())?;
        Ok(self.slots.iter_mut().filter_map(|slot| slot.staging.take()).collect())
    }

    /// Results of points, in their order. `start` launches a batch in a slot that is free, and what copies its results to
    /// the host.
    pub fn evaluate(
        &mut self,
        points: &[Point],
        start: impl Fn(&Queue, &mut B, &mut Staging, &[Point]) -> Result<(), DriverError>,
    ) -> Result<Vec<PointResult>, DriverError> {
        let mut results = Vec::with_capacity(points.len());
        let count = self.slots.len();
        let batches = points.chunks(self.capacity);
        let last = batches.len();
        for (k, batch) in batches.enumerate() {
            let slot = &mut self.slots[k % count];
            results.extend(slot.finish()?);
            if let Some(staging) = &mut slot.staging {
                start(&slot.queue, &mut slot.buffers, staging, batch)?;
                slot.under_way = batch.len();
            }
        }
        for k in last..last + count {
            results.extend(self.slots[k % count].finish()?);
        }
        Ok(results)
    }
}

/// Queues of kernels, each with a stream of its own.
pub fn queues(
    context: &Arc<CudaContext>,
    kernels: &Arc<Kernels>,
    count: usize,
) -> Result<Vec<Queue>, DriverError> {
    (0..count).map(|_| Ok(Queue::new(context.new_stream()?, kernels.clone()))).collect()
}
