//! The launch of SevenNet's own kernel.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::plan::GATE_CHANNELS;
use super::tables::GateTables;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::pairs::tables::ModelTables;
use crate::engine::cuda::queue::{Kernel, Queue, threads};
use crate::potential::sevennet::KAPPA;

/// Features from z: activated scalars, and other degrees times their activated gates.
pub fn gate<T: CudaReal>(
    queue: &Queue,
    (tables, model): (&GateTables, &ModelTables<T>),
    (z, features): (&CudaSlice<T>, &mut CudaSlice<T>),
    points: usize,
) -> Result<(), DriverError> {
    assert!(tables.gates.len() >= tables.gate_count && model.biases.len() >= tables.biases);
    assert!(z.len() >= tables.z * points && features.len() >= tables.features * points);
    let lengths = [tables.gate_count, points].map(|n| n as i32);
    let kappa = T::from_f64(KAPPA);
    let mut launch = queue.arguments(Kernel::Gate);
    launch.arg(&tables.gates).arg(z).arg(&model.biases).arg(&kappa);
    launch.numbers(&lengths);
    launch.arg(features);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan places all rows
    // within z, the features and the biases that it says.
    unsafe { launch.launch(threads(tables.gate_count * points * GATE_CHANNELS / 4)) }
}
