//! What a batch is computed in.

use cudarc::driver::{CudaSlice, DriverError};

use super::atoms::AtomBuffers;
use super::shape::{BOTH, ChgnetShape, RowLengths, Total};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{AngleRow, BondRow, Place};
use crate::engine::cuda::queue::Queue;
use crate::potential::chgnet::FEATURES;

/// Bonds and angles that are short enough, see `kernels/bond_rows.cu`.
#[derive(Debug)]
pub struct RowBuffers<T> {
    /// `[point][bond of the network]`: lengths, Angstrom.
    pub lengths: CudaSlice<f64>,
    /// `[point][bond of the network]`: rows, or -1.
    pub rows: CudaSlice<i32>,
    /// `[point][kind]`: how many rows a point has.
    pub counts: CudaSlice<i32>,
    /// `[point][kind]`: where they begin.
    pub begins: CudaSlice<i32>,
    /// Rows of all points, by [`Total`].
    pub totals: CudaSlice<i32>,
    /// By bond: its place over the cutoff.
    pub places: CudaSlice<Place<T>>,
    /// By short bond: its place over the angle cutoff.
    pub short_places: CudaSlice<Place<T>>,
    /// By long bond: its place on the tables of the first messages.
    pub first_places: CudaSlice<Place<T>>,
    /// Directed bonds.
    pub directed: DirectedBuffers,
    /// Those of them that are short.
    pub short_directed: DirectedBuffers,
    /// By bond.
    pub angles: CudaSlice<AngleRow>,
    /// By angle.
    pub angle_places: CudaSlice<Place<T>>,
    /// `[short bond + 1]`: where its angles begin.
    pub bond_begins: CudaSlice<i32>,
}

/// Directed bonds by centre.
#[derive(Debug)]
pub struct DirectedBuffers {
    /// Rows.
    pub rows: CudaSlice<BondRow>,
    /// `[point][site + 1]`: where those into a site begin.
    pub begins: CudaSlice<i32>,
    /// Which total counts them.
    pub total: Total,
}

impl DirectedBuffers {
    fn new(queue: &Queue, (rows, begins): (usize, usize), total: Total) -> Result<Self, DriverError> {
        Ok(DirectedBuffers { rows: queue.buffer(rows)?, begins: queue.buffer(begins)?, total })
    }
}

impl<T: CudaReal> RowBuffers<T> {
    fn new(queue: &Queue, of: &RowLengths) -> Result<Self, DriverError> {
        let most = of.most;
        Ok(RowBuffers {
            lengths: queue.buffer(of.network)?,
            rows: queue.buffer(of.network)?,
            counts: queue.buffer(of.counts)?,
            begins: queue.buffer(of.counts)?,
            totals: queue.buffer(Total::COUNT)?,
            places: queue.buffer(most.bonds)?,
            short_places: queue.buffer(most.short)?,
            first_places: queue.buffer(most.bonds)?,
            directed: DirectedBuffers::new(queue, (most.directed, of.site_begins), Total::Directed)?,
            short_directed: DirectedBuffers::new(
                queue,
                (most.short_directed, of.site_begins),
                Total::ShortDirected,
            )?,
            angles: queue.buffer(most.angles)?,
            angle_places: queue.buffer(most.angles)?,
            bond_begins: queue.buffer(most.short + 1)?,
        })
    }
}

/// Features and messages, `[row][C]` unless it says otherwise.
#[derive(Debug)]
pub struct FeatureBuffers<T> {
    /// x.
    pub atoms: CudaSlice<T>,
    /// b of short bonds.
    pub bonds: CudaSlice<T>,
    /// a.
    pub angles: CudaSlice<T>,
    /// w of all bonds.
    pub bond_weights: CudaSlice<T>,
    /// v of short bonds.
    pub short_weights: CudaSlice<T>,
    /// What atoms add to first layers, `[atom][BOTH or 2 BOTH]`.
    pub of_atoms: CudaSlice<T>,
    /// What bonds add to first layers, `[bond][BOTH or 2 BOTH]`.
    pub of_bonds: CudaSlice<T>,
    /// What angles add to first layers, `[angle][BOTH]`.
    pub of_angles: CudaSlice<T>,
    /// Gated messages along bonds or angles.
    pub messages: CudaSlice<T>,
    /// Sums of messages into atoms or bonds, and what the readout makes of atoms.
    pub sums: CudaSlice<T>,
}

impl<T: CudaReal> FeatureBuffers<T> {
    fn new(queue: &Queue, of: &RowLengths) -> Result<Self, DriverError> {
        let most = of.most;
        Ok(FeatureBuffers {
            atoms: queue.buffer(of.atoms * FEATURES)?,
            bonds: queue.buffer(most.short * FEATURES)?,
            angles: queue.buffer(most.angles * FEATURES)?,
            bond_weights: queue.buffer(most.bonds * FEATURES)?,
            short_weights: queue.buffer(most.short * FEATURES)?,
            of_atoms: queue.buffer(of.of_atoms())?,
            of_bonds: queue.buffer(of.of_bonds())?,
            of_angles: queue.buffer(most.angles * BOTH)?,
            messages: queue.buffer(of.messages())?,
            sums: queue.buffer(of.sums())?,
        })
    }
}

/// Buffers on the device for batches of at most so many points.
#[derive(Debug)]
pub struct ChgnetBuffers<T> {
    /// Axis values, positions, distances, energies.
    pub atoms: AtomBuffers<T>,
    /// Bonds and angles.
    pub rows: RowBuffers<T>,
    /// What they and the atoms have.
    pub features: FeatureBuffers<T>,
}

impl<T: CudaReal> ChgnetBuffers<T> {
    /// Buffers for batches of at most `capacity` points.
    pub fn new(queue: &Queue, shape: &ChgnetShape, capacity: usize) -> Result<Self, DriverError> {
        let of = shape.lengths(capacity);
        Ok(ChgnetBuffers {
            atoms: AtomBuffers::new(queue, &shape.atoms, capacity)?,
            rows: RowBuffers::new(queue, &of)?,
            features: FeatureBuffers::new(queue, &of)?,
        })
    }
}
