//! What a batch is computed in: buffers on the device, and pinned ones on the host for what goes in and comes out.

use cudarc::driver::{CudaSlice, DevicePtr, DriverError};

use super::shape::{GroupLengths, GroupShape, SceneShape};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{Group, Place, PointOutput};
use crate::engine::cuda::queue::Queue;

/// A group's buffers, see [`GroupLengths`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of GroupLengths")]
pub struct GroupBuffers<T> {
    pub index: CudaSlice<i32>,
    pub values: CudaSlice<f64>,
    pub begins: CudaSlice<i32>,
    pub entries: CudaSlice<i32>,
    pub distances: CudaSlice<f64>,
    pub places: CudaSlice<Place<T>>,
    pub harmonics: CudaSlice<f64>,
    pub angular: CudaSlice<T>,
    pub pair_scalars: CudaSlice<f64>,
    pub scalars: CudaSlice<f64>,
    pub operators: CudaSlice<T>,
}

impl<T: CudaReal> GroupBuffers<T> {
    /// Buffers of the given lengths.
    pub fn new(queue: &Queue, of: &GroupLengths) -> Result<Self, DriverError> {
        Ok(GroupBuffers {
            index: queue.buffer(of.index)?,
            values: queue.buffer(of.values)?,
            begins: queue.buffer(of.begins)?,
            entries: queue.buffer(of.entries)?,
            distances: queue.buffer(of.entries)?,
            places: queue.buffer(of.entries)?,
            harmonics: queue.buffer(of.harmonics)?,
            angular: queue.buffer(of.angular)?,
            pair_scalars: queue.buffer(of.pair_scalars)?,
            scalars: queue.buffer(of.scalars)?,
            operators: queue.buffer(of.operators)?,
        })
    }

    /// The group as kernels see it.
    fn view(&self, queue: &Queue, shape: &GroupShape, channels: usize) -> Group {
        let address = |pointer: (u64, cudarc::driver::SyncOnDrop<'_>)| pointer.0;
        let stream = queue.stream();
        Group {
            operators: if shape.kept { address(self.operators.device_ptr(stream)) } else { 0 },
            scalars: address(self.scalars.device_ptr(stream)),
            begins: address(self.begins.device_ptr(stream)),
            places: address(self.places.device_ptr(stream)),
            angular: address(self.angular.device_ptr(stream)),
            nodes: if shape.has_index() { address(self.index.device_ptr(stream)) } else { 0 },
            value_count: (shape.operator_rows * channels) as i64,
            scalar_count: shape.sums as i32,
            pair_count: shape.pairs as i32,
            most: shape.entries as i32,
            row_count: shape.rows as i32,
            step: i32::from(!shape.is_frozen()),
            padding: 0,
        }
    }
}

/// Buffers on the device for batches of at most so many points; rows as in `kernels/common.cuh`.
#[derive(Debug)]
pub struct Buffers<T> {
    /// Most points.
    pub capacity: usize,
    /// By group.
    pub groups: Vec<GroupBuffers<T>>,
    /// The groups as kernels see them.
    pub views: CudaSlice<Group>,
    /// `[point][axis]`.
    pub values: CudaSlice<f64>,
    /// `[point][atom][3]` in the reduced basis of the conventional cell.
    pub positions: CudaSlice<f64>,
    /// `[point][representative]`, Angstrom.
    pub missing: CudaSlice<f64>,
    /// `[point][representative]`, Angstrom.
    pub smallest: CudaSlice<f64>,
    /// Messages after their linear maps, `[row][point][channel]`.
    pub messages: CudaSlice<T>,
    /// Messages of a later layer by paths.
    pub paths: CudaSlice<T>,
    /// Products of messages.
    pub products: CudaSlice<T>,
    /// Features that are sent.
    pub up: CudaSlice<T>,
    /// Features, in as many arrays as the family needs.
    pub features: Vec<CudaSlice<T>>,
    /// `[site][point][unit]`.
    pub hidden: CudaSlice<T>,
    /// `[site][point]`: 1 / (1 + density).
    pub normalisers: CudaSlice<T>,
    /// `[site][point]`: sums of readouts.
    pub readouts: CudaSlice<f64>,
    /// `[point]`.
    pub outputs: CudaSlice<PointOutput>,
}

impl<T: CudaReal> Buffers<T> {
    /// Buffers for batches of at most `capacity` points.
    pub fn new(queue: &Queue, shape: &SceneShape, capacity: usize) -> Result<Self, DriverError> {
        let of = shape.point_lengths(capacity);
        let groups = shape.groups.iter().map(|g| GroupBuffers::new(queue, &g.lengths(shape, capacity)));
        let groups = groups.collect::<Result<Vec<GroupBuffers<T>>, _>>()?;
        let view = |(buffers, group): (&GroupBuffers<T>, _)| buffers.view(queue, group, shape.channels);
        let views: Vec<Group> = groups.iter().zip(&shape.groups).map(view).collect();
        let network = &shape.network;
        let features = network.features.iter().map(|numbers| queue.buffer(numbers * capacity));
        Ok(Buffers {
            capacity,
            views: queue.upload(&views)?,
            values: queue.buffer(of.values)?,
            positions: queue.buffer(of.positions)?,
            missing: queue.buffer(of.separations)?,
            smallest: queue.buffer(of.separations)?,
            messages: queue.buffer(network.messages * capacity)?,
            paths: queue.buffer(network.paths * capacity)?,
            products: queue.buffer(network.products * capacity)?,
            up: queue.buffer(network.up * capacity)?,
            features: features.collect::<Result<_, _>>()?,
            hidden: queue.buffer(network.hidden * capacity)?,
            normalisers: queue.buffer(network.normalisers * capacity)?,
            readouts: queue.buffer(of.sites)?,
            outputs: queue.buffer(of.points)?,
            groups,
        })
    }
}
