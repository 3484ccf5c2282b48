//! A layer of SevenNet on a device.

use cudarc::driver::{CudaSlice, DriverError};

use super::plan::{GatePlan, LayerPlan};
use crate::engine::cuda::layout::Gate;
use crate::engine::cuda::pairs::tables::ProductTables;
use crate::engine::cuda::queue::Queue;

/// What makes features of z, see [`GatePlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of GatePlan")]
pub struct GateTables {
    pub gates: CudaSlice<Gate>,
    pub gate_count: usize,
    pub z: usize,
    pub features: usize,
    pub biases: usize,
}

impl GateTables {
    fn new(queue: &Queue, plan: &GatePlan) -> Result<GateTables, DriverError> {
        let GatePlan { gates, z, features, biases } = plan;
        let gate_count = gates.len();
        Ok(GateTables {
            gates: queue.upload(gates)?,
            gate_count,
            z: *z,
            features: *features,
            biases: *biases,
        })
    }
}

/// A layer, see [`LayerPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of LayerPlan")]
pub struct LayerTables {
    pub up: ProductTables,
    pub connection: ProductTables,
    pub linear: ProductTables,
    pub gate: GateTables,
    /// Of the readout: channels, weights and a constant for each site, which is 0.
    pub readout: Option<(usize, CudaSlice<f64>, CudaSlice<f64>)>,
}

impl LayerTables {
    /// Copies a layer to the device.
    pub fn new(queue: &Queue, plan: &LayerPlan) -> Result<LayerTables, DriverError> {
        let readout = |(weights, constants): &(Vec<f64>, Vec<f64>)| {
            Ok((weights.len(), queue.upload(weights)?, queue.upload(constants)?))
        };
        Ok(LayerTables {
            up: ProductTables::new(queue, &plan.up)?,
            connection: ProductTables::new(queue, &plan.connection)?,
            linear: ProductTables::new(queue, &plan.linear)?,
            gate: GateTables::new(queue, &plan.gate)?,
            readout: plan.readout.as_ref().map(readout).transpose()?,
        })
    }
}
