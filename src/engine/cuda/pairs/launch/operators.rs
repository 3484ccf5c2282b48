//! Launches of what depends on axis values alone.

use cudarc::driver::{CudaSlice, DriverError, PushKernelArg};

use super::super::buffers::{Buffers, GroupBuffers};
use super::super::shape::SceneShape;
use super::super::tables::{GroupTables, ModelTables, SeparationTables};
use crate::engine::COINCIDENCE;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::{Kernel, Queue, threads};

/// Positions of the atoms of the conventional cell at the axis values of some points.
pub fn embed<T: CudaReal>(
    queue: &Queue,
    (shape, separation): (&SceneShape, &SeparationTables),
    values: &CudaSlice<f64>,
    positions: &mut CudaSlice<f64>,
    points: usize,
) -> Result<(), DriverError> {
    let (axes, atoms) = (shape.axes as i32, shape.atoms as i32);
    assert!(separation.forms.len() >= shape.atoms * (shape.axes + 1) * 3);
    assert!(values.len() >= points * shape.axes && positions.len() >= points * shape.atoms * 3);
    let count = points as i32;
    let mut launch = queue.arguments(Kernel::Embed);
    launch.arg(&separation.forms).arg(values).arg(&axes).arg(&atoms).arg(&count).arg(positions);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(points * shape.atoms)) }
}

/// How far atoms are closer than they should be around each representative, and the smallest distance there.
pub fn distance_cost<T: CudaReal>(
    queue: &Queue,
    (shape, separation): (&SceneShape, &SeparationTables),
    buffers: &mut Buffers<T>,
    points: usize,
) -> Result<(), DriverError> {
    let (representatives, atoms) = (shape.representatives, shape.atoms);
    assert!(separation.representatives.len() >= representatives);
    assert!(separation.thresholds.len() >= representatives * atoms);
    assert!(buffers.positions.len() >= points * atoms * 3);
    assert!(buffers.missing.len() >= points * representatives);
    assert!(buffers.smallest.len() >= points * representatives);
    let lengths = [representatives, atoms, points].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::DistanceCost);
    launch.arg(&separation.cell).arg(&buffers.positions);
    launch.arg(&separation.representatives).arg(&separation.thresholds);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.missing).arg(&mut buffers.smallest);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(points * representatives)) }
}

/// Candidate shells within the cutoff at some nodes of a group.
pub fn neighbours<T: CudaReal>(
    queue: &Queue,
    (axes, cutoff): (usize, f64),
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (shells, pairs) = (group.shape.shells, group.shape.pairs);
    assert!(group.shell_bonds.len() > shells && group.shell_pairs.len() >= shells);
    assert!(buffers.values.len() >= nodes * axes && buffers.begins.len() >= nodes * (pairs + 1));
    let most = group.shape.entries;
    assert!(buffers.entries.len() >= nodes * most && buffers.distances.len() >= nodes * most);
    let lengths = [axes, shells, most, pairs, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Neighbours);
    launch.arg(&group.vectors).arg(&group.shell_bonds).arg(&group.shell_pairs).arg(&buffers.values);
    launch.numbers(&lengths);
    launch.arg(&cutoff).arg(&COINCIDENCE);
    launch.arg(&mut buffers.begins).arg(&mut buffers.entries).arg(&mut buffers.distances);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan numbers bonds
    // and pairs within the group's arrays, and no node has more entries than it says.
    unsafe { launch.launch(threads(32 * nodes)) }
}

/// Where distances lie on the radial tables.
pub fn places<T: CudaReal>(
    queue: &Queue,
    model: &ModelTables<T>,
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs) = (group.shape.entries, group.shape.pairs);
    assert!(buffers.begins.len() >= nodes * (pairs + 1));
    assert!(buffers.entries.len() >= nodes * most && buffers.distances.len() >= nodes * most);
    assert!(buffers.places.len() >= nodes * most && model.pieces.len() >= model.piece_count.max(1));
    let lengths = [model.piece_count, most, pairs, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Places);
    launch.arg(&buffers.begins).arg(&buffers.entries).arg(&buffers.distances).arg(&model.pieces);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.places);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(nodes * most)) }
}

/// Harmonics of the bonds of all entries, times the neighbours that a bond stands for.
pub fn harmonics<T: CudaReal>(
    queue: &Queue,
    (model, axes): (&ModelTables<T>, usize),
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs, bonds) = (group.shape.entries, group.shape.pairs, group.shape.bonds_of_shell);
    let components = (model.lmax + 1) * (model.lmax + 1);
    assert!(model.norms.len() >= components && group.shell_bonds.len() > group.shape.shells);
    assert!(buffers.values.len() >= nodes * axes && buffers.begins.len() >= nodes * (pairs + 1));
    assert!(buffers.places.len() >= nodes * most);
    assert!(buffers.harmonics.len() >= nodes * most * bonds * components);
    let lengths = [axes, model.lmax, most, pairs, bonds, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Harmonics);
    launch.arg(&group.vectors).arg(&group.bond_weights).arg(&group.shell_bonds).arg(&model.norms);
    launch.arg(&buffers.values).arg(&buffers.begins).arg(&buffers.places);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.harmonics);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; entries name shells of
    // the group.
    unsafe { launch.launch(threads(nodes * most * bonds)) }
}

/// Angular parts of all entries.
pub fn angular<T: CudaReal>(
    queue: &Queue,
    components: usize,
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs, rows) = (group.shape.entries, group.shape.pairs, group.shape.rows);
    let bonds = group.shape.bonds_of_shell;
    assert!(group.shell_pairs.len() >= group.shape.shells && group.pair_rows.len() >= 2 * pairs);
    assert!(buffers.begins.len() >= nodes * (pairs + 1) && buffers.places.len() >= nodes * most);
    assert!(buffers.harmonics.len() >= nodes * most * bonds * components);
    assert!(buffers.angular.len() >= nodes * most * rows);
    let lengths = [components, most, pairs, bonds, rows, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Angular);
    launch.arg(&buffers.harmonics).arg(&group.couplings).arg(&group.bond_couplings).arg(&group.bond_strides);
    launch.arg(&group.bond_directions).arg(&group.shell_bonds).arg(&group.shell_pairs).arg(&group.pair_rows);
    launch.arg(&buffers.begins).arg(&buffers.places);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.angular);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan places every
    // bond's coupling, with at least as many rows as its direction has, within the group's couplings.
    unsafe { launch.launch(threads(nodes * most * rows)) }
}

/// Densities and repulsion of all entries.
pub fn pair_scalars<T: CudaReal>(
    queue: &Queue,
    (model, scalars): (&ModelTables<T>, usize),
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs) = (group.shape.entries, group.shape.pairs);
    assert!(group.density_tables.len() >= pairs && group.repulsions.len() >= pairs);
    assert!(buffers.begins.len() >= nodes * (pairs + 1));
    assert!(buffers.entries.len() >= nodes * most && buffers.distances.len() >= nodes * most);
    assert!(buffers.pair_scalars.len() >= nodes * most * scalars);
    let (intervals, inverse_step) = (model.density_scale.0 as i32, model.density_scale.1);
    let lengths = [model.density_columns, scalars - 1, most, pairs, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::PairScalars);
    launch.arg(&model.densities).arg(&group.density_tables).arg(&group.repulsions).arg(&group.shell_pairs);
    launch.arg(&buffers.begins).arg(&buffers.entries).arg(&buffers.distances);
    launch.arg(&inverse_step).arg(&intervals);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.pair_scalars);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan places every
    // pair's table within the densities.
    unsafe { launch.launch(threads(nodes * most)) }
}

/// Sums of scalars for each direction of each pair.
pub fn sum_scalars<T: CudaReal>(
    queue: &Queue,
    scalars: usize,
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs, sums) = (group.shape.entries, group.shape.pairs, group.shape.sums);
    assert!(group.sums.len() >= sums && group.shell_weights.len() >= 2 * group.shape.shells);
    assert!(buffers.begins.len() >= nodes * (pairs + 1) && buffers.entries.len() >= nodes * most);
    assert!(buffers.pair_scalars.len() >= nodes * most * scalars);
    assert!(buffers.scalars.len() >= nodes * sums);
    let lengths = [sums, scalars, most, pairs, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::SumScalars);
    launch.arg(&group.sums).arg(&buffers.pair_scalars).arg(&group.shell_weights);
    launch.arg(&buffers.begins).arg(&buffers.entries);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.scalars);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above.
    unsafe { launch.launch(threads(nodes * sums)) }
}

/// Operators of a group that is kept.
pub fn operators<T: CudaReal>(
    queue: &Queue,
    (model, channels): (&ModelTables<T>, usize),
    group: &GroupTables,
    buffers: &mut GroupBuffers<T>,
    nodes: usize,
) -> Result<(), DriverError> {
    let (most, pairs, rows) = (group.shape.entries, group.shape.pairs, group.shape.operator_rows);
    assert!(group.operator_rows.len() >= rows && channels.is_multiple_of(4));
    assert!(buffers.begins.len() >= nodes * (pairs + 1) && buffers.places.len() >= nodes * most);
    assert!(buffers.angular.len() >= nodes * most * group.shape.rows);
    assert!(buffers.operators.len() >= nodes * rows * channels);
    let lengths = [rows, channels, most, pairs, group.shape.rows, nodes].map(|n| n as i32);
    let mut launch = queue.arguments(Kernel::Operators);
    launch.arg(&group.operator_rows).arg(&model.tables);
    launch.arg(&buffers.begins).arg(&buffers.places).arg(&buffers.angular);
    launch.numbers(&lengths);
    launch.arg(&mut buffers.operators);
    // SAFETY: the arguments are those of the kernel, and the arrays as long as asserted above; the plan names functions
    // within the tables and rows within the angular parts.
    unsafe { launch.launch(threads(nodes * rows * channels / 4)) }
}
