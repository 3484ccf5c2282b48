//! A batch of points: what is copied to the device and launched for it.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DeviceRepr, DriverError};

use super::Network;
use super::buffers::Buffers;
use super::forward::Forward;
use super::shape::{GroupShape, SceneShape};
use super::tables::{ModelTables, SceneTables};
use crate::engine::Scene;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::Queue;
use crate::engine::cuda::slot::Staging;
use crate::landscape::Point;

/// What a slot has on the device.
pub struct PairBuffers<T> {
    buffers: Buffers<T>,
    /// Whether operators that no axis moves are there.
    frozen: bool,
}

impl<T: CudaReal> PairBuffers<T> {
    /// For batches of at most `capacity` points.
    pub fn new(queue: &Queue, shape: &SceneShape, capacity: usize) -> Result<PairBuffers<T>, DriverError> {
        Ok(PairBuffers { buffers: Buffers::new(queue, shape, capacity)?, frozen: false })
    }
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

impl<T: CudaReal, N: Network<T>> Shared<'_, T, N> {
    /// Launches a batch, and the copy of its results.
    pub fn start(
        &self,
        queue: &Queue,
        of: &mut PairBuffers<T>,
        staging: &mut Staging,
        points: &[Point],
    ) -> Result<(), DriverError> {
        let Shared { scene, shape, tables, model } = *self;
        let PairBuffers { buffers, frozen } = of;
        let forward = Forward::<T, N> { queue, shape, model, scene: tables };
        let stream = queue.stream();
        let (mut values, mut index) = (staging.values.as_mut_slice()?, staging.index.as_mut_slice()?);
        let of_points: Vec<f64> = points.iter().flat_map(|p| scene.axis_values(*p)).collect();
        let of_point = |p: &usize| &of_points[p * shape.axes..][..shape.axes];
        copy(stream, take(&mut values, &of_points), &mut buffers.values)?;
        for (g, group) in tables.groups.iter().enumerate().filter(|(_, g)| g.shape.shells > 0) {
            let buffers = &mut buffers.groups[g];
            if group.shape.is_frozen() && *frozen {
                continue;
            }
            let (of_nodes, first) = nodes(scene, &group.shape, points);
            let of_first: Vec<f64> = first.iter().flat_map(|p| of_point(p).iter().copied()).collect();
            copy(stream, take(&mut values, &of_first), &mut buffers.values)?;
            copy(stream, take(&mut index, &of_nodes), &mut buffers.index)?;
            forward.group(group, buffers, first.len())?;
        }
        *frozen = true;
        forward.points(buffers, points.len())?;
        let outputs = &mut staging.outputs.as_mut_slice()?[..points.len()];
        stream.memcpy_dtoh(&buffers.outputs.slice(..points.len()), outputs)
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
