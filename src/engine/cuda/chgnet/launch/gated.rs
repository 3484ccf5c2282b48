//! Launches of gated messages.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::Batch;
use super::features::QUADS;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::chgnet::buffers::{DirectedBuffers, RowBuffers};
use crate::engine::cuda::chgnet::shape::{BOTH, Total};
use crate::engine::cuda::chgnet::tables::GatedTable;
use crate::engine::cuda::queue::{Kernel, blocks, threads};
use crate::potential::chgnet::FEATURES;

/// Rows of a block, `GATED_ROWS` in `kernels/gated.cu`.
const BLOCK_ROWS: usize = 64;

/// Messages along bonds; `of_atoms` is `[atom][2][BOTH]`, `of_bonds` `[bond][BOTH]`.
pub fn bond_messages<T: CudaReal>(
    batch: Batch,
    gated: &GatedTable<T>,
    (directed, totals): (&DirectedBuffers, &CudaSlice<i32>),
    (of_atoms, of_bonds): (&CudaSlice<T>, &CudaSlice<T>),
    messages: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    let (rows, total) = (batch.rows(directed.total), directed.total as i32);
    assert!(directed.rows.len() >= rows && messages.len() >= rows * FEATURES && totals.len() >= Total::COUNT);
    assert!(of_atoms.len() >= batch.rows(Total::Atoms) * 2 * BOTH);
    assert!(of_bonds.len() >= batch.rows(Total::Bonds) * BOTH);
    assert!(gated.second.len() >= 2 * FEATURES * FEATURES && gated.norms.len() >= 3 * BOTH);
    let mut launch = batch.queue.arguments(Kernel::BondMessages);
    launch.arg(&directed.rows).arg(of_atoms).arg(of_bonds).arg(&gated.second).arg(&gated.norms);
    launch.arg(totals).arg(&total).arg(messages);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; rows name atoms and
    // bonds of the batch, and there are no more than the shape says.
    unsafe { launch.launch(blocks(rows.div_ceil(BLOCK_ROWS))) }
}

/// What goes into messages along angles.
#[derive(Clone, Copy)]
pub struct AngleInputs<'a, T> {
    /// `[angle][BOTH]`.
    pub of_angles: &'a CudaSlice<T>,
    /// `[bond][2][BOTH]`.
    pub of_bonds: &'a CudaSlice<T>,
    /// `[atom][BOTH]`.
    pub of_atoms: &'a CudaSlice<T>,
}

impl<T: CudaReal> AngleInputs<'_, T> {
    fn check(&self, batch: Batch, gated: &GatedTable<T>, rows: &RowBuffers<T>) {
        let angles = batch.rows(Total::Angles);
        assert!(rows.angles.len() >= angles && self.of_angles.len() >= angles * BOTH);
        assert!(self.of_bonds.len() >= batch.rows(Total::Short) * 2 * BOTH);
        assert!(self.of_atoms.len() >= batch.rows(Total::Atoms) * BOTH);
        assert!(gated.norms.len() >= 3 * BOTH && rows.totals.len() >= Total::COUNT);
    }
}

/// Messages along angles.
pub fn angle_messages<T: CudaReal>(
    batch: Batch,
    gated: &GatedTable<T>,
    rows: &RowBuffers<T>,
    inputs: AngleInputs<T>,
    messages: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    inputs.check(batch, gated, rows);
    let angles = batch.rows(Total::Angles);
    assert!(gated.second.len() >= 2 * FEATURES * FEATURES && messages.len() >= angles * FEATURES);
    let mut launch = batch.queue.arguments(Kernel::AngleMessages);
    launch.arg(&rows.angles).arg(inputs.of_angles).arg(inputs.of_bonds).arg(inputs.of_atoms);
    launch.arg(&gated.second).arg(&gated.norms).arg(&rows.totals).arg(messages);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; rows name atoms and
    // bonds of the batch, and there are no more than the shape says.
    unsafe { launch.launch(blocks(angles.div_ceil(BLOCK_ROWS))) }
}

/// Adds gated messages without second layers to the features of the angles.
pub fn update_angles<T: CudaReal>(
    batch: Batch,
    gated: &GatedTable<T>,
    rows: &RowBuffers<T>,
    inputs: AngleInputs<T>,
    angles: &mut CudaSlice<T>,
) -> Result<(), DriverError> {
    inputs.check(batch, gated, rows);
    let count = batch.rows(Total::Angles);
    assert!(angles.len() >= count * FEATURES);
    let mut launch = batch.queue.arguments(Kernel::UpdateAngles);
    launch.arg(&rows.angles).arg(inputs.of_angles).arg(inputs.of_bonds).arg(inputs.of_atoms);
    launch.arg(&gated.norms).arg(&rows.totals).arg(angles);
    // SAFETY: as for `angle_messages`.
    unsafe { launch.launch(threads(count * QUADS)) }
}
