//! Launches of what finds the rows.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::Batch;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::chgnet::buffers::RowBuffers;
use crate::engine::cuda::chgnet::shape::{MostRows, ROW_KINDS, Total};
use crate::engine::cuda::chgnet::tables::NetworkTables;
use crate::engine::cuda::layout::RowLimits;
use crate::engine::cuda::queue::{Kernel, blocks, threads};

/// Lengths of all bonds of the network at some points.
pub fn bond_lengths<T: CudaReal>(
    batch: Batch,
    scene: &NetworkTables,
    values: &CudaSlice<f64>,
    rows: &mut RowBuffers<T>,
) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    if shape.bonds == 0 {
        return Ok(());
    }
    let axes = shape.atoms.axes;
    assert!(scene.vectors.len() >= shape.directed * (axes + 1) * 3 && scene.bonds.len() >= shape.bonds);
    assert!(values.len() >= points * axes && rows.lengths.len() >= points * shape.bonds);
    let lengths = [axes, shape.bonds, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::BondLengths);
    launch.arg(&scene.vectors).arg(&scene.bonds).arg(values);
    launch.numbers(&lengths);
    launch.arg(&mut rows.lengths);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan names directed
    // bonds of the network.
    unsafe { launch.launch(threads(points * shape.bonds)) }
}

/// How many rows each point has.
pub fn count_rows<T: CudaReal>(
    batch: Batch,
    scene: &NetworkTables,
    limits: &RowLimits,
    rows: &mut RowBuffers<T>,
) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    assert!(scene.directed.len() >= shape.directed && scene.angles.len() >= shape.angles);
    assert!(scene.first_angles.len() > shape.bonds);
    assert!(rows.lengths.len() >= points * shape.bonds && rows.counts.len() >= points * ROW_KINDS);
    let lengths = [shape.bonds, shape.directed, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::CountRows);
    launch.arg(&rows.lengths).arg(&scene.directed).arg(&scene.angles).arg(&scene.first_angles);
    launch.arg(&limits.cutoff).arg(&limits.angle_cutoff);
    launch.numbers(&lengths);
    launch.arg(&mut rows.counts);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan's candidates
    // name bonds of the network, and `first_angles` ends at their number.
    unsafe { launch.launch(threads(32 * points)) }
}

/// Where the rows of each point begin, and how many there are.
pub fn scan_rows<T: CudaReal>(batch: Batch, rows: &mut RowBuffers<T>) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    assert!(rows.counts.len() >= points * ROW_KINDS && rows.begins.len() >= points * ROW_KINDS);
    assert!(rows.totals.len() >= Total::COUNT);
    let lengths = [shape.atoms.sites, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::ScanRows);
    launch.arg(&rows.counts);
    launch.numbers(&lengths);
    launch.arg(&mut rows.begins).arg(&mut rows.totals);
    // SAFETY: the arguments are those of the kernel, which is for one block, and the arrays as long as asserted above.
    unsafe { launch.launch(blocks(1)) }
}

/// Rows of bonds without direction, and their places on the tables.
pub fn fill_bonds<T: CudaReal>(
    batch: Batch,
    limits: &RowLimits,
    rows: &mut RowBuffers<T>,
) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    assert!(rows.lengths.len() >= points * shape.bonds && rows.rows.len() >= points * shape.bonds);
    assert!(rows.begins.len() >= points * ROW_KINDS && rows.totals.len() >= Total::COUNT);
    let MostRows { short, bonds, .. } = shape.lengths(points).most;
    assert!(rows.places.len() >= bonds && rows.first_places.len() >= bonds);
    assert!(rows.short_places.len() >= short);
    let lengths = [shape.bonds, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::FillBonds);
    launch.arg(&rows.lengths).arg(&rows.begins).arg(&rows.totals).arg(limits);
    launch.numbers(&lengths);
    launch.arg(&mut rows.rows).arg(&mut rows.places);
    launch.arg(&mut rows.short_places).arg(&mut rows.first_places);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; no point has more rows
    // than the shape says.
    unsafe { launch.launch(threads(32 * points)) }
}

/// Rows of directed bonds.
pub fn fill_directed<T: CudaReal>(
    batch: Batch,
    scene: &NetworkTables,
    rows: &mut RowBuffers<T>,
) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    assert!(scene.directed.len() >= shape.directed && rows.rows.len() >= points * shape.bonds);
    assert!(rows.begins.len() >= points * ROW_KINDS && rows.totals.len() >= Total::COUNT);
    let sites = shape.atoms.sites;
    for directed in [&rows.directed, &rows.short_directed] {
        assert!(directed.rows.len() >= batch.rows(directed.total));
        assert!(directed.begins.len() >= points * (sites + 1));
    }
    let lengths = [shape.bonds, shape.directed, sites, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::FillDirected);
    launch.arg(&scene.directed).arg(&rows.rows).arg(&rows.begins).arg(&rows.totals);
    launch.numbers(&lengths);
    launch.arg(&mut rows.directed.rows).arg(&mut rows.short_directed.rows);
    launch.arg(&mut rows.directed.begins).arg(&mut rows.short_directed.begins);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; candidates come site by
    // site, and no point has more rows than the shape says.
    unsafe { launch.launch(threads(32 * points)) }
}

/// Rows of angles, and their places on the table.
pub fn fill_angles<T: CudaReal>(
    batch: Batch,
    (scene, limits): (&NetworkTables, &RowLimits),
    values: &CudaSlice<f64>,
    rows: &mut RowBuffers<T>,
) -> Result<(), DriverError> {
    let Batch { queue, shape, points } = batch;
    let (axes, most) = (shape.atoms.axes, shape.lengths(points).most);
    assert!(scene.angles.len() >= shape.angles && scene.first_angles.len() > shape.bonds);
    assert!(values.len() >= points * axes);
    assert!(scene.vectors.len() >= shape.directed * (axes + 1) * 3);
    assert!(rows.lengths.len() >= points * shape.bonds && rows.rows.len() >= points * shape.bonds);
    assert!(rows.begins.len() >= points * ROW_KINDS && rows.totals.len() >= Total::COUNT);
    assert!(rows.angles.len() >= most.angles && rows.angle_places.len() >= most.angles);
    assert!(rows.bond_begins.len() > most.short);
    let lengths = [axes, shape.bonds, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::FillAngles);
    launch.arg(&scene.angles).arg(&scene.first_angles).arg(&scene.vectors).arg(&scene.legs).arg(values);
    launch.arg(&rows.lengths).arg(&rows.rows).arg(&rows.begins).arg(&rows.totals).arg(limits);
    launch.numbers(&lengths);
    launch.arg(&mut rows.angles).arg(&mut rows.angle_places).arg(&mut rows.bond_begins);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; `first_angles` ends at
    // the number of candidates, which name bonds and legs of the network, and no point has more rows than the shape says.
    unsafe { launch.launch(threads(32 * points)) }
}
