//! How many points of a scene fit into a device's memory.

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY;

use super::DeviceError;
use super::device::Device;
use super::queue::MOST_THREADS;
use crate::engine::EngineError;

/// Memory that is left alone: for the driver, and for kernels that the driver loads later.
const RESERVE: usize = 256 << 20;

/// Batches under way at a time.
pub const SLOTS: usize = 2;

/// What batches of a scene take.
pub struct Needs<B, L> {
    /// Points of the scene.
    pub points: usize,
    /// Most points of a batch.
    pub most: usize,
    /// Bytes of the buffers for batches of at most so many points.
    pub bytes: B,
    /// Threads of the largest launch for so many points.
    pub threads: L,
}

impl<B: Fn(usize) -> usize, L: Fn(usize) -> usize> Needs<B, L> {
    /// Batches under way at a time, for batches of at most so many points.
    pub fn slots(&self, capacity: usize) -> usize {
        if capacity < self.points { SLOTS } else { 1 }
    }

    /// Bytes of all slots for batches of at most so many points.
    pub fn all_bytes(&self, capacity: usize) -> usize {
        self.slots(capacity) * (self.bytes)(capacity)
    }

    /// Points of the largest batches.
    pub fn largest(&self) -> usize {
        self.points.clamp(1, self.most)
    }

    /// Points of a batch that fit into the memory that is free.
    pub fn capacity(&self, device: &Device) -> Result<usize, EngineError> {
        let free = device.free_memory()?;
        let budget = (free - free / 10).saturating_sub(RESERVE);
        let mut capacity = self.largest();
        let is_launched = |n: usize| (self.threads)(n) <= MOST_THREADS;
        while capacity > 1 && !(self.all_bytes(capacity) <= budget && is_launched(capacity)) {
            capacity /= 2;
        }
        match is_launched(capacity) {
            true => Ok(capacity),
            false => Err(EngineError::Device(
                "the landscape is too large for the GPU engine; use the engine cpu".into(),
            )),
        }
    }

    /// Makes the buffers of all slots: `make` gets the number of slots and the points of a batch. Goes on with smaller
    /// batches where memory that seemed free is not.
    pub fn allocate<R>(
        &self,
        device: &Device,
        mut make: impl FnMut(usize, usize) -> Result<R, DriverError>,
    ) -> Result<R, EngineError> {
        let failed = |e| -> DeviceError { device.failed("preparing a landscape", e) };
        let mut capacity = self.capacity(device)?;
        loop {
            let count = self.slots(capacity);
            let bytes = self.all_bytes(capacity);
            log::debug!("{count} batches of at most {capacity} points, {bytes} bytes");
            match make(count, capacity) {
                Ok(made) => return Ok(made),
                Err(DriverError(CUDA_ERROR_OUT_OF_MEMORY)) if capacity > 1 => {
                    // Half of all points in two batches would take what they took in one.
                    capacity = (capacity / if count == 1 { 2 * SLOTS } else { 2 }).max(1);
                    let name = &device.info.name;
                    log::warn!("{name}: out of memory; going on with batches of {capacity} points");
                }
                Err(error @ DriverError(CUDA_ERROR_OUT_OF_MEMORY)) => {
                    return Err(EngineError::Device(format!(
                        "{}; {} bytes are needed for one point: use the engine cpu, or fewer ranks on this GPU",
                        failed(error),
                        (self.bytes)(1)
                    )));
                }
                Err(error) => return Err(failed(error).into()),
            }
        }
    }
}
