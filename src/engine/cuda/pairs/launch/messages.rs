//! Launches of what follows the operators, in all families.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::super::buffers::Buffers;
use super::super::shape::SceneShape;
use super::super::tables::{MessageTables, ModelTables, ProductTables, SceneTables};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::Group;
use crate::engine::cuda::queue::{Kernel, Queue, blocks, threads};

/// Rows and columns of a tile of `linear`, as in `kernels/linear.cu`.
const TILE: (usize, usize) = (128, 64);

/// Messages of layer 0 from operators that are kept.
pub fn apply_first<T: CudaReal>(
    queue: &Queue,
    (channels, tables): (usize, &MessageTables),
    views: &CudaSlice<Group>,
    sums: &mut CudaSlice<T>,
    points: usize,
) -> Result<(), DriverError> {
    assert!(tables.outputs.len() >= tables.output_count && channels.is_multiple_of(4));
    assert!(sums.len() >= tables.output_count * points * channels);
    let lengths = [tables.output_count, channels, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::ApplyFirst);
    launch.arg(views).arg(&tables.outputs).arg(&tables.terms);
    launch.numbers(&lengths);
    launch.arg(sums);
    let batches = points.div_ceil(T::POINTS);
    // SAFETY: the arguments are those of the kernel; outputs are numbered without gaps, so all lie within what is
    // asserted above, and terms name operators of kept groups.
    unsafe { launch.launch(threads(tables.output_count * batches * channels / 4)) }
}

/// Messages of a later layer by paths from operators that are kept and the features that are sent.
pub fn apply_later<T: CudaReal>(
    queue: &Queue,
    (channels, tables): (usize, &MessageTables),
    views: &CudaSlice<Group>,
    (features, sums): (&CudaSlice<T>, &mut CudaSlice<T>),
    points: usize,
) -> Result<(), DriverError> {
    assert!(tables.outputs.len() >= tables.output_count && channels.is_multiple_of(4));
    assert!(sums.len() >= tables.output_count * points * channels);
    let lengths = [tables.output_count, channels, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::ApplyLater);
    launch.arg(views).arg(&tables.outputs).arg(&tables.terms).arg(features);
    launch.numbers(&lengths);
    launch.arg(sums);
    let batches = points.div_ceil(T::POINTS);
    // SAFETY: as for `apply_first`; terms name rows of the features, of which the caller has all.
    unsafe { launch.launch(threads(tables.output_count * batches * channels / 4)) }
}

/// Adds to the messages of layer 0 what comes through operators that are not kept.
pub fn first_messages<T: CudaReal>(
    queue: &Queue,
    (channels, tables): (usize, &MessageTables),
    (views, model): (&CudaSlice<Group>, &ModelTables<T>),
    sums: &mut CudaSlice<T>,
    points: usize,
) -> Result<(), DriverError> {
    let count = tables.block_count();
    assert!(tables.blocks.len() >= count && channels.is_multiple_of(4));
    assert!(sums.len() >= tables.output_count * points * channels);
    let lengths = [count, channels, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::FirstMessages);
    launch.arg(views).arg(&tables.blocks).arg(&tables.ways).arg(&model.tables);
    launch.numbers(&lengths);
    launch.arg(sums);
    // SAFETY: the arguments are those of the kernel; blocks are rows of the outputs, which are as long as asserted
    // above, and ways name pairs of their groups and functions within the tables.
    unsafe { launch.launch(threads(points * count * channels / 4)) }
}

/// The same for a later layer.
pub fn later_messages<T: CudaReal>(
    queue: &Queue,
    (channels, tables): (usize, &MessageTables),
    (views, model): (&CudaSlice<Group>, &ModelTables<T>),
    (features, sums): (&CudaSlice<T>, &mut CudaSlice<T>),
    points: usize,
) -> Result<(), DriverError> {
    let count = tables.block_count();
    assert!(tables.blocks.len() >= count && channels.is_multiple_of(4));
    assert!(sums.len() >= tables.output_count * points * channels);
    let lengths = [channels, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::LaterMessages);
    launch.arg(views).arg(&tables.blocks).arg(&tables.ways).arg(&model.tables).arg(features);
    launch.arg(&tables.counts);
    launch.numbers(&lengths);
    launch.arg(sums);
    // SAFETY: as for `first_messages`; ways name rows of the features, of which the caller has all.
    unsafe { launch.launch(threads(points * count * channels / 4)) }
}

/// Matrix products of the rows of all points.
pub fn linear<T: CudaReal>(
    queue: &Queue,
    products: &ProductTables,
    model: &ModelTables<T>,
    (input, output): (&CudaSlice<T>, &mut CudaSlice<T>),
    points: usize,
) -> Result<(), DriverError> {
    let mut tiles = 0;
    for product in &products.host {
        let rows = product.rows as usize * points;
        let [inputs, outputs] = [product.inputs, product.outputs].map(|n| n as usize);
        assert!(inputs.is_multiple_of(16) && outputs.is_multiple_of(4));
        assert!(input.len() >= product.input as usize * points + rows * inputs);
        assert!(output.len() >= product.output as usize * points + rows * outputs);
        assert!(model.matrices.len() >= product.weights as usize + inputs * outputs);
        assert!(product.bias < 0 || model.biases.len() >= product.bias as usize + outputs);
        tiles += rows.div_ceil(TILE.0) * outputs.div_ceil(TILE.1);
    }
    if tiles == 0 {
        return Ok(());
    }
    let lengths = [products.host.len() as i32, points as i32];
    let mut launch = queue.arguments(Kernel::Linear);
    launch.arg(&products.device).arg(&lengths[0]).arg(&model.matrices).arg(&model.biases);
    launch.arg(input).arg(&lengths[1]).arg(output);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; one block a tile.
    unsafe { launch.launch(blocks(tiles)) }
}

/// Adds the linear readout of a layer's features of degree 0, which come first.
pub fn linear_readout<T: CudaReal>(
    queue: &Queue,
    (sites, channels): (usize, usize),
    (weights, constants): (&CudaSlice<f64>, &CudaSlice<f64>),
    (features, readouts): (&CudaSlice<T>, &mut CudaSlice<f64>),
    points: usize,
) -> Result<(), DriverError> {
    assert!(weights.len() >= channels && constants.len() >= sites);
    assert!(features.len() >= sites * points * channels && readouts.len() >= sites * points);
    let lengths = [sites, channels, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::LinearReadout);
    launch.arg(features).arg(weights).arg(constants);
    launch.numbers(&lengths);
    launch.arg(readouts);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(32 * sites * points)) }
}

/// Energies, distance costs and smallest distances.
pub fn energy<T: CudaReal, L>(
    queue: &Queue,
    (shape, tables): (&SceneShape, &SceneTables<L>),
    buffers: &mut Buffers<T>,
    points: usize,
) -> Result<(), DriverError> {
    let separation = &tables.separation;
    assert!(tables.incoming_begins.len() > shape.sites && tables.energies.len() >= shape.sites);
    assert!(separation.multiplicities.len() >= shape.representatives);
    assert!(buffers.readouts.len() >= shape.sites * points && buffers.outputs.len() >= points);
    assert!(buffers.missing.len() >= shape.representatives * points);
    assert!(buffers.smallest.len() >= shape.representatives * points && points <= buffers.capacity);
    let lengths =
        [shape.scalars.saturating_sub(1), shape.sites, shape.representatives, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Energy);
    launch.arg(&buffers.views).arg(&tables.incoming).arg(&tables.incoming_begins).arg(&tables.energies);
    launch.arg(&buffers.readouts).arg(&separation.multiplicities);
    launch.arg(&buffers.missing).arg(&buffers.smallest);
    launch.arg(&separation.self_cost).arg(&separation.shortest);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.outputs);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the views are of buffers
    // that live as long as they do, for at least so many points.
    unsafe { launch.launch(threads(points)) }
}
