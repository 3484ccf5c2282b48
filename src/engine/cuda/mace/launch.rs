//! Launches of MACE's own kernels.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::tables::ContractionTables;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::pairs::buffers::Buffers;
use crate::engine::cuda::pairs::shape::SceneShape;
use crate::engine::cuda::pairs::tables::SceneTables;
use crate::engine::cuda::queue::{Kernel, Queue, threads};

/// 1 / (1 + density) of every site.
pub fn normalise<T: CudaReal, L>(
    queue: &Queue,
    (shape, tables): (&SceneShape, &SceneTables<L>),
    buffers: &mut Buffers<T>,
    column: usize,
    points: usize,
) -> Result<(), DriverError> {
    assert!(tables.incoming_begins.len() > shape.sites && column < shape.scalars);
    assert!(buffers.normalisers.len() >= shape.sites * points && points <= buffers.capacity);
    let lengths = [column, shape.sites, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Normalise);
    launch.arg(&buffers.views).arg(&tables.incoming).arg(&tables.incoming_begins);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.normalisers);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the views are of buffers
    // that live as long as they do, for at least so many points.
    unsafe { launch.launch(threads(shape.sites * points)) }
}

/// Symmetric contractions of the messages of all sites.
pub fn contract<T: CudaReal>(
    queue: &Queue,
    (shape, tables): (&SceneShape, &ContractionTables<T>),
    (messages, normalisers): (&CudaSlice<T>, Option<&CudaSlice<T>>),
    products: &mut CudaSlice<T>,
    points: usize,
) -> Result<(), DriverError> {
    assert!(tables.contractions.len() >= shape.sites);
    assert!(messages.len() >= shape.network.messages * points);
    assert!(normalisers.is_none_or(|n| n.len() >= shape.sites * points));
    let lengths = [shape.sites, shape.channels, points].map(|n| n as i32);
    let none = 0_u64;
    let mut launch = queue.arguments(Kernel::Contract);
    launch.arg(&tables.contractions).arg(&tables.polynomials).arg(&tables.programs);
    launch.arg(&tables.coefficients).arg(messages);
    match normalisers {
        Some(normalisers) => launch.arg(normalisers),
        None => launch.arg(&none),
    };
    launch.numbers(&lengths);
    launch.arg(products);
    let batches = points.div_ceil(T::POINTS);
    // SAFETY: the arguments are those of the kernel (a null pointer for no normalisers), the messages as long as
    // asserted above; polynomials name rows of the layer's features, for which the caller gives room.
    unsafe { launch.launch(threads(shape.sites * batches * shape.channels)) }
}

/// Adds the readout of hidden units.
pub fn hidden_readout<T: CudaReal>(
    queue: &Queue,
    (sites, units): (usize, usize),
    weights: &CudaSlice<f64>,
    (hidden, readouts): (&CudaSlice<T>, &mut CudaSlice<f64>),
    points: usize,
) -> Result<(), DriverError> {
    assert!(weights.len() >= units && hidden.len() >= sites * points * units);
    assert!(readouts.len() >= sites * points);
    let lengths = [sites, units, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::HiddenReadout);
    launch.arg(hidden).arg(weights);
    launch.numbers(&lengths);
    launch.arg(readouts);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(sites * points)) }
}
