//! Launches between tables, features and sums.

use std::ops::Range;

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::Batch;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::chgnet::buffers::{DirectedBuffers, RowBuffers};
use crate::engine::cuda::chgnet::shape::Total;
use crate::engine::cuda::chgnet::tables::{FunctionTable, LinearTable, ModelTables, NetworkTables};
use crate::engine::cuda::layout::Place;
use crate::engine::cuda::queue::{Kernel, blocks, threads};
use crate::potential::chgnet::FEATURES;

/// Rows and columns of a tile of `linear_rows`, as in `kernels/linear.cu`.
const TILE: (usize, usize) = (128, 64);

/// Threads that share a row of features.
pub(super) const QUADS: usize = FEATURES / 4;

/// Some columns of a table for the rows from one total to another, at the places of these rows.
pub fn look_up<T: CudaReal>(
    batch: Batch,
    (table, columns): (&FunctionTable<T>, Range<usize>),
    places: &CudaSlice<Place<T>>,
    (totals, [first, last]): (&CudaSlice<i32>, [Total; 2]),
    out: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (rows, width) = (batch.rows(last), columns.len());
    assert!(columns.end <= table.columns && width.is_multiple_of(4) && columns.start.is_multiple_of(4));
    assert!(places.len() >= rows && out.len() >= rows * width && totals.len() >= Total::COUNT);
    let lengths = [table.columns, columns.start, width].map(|n| n as i32);
    let range = [first as i32, last as i32];
    let mut launch = batch.queue.arguments(Kernel::LookUp);
    launch.arg(&table.coefficients);
    launch.numbers(&lengths);
    launch.arg(places).arg(totals);
    launch.numbers(&range);
    launch.arg(out);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; places are within their
    // table, and there are no more rows than the shape says.
    unsafe { launch.launch(threads(rows * width / 4)) }
}

/// First features of the atoms.
pub fn first_atoms<T: CudaReal>(
    batch: Batch,
    (model, scene): (&ModelTables<T>, &NetworkTables),
    atoms: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (sites, rows) = (batch.shape.atoms.sites, batch.rows(Total::Atoms));
    assert!(model.embeddings.len() >= model.elements * FEATURES && scene.elements.len() >= sites);
    assert!(atoms.len() >= rows * FEATURES);
    let lengths = [sites, batch.points].map(|n| n as i32);
    let mut launch = batch.queue.arguments(Kernel::FirstAtoms);
    launch.arg(&model.embeddings).arg(&scene.elements);
    launch.numbers(&lengths);
    launch.arg(atoms);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan names elements
    // of the model.
    unsafe { launch.launch(threads(rows * QUADS)) }
}

/// Adds the messages of the first layer along long bonds to the features of the atoms.
pub fn long_messages<T: CudaReal>(
    batch: Batch,
    (model, scene): (&ModelTables<T>, &NetworkTables),
    rows: &RowBuffers<T>,
    atoms: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (sites, points, table) = (batch.shape.atoms.sites, batch.points, &model.messages);
    let size = (model.limits.first_messages.intervals as usize + 5) * table.columns;
    assert!(table.coefficients.len() >= model.elements * model.elements * size);
    assert!(table.columns >= FEATURES && scene.elements.len() >= sites);
    assert!(rows.directed.rows.len() >= batch.rows(Total::Directed));
    assert!(rows.directed.begins.len() >= points * (sites + 1));
    assert!(rows.first_places.len() >= batch.rows(Total::Bonds) && rows.totals.len() >= Total::COUNT);
    assert!(atoms.len() >= batch.rows(Total::Atoms) * FEATURES);
    let (size, columns, elements) = (size as i64, table.columns as i32, model.elements as i32);
    let lengths = [sites, points].map(|n| n as i32);
    let mut launch = batch.queue.arguments(Kernel::LongMessages);
    launch.arg(&table.coefficients).arg(&size).arg(&columns).arg(&scene.elements).arg(&elements);
    launch.arg(&rows.directed.rows).arg(&rows.directed.begins).arg(&rows.first_places).arg(&rows.totals);
    launch.numbers(&lengths);
    launch.arg(atoms);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; rows name atoms and
    // bonds of the batch, and places are within their table.
    unsafe { launch.launch(threads(batch.rows(Total::Atoms) * QUADS)) }
}

/// A matrix product of rows, added to what is there if `accumulate`.
pub fn linear_rows<T: CudaReal>(
    batch: Batch,
    (totals, total): (&CudaSlice<i32>, Total),
    table: &LinearTable<T>,
    (input, output): (&CudaSlice<T>, &mut CudaSlice<T>),
    accumulate: bool,
) -> Result<(), DriverError> {
    let (rows, LinearTable { inputs, outputs, .. }) = (batch.rows(total), table);
    assert!(inputs.is_multiple_of(16) && outputs.is_multiple_of(4) && totals.len() >= Total::COUNT);
    assert!(table.weights.len() >= inputs * outputs);
    assert!(table.bias.as_ref().is_none_or(|bias| bias.len() >= *outputs));
    assert!(input.len() >= rows * inputs && output.len() >= rows * outputs);
    let (total, accumulate) = (total as i32, i32::from(accumulate));
    let (none, lengths) = (0_u64, [*inputs as i32, *outputs as i32]);
    let mut launch = batch.queue.arguments(Kernel::LinearRows);
    launch.arg(input).arg(&table.weights);
    match &table.bias {
        Some(bias) => launch.arg(bias),
        None => launch.arg(&none),
    };
    launch.arg(totals).arg(&total);
    launch.numbers(&lengths);
    launch.arg(&accumulate).arg(output);
    // SAFETY: the arguments are those of the kernel (a null pointer for no bias), and the arrays as long as asserted
    // above; there are no more rows than the shape says; one block a tile.
    unsafe { launch.launch(blocks(rows.div_ceil(TILE.0) * outputs.div_ceil(TILE.1))) }
}

/// Messages along bonds times the weights of the bonds, summed by centre.
pub fn sum_atoms<T: CudaReal>(
    batch: Batch,
    directed: &DirectedBuffers,
    (weights, messages): (&CudaSlice<T>, &CudaSlice<T>),
    sums: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (sites, rows) = (batch.shape.atoms.sites, batch.rows(directed.total));
    assert!(directed.rows.len() >= rows && messages.len() >= rows * FEATURES);
    assert!(directed.begins.len() >= batch.points * (sites + 1));
    assert!(weights.len() >= batch.rows(Total::Bonds) * FEATURES);
    assert!(sums.len() >= batch.rows(Total::Atoms) * FEATURES);
    let lengths = [sites, batch.points].map(|n| n as i32);
    let mut launch = batch.queue.arguments(Kernel::SumAtoms);
    launch.arg(&directed.rows).arg(&directed.begins).arg(weights).arg(messages);
    launch.numbers(&lengths);
    launch.arg(sums);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; rows name bonds of the
    // batch.
    unsafe { launch.launch(threads(batch.rows(Total::Atoms) * QUADS)) }
}

/// Messages along angles times the weights of both bonds, summed by the first one.
pub fn sum_bonds<T: CudaReal>(
    batch: Batch,
    rows: &RowBuffers<T>,
    (weights, messages): (&CudaSlice<T>, &CudaSlice<T>),
    sums: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (angles, short) = (batch.rows(Total::Angles), batch.rows(Total::Short));
    assert!(rows.angles.len() >= angles && messages.len() >= angles * FEATURES);
    assert!(rows.bond_begins.len() > short && rows.totals.len() >= Total::COUNT);
    assert!(weights.len() >= short * FEATURES && sums.len() >= short * FEATURES);
    let mut launch = batch.queue.arguments(Kernel::SumBonds);
    launch.arg(&rows.angles).arg(&rows.bond_begins).arg(weights).arg(messages).arg(&rows.totals).arg(sums);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; rows name short bonds of
    // the batch, of which there are no more than the shape says.
    unsafe { launch.launch(threads(short * QUADS)) }
}

/// The norm of the atoms' features before the readout; `norm` is scale and shift.
pub fn norm_atoms<T: CudaReal>(
    batch: Batch,
    norm: &CudaSlice<T>,
    atoms: &CudaSlice<T>,
    out: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let rows = batch.rows(Total::Atoms);
    assert!(norm.len() >= 2 * FEATURES);
    assert!(atoms.len() >= rows * FEATURES && out.len() >= rows * FEATURES);
    let lengths = [batch.shape.atoms.sites, batch.points].map(|n| n as i32);
    let mut launch = batch.queue.arguments(Kernel::NormAtoms);
    launch.arg(atoms).arg(norm);
    launch.numbers(&lengths);
    launch.arg(out);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(rows * QUADS)) }
}

/// silu of what the readout makes of atoms, in place.
pub fn activate<T: CudaReal>(batch: Batch, values: &mut CudaSlice<T>) -> Result<(), DriverError> {
    let rows = batch.rows(Total::Atoms);
    assert!(values.len() >= rows * FEATURES);
    let count = rows as i32;
    let mut launch = batch.queue.arguments(Kernel::Activate);
    launch.arg(&count).arg(values);
    // SAFETY: the arguments are those of the kernel, and the array as long as asserted above.
    unsafe { launch.launch(threads(rows * QUADS)) }
}
