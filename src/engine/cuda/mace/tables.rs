//! A model and a scene on a device: all that stays the same from batch to batch.

use cudarc::driver::{CudaSlice, DriverError};

use super::model::ModelArrays;
use super::plan::{
    ContractionPlan, GroupPlan, LayerPlan, MessagePlan, Plan, Products, ReadoutPlan, SeparationPlan,
};
use super::shape::GroupShape;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{
    Block, BlockCounts, Cell, Contraction, Incoming, OperatorRow, Output, Polynomial, Product, Repulsion,
    ScalarSum, SiteEnergy, Term, Way,
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
    /// Distance beyond which atoms do not see one another, Angstrom.
    pub cutoff: f64,
    /// Intervals of the radial tables, and of an Angstrom.
    pub table_scale: (usize, f64),
    /// The same of the densities.
    pub density_scale: (usize, f64),
    /// Columns of the densities' tables.
    pub density_columns: usize,
}

/// Grids of the tables, see [`crate::engine::cpu::Table::scale`].
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// Cutoff, Angstrom.
    pub cutoff: f64,
    /// Of the radial tables.
    pub tables: (usize, f64),
    /// Of the densities.
    pub densities: (usize, f64),
}

impl<T: CudaReal> ModelTables<T> {
    /// Copies a model to the device.
    pub fn new(
        queue: &Queue,
        arrays: &ModelArrays<T>,
        lmax: usize,
        scales: Scales,
    ) -> Result<Self, DriverError> {
        Ok(ModelTables {
            tables: queue.upload(&arrays.tables.values)?,
            densities: queue.upload(&arrays.densities.values)?,
            matrices: queue.upload(&arrays.matrices.values)?,
            biases: queue.upload(&arrays.biases.values)?,
            norms: queue.upload(Harmonics::new(lmax).norms())?,
            lmax,
            cutoff: scales.cutoff,
            table_scale: scales.tables,
            density_scale: scales.densities,
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
    fn new(queue: &Queue, products: &Products) -> Result<ProductTables, DriverError> {
        Ok(ProductTables { host: products.clone(), device: queue.upload(products)? })
    }
}

/// Contractions of a layer, see [`ContractionPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of ContractionPlan")]
pub struct ContractionTables<T> {
    pub contractions: CudaSlice<Contraction>,
    pub polynomials: CudaSlice<Polynomial>,
    pub programs: CudaSlice<i32>,
    pub coefficients: CudaSlice<T>,
}

impl<T: CudaReal> ContractionTables<T> {
    fn new(queue: &Queue, plan: &ContractionPlan<T>) -> Result<Self, DriverError> {
        Ok(ContractionTables {
            contractions: queue.upload(&plan.contractions)?,
            polynomials: queue.upload(&plan.polynomials)?,
            programs: queue.upload(&plan.programs)?,
            coefficients: queue.upload(&plan.coefficients)?,
        })
    }
}

/// A layer's readout, see [`ReadoutPlan`].
#[derive(Debug)]
pub enum ReadoutTables<T> {
    /// Weights, and a constant for each site.
    Linear(CudaSlice<T>, CudaSlice<f64>),
    /// Products that give the hidden units, weights of these, and their number.
    Hidden(ProductTables, CudaSlice<f64>, usize),
}

/// A layer, see [`LayerPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of LayerPlan")]
pub struct LayerTables<T> {
    pub messages: MessageTables,
    pub up: ProductTables,
    pub linear: ProductTables,
    pub contraction: ContractionTables<T>,
    pub product: ProductTables,
    pub skip: ProductTables,
    pub readout: ReadoutTables<T>,
    pub density_column: Option<usize>,
}

impl<T: CudaReal> LayerTables<T> {
    fn new(queue: &Queue, plan: &LayerPlan<T>) -> Result<Self, DriverError> {
        Ok(LayerTables {
            messages: MessageTables::new(queue, &plan.messages)?,
            up: ProductTables::new(queue, &plan.up)?,
            linear: ProductTables::new(queue, &plan.linear)?,
            contraction: ContractionTables::new(queue, &plan.contraction)?,
            product: ProductTables::new(queue, &plan.product)?,
            skip: ProductTables::new(queue, &plan.skip)?,
            readout: match &plan.readout {
                ReadoutPlan::Linear(weights, constants) => {
                    ReadoutTables::Linear(queue.upload(weights)?, queue.upload(constants)?)
                }
                ReadoutPlan::Hidden(products, weights) => ReadoutTables::Hidden(
                    ProductTables::new(queue, products)?,
                    queue.upload(weights)?,
                    weights.len(),
                ),
            },
            density_column: plan.density_column,
        })
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
pub struct SceneTables<T> {
    pub groups: Vec<GroupTables>,
    pub layers: Vec<LayerTables<T>>,
    pub incoming: CudaSlice<Incoming>,
    pub incoming_begins: CudaSlice<i32>,
    pub energies: CudaSlice<SiteEnergy>,
    pub scale: f64,
    pub separation: SeparationTables,
}

impl<T: CudaReal> SceneTables<T> {
    /// Copies a plan to the device.
    pub fn new(queue: &Queue, plan: &Plan<T>) -> Result<Self, DriverError> {
        let groups = plan.groups.iter().zip(&plan.shape.groups);
        let groups = groups.map(|(g, shape)| GroupTables::new(queue, g, shape));
        let layers = plan.layers.iter().map(|l| LayerTables::new(queue, l));
        Ok(SceneTables {
            groups: groups.collect::<Result<_, _>>()?,
            layers: layers.collect::<Result<_, _>>()?,
            incoming: queue.upload(&plan.incoming)?,
            incoming_begins: queue.upload(&plan.incoming_begins)?,
            energies: queue.upload(&plan.energies)?,
            scale: plan.scale,
            separation: SeparationTables::new(queue, &plan.separation)?,
        })
    }
}
