//! A layer of MACE on a device.

use cudarc::driver::{CudaSlice, DriverError};

use super::plan::{ContractionPlan, LayerPlan, ReadoutPlan};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{Contraction, Polynomial};
use crate::engine::cuda::pairs::tables::ProductTables;
use crate::engine::cuda::queue::Queue;

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
pub enum ReadoutTables {
    /// Weights, and a constant for each site.
    Linear(CudaSlice<f64>, CudaSlice<f64>),
    /// Products that give the hidden units, weights of these, and their number.
    Hidden(ProductTables, CudaSlice<f64>, usize),
}

/// A layer, see [`LayerPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of LayerPlan")]
pub struct LayerTables<T> {
    pub up: ProductTables,
    pub linear: ProductTables,
    pub contraction: ContractionTables<T>,
    pub product: ProductTables,
    pub skip: ProductTables,
    pub readout: ReadoutTables,
    pub density_column: Option<usize>,
}

impl<T: CudaReal> LayerTables<T> {
    /// Copies a layer to the device.
    pub fn new(queue: &Queue, plan: &LayerPlan<T>) -> Result<Self, DriverError> {
        Ok(LayerTables {
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
