//! A model and a scene on a device: all that stays the same from batch to batch.

use cudarc::driver::{CudaSlice, DriverError};

use super::Network;
use super::arrays::ModelArrays;
use super::plan::{GroupPlan, MessagePlan, Plan, Products, SeparationPlan};
use super::shape::GroupShape;
use crate::engine::cpu::pairs::Interactions;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{
    Block, BlockCounts, Cell, Incoming, OperatorRow, Output, Piece, Product, Repulsion, ScalarSum,
    SiteEnergy, Term, Way,
};
use crate::engine::cuda::queue::Queue;
use crate::equivariant::Harmonics;

/// A model's arrays, see [`ModelArrays`].
#[derive(Debug)]
pub struct ModelTables<T> {
    /// Radial tables of all layers.
    pub tables: CudaSlice<T>,
    /// Those of the densities.
    pub densities: CudaSlice<f64>,
    /// Matrices.
    pub matrices: CudaSlice<T>,
    /// Rows that are added.
    pub biases: CudaSlice<T>,
    /// N_lm of the harmonics.
    pub norms: CudaSlice<f64>,
    /// Highest degree of the harmonics.
    pub lmax: usize,
    /// Pieces of every radial table, see [`crate::engine::cpu::Table::pieces`].
    pub pieces: CudaSlice<Piece>,
    /// How many.
    pub piece_count: usize,
    /// Intervals of the densities' tables, and of an Angstrom.
    pub density_scale: (usize, f64),
    /// Columns of the densities' tables.
    pub density_columns: usize,
}

impl<T: CudaReal> ModelTables<T> {
    /// Copies a model to the device.
    pub fn new<P>(
        queue: &Queue,
        arrays: &ModelArrays<T, P>,
        of: &Interactions<T>,
    ) -> Result<Self, DriverError> {
        let first = of.layers[0].tables.iter().flatten().next();
        let piece = |p: &crate::engine::cpu::Piece| Piece {
            start: p.start,
            inverse_step: p.inverse_step,
            intervals: p.intervals as i32,
            row: p.row as i32,
        };
        let pieces: Vec<Piece> = first.map_or(Vec::new(), |table| table.pieces().iter().map(piece).collect());
        let densities = of.scalars.as_ref().and_then(|s| s.densities.as_ref()?.iter().flatten().next());
        let density = densities.and_then(|table| table.pieces().first());
        Ok(ModelTables {
            tables: queue.upload(&arrays.tables.values)?,
            densities: queue.upload(&arrays.densities.values)?,
            matrices: queue.upload(&arrays.matrices.values)?,
            biases: queue.upload(&arrays.biases.values)?,
            norms: queue.upload(Harmonics::new(of.lmax).norms())?,
            lmax: of.lmax,
            pieces: queue.upload(&pieces)?,
            piece_count: pieces.len(),
            density_scale: density.map_or((1, 0.0), |p| (p.intervals, p.inverse_step)),
            density_columns: arrays.density_tables.as_ref().map_or(0, |t| t.columns),
        })
    }
}

/// A group, see [`GroupPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of GroupPlan")]
pub struct GroupTables {
    pub shape: GroupShape,
    pub vectors: CudaSlice<f64>,
    pub bond_weights: CudaSlice<f64>,
    pub bond_couplings: CudaSlice<i32>,
    pub bond_strides: CudaSlice<i32>,
    pub bond_directions: CudaSlice<i32>,
    pub couplings: CudaSlice<f64>,
    pub shell_bonds: CudaSlice<i32>,
    pub shell_pairs: CudaSlice<i32>,
    pub shell_weights: CudaSlice<f64>,
    pub pair_rows: CudaSlice<i32>,
    pub density_tables: CudaSlice<i32>,
    pub repulsions: CudaSlice<Repulsion>,
    pub sums: CudaSlice<ScalarSum>,
    pub operator_rows: CudaSlice<OperatorRow>,
}

impl GroupTables {
    fn new(queue: &Queue, plan: &GroupPlan, shape: &GroupShape) -> Result<GroupTables, DriverError> {
        Ok(GroupTables {
            shape: shape.clone(),
            vectors: queue.upload(&plan.vectors)?,
            bond_weights: queue.upload(&plan.bond_weights)?,
            bond_couplings: queue.upload(&plan.bond_couplings)?,
            bond_strides: queue.upload(&plan.bond_strides)?,
            bond_directions: queue.upload(&plan.bond_directions)?,
            couplings: queue.upload(&plan.couplings)?,
            shell_bonds: queue.upload(&plan.shell_bonds)?,
            shell_pairs: queue.upload(&plan.shell_pairs)?,
            shell_weights: queue.upload(&plan.shell_weights)?,
            pair_rows: queue.upload(&plan.pair_rows)?,
            density_tables: queue.upload(&plan.density_tables)?,
            repulsions: queue.upload(&plan.repulsions)?,
            sums: queue.upload(&plan.sums)?,
            operator_rows: queue.upload(&plan.operator_rows)?,
        })
    }
}

/// Messages of a layer, see [`MessagePlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of MessagePlan")]
pub struct MessageTables {
    pub outputs: CudaSlice<Output>,
    pub output_count: usize,
    pub terms: CudaSlice<Term>,
    pub blocks: CudaSlice<Block>,
    pub ways: CudaSlice<Way>,
    pub counts: BlockCounts,
}

impl MessageTables {
    fn new(queue: &Queue, plan: &MessagePlan) -> Result<MessageTables, DriverError> {
        Ok(MessageTables {
            outputs: queue.upload(&plan.outputs)?,
            output_count: plan.outputs.len(),
            terms: queue.upload(&plan.terms)?,
            blocks: queue.upload(&plan.blocks)?,
            ways: queue.upload(&plan.ways)?,
            counts: plan.counts,
        })
    }

    /// Blocks that operators that are not kept add to.
    pub fn block_count(&self) -> usize {
        self.counts.of_degree.iter().map(|n| *n as usize).sum()
    }
}

/// Matrix products that are computed together.
#[derive(Debug)]
pub struct ProductTables {
    /// On the host, for the number of tiles and lengths.
    pub host: Products,
    /// On the device.
    pub device: CudaSlice<Product>,
}

impl ProductTables {
    /// Copies products to the device.
    pub fn new(queue: &Queue, products: &Products) -> Result<ProductTables, DriverError> {
        Ok(ProductTables { host: products.clone(), device: queue.upload(products)? })
    }
}

/// Distances of the conventional cell, see [`SeparationPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of SeparationPlan")]
pub struct SeparationTables {
    pub cell: CudaSlice<Cell>,
    pub forms: CudaSlice<f64>,
    pub representatives: CudaSlice<i32>,
    pub multiplicities: CudaSlice<f64>,
    pub thresholds: CudaSlice<f64>,
    pub self_cost: f64,
    pub shortest: f64,
}

impl SeparationTables {
    pub(in crate::engine::cuda) fn new(
        queue: &Queue,
        plan: &SeparationPlan,
    ) -> Result<SeparationTables, DriverError> {
        Ok(SeparationTables {
            cell: queue.upload(&[plan.cell])?,
            forms: queue.upload(&plan.forms)?,
            representatives: queue.upload(&plan.representatives)?,
            multiplicities: queue.upload(&plan.multiplicities)?,
            thresholds: queue.upload(&plan.thresholds)?,
            self_cost: plan.self_cost,
            shortest: plan.shortest,
        })
    }
}

/// A scene on a device, see [`Plan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of Plan")]
pub struct SceneTables<L> {
    pub groups: Vec<GroupTables>,
    pub messages: Vec<MessageTables>,
    pub layers: Vec<L>,
    pub incoming: CudaSlice<Incoming>,
    pub incoming_begins: CudaSlice<i32>,
    pub energies: CudaSlice<SiteEnergy>,
    pub cutoff: f64,
    pub separation: SeparationTables,
}

impl<L> SceneTables<L> {
    /// Copies a plan to the device.
    pub fn new<T: CudaReal, N: Network<T, Tables = L>>(
        queue: &Queue,
        plan: &Plan<N::Plan>,
    ) -> Result<Self, DriverError> {
        let groups = plan.groups.iter().zip(&plan.shape.groups);
        let groups = groups.map(|(g, shape)| GroupTables::new(queue, g, shape));
        let messages = plan.messages.iter().map(|m| MessageTables::new(queue, m));
        Ok(SceneTables {
            groups: groups.collect::<Result<_, _>>()?,
            messages: messages.collect::<Result<_, _>>()?,
            layers: plan.layers.iter().map(|l| N::upload(queue, l)).collect::<Result<_, _>>()?,
            incoming: queue.upload(&plan.incoming)?,
            incoming_begins: queue.upload(&plan.incoming_begins)?,
            energies: queue.upload(&plan.energies)?,
            cutoff: plan.cutoff,
            separation: SeparationTables::new(queue, &plan.separation)?,
        })
    }
}
