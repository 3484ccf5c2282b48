//! Matrix products and gates of a layer.

use crate::engine::cpu::pairs::geometry::{Array, Geometry};
use crate::engine::cpu::sevennet::forward::LayerArrays;
use crate::engine::cpu::sevennet::weights::Weights;
use crate::engine::cpu::{LANES, Matrix};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{Gate, Product};
use crate::engine::cuda::pairs::arrays::Pool;
use crate::engine::cuda::pairs::plan::Products;

/// Channels of a [`Gate`], as in `kernels/gate.cu`: all widths are multiples of it.
pub const GATE_CHANNELS: usize = LANES;

/// Matrices of a layer by degree, which layer 0 does without, as places in the matrices; and constants that layer 0
/// adds, by element, as places in the biases.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of the CPU engine's layers")]
pub struct LayerPlaces {
    pub up: Vec<usize>,
    pub connection: Vec<usize>,
    pub linear: Vec<usize>,
    pub constants: Vec<usize>,
}

impl LayerPlaces {
    /// Adds the matrices and constants of a layer.
    pub(super) fn new<T: CudaReal>(
        weights: &Weights<T>,
        t: usize,
        (matrices, biases): (&mut Pool<T>, &mut Pool<T>),
    ) -> LayerPlaces {
        if t == 0 {
            let constants = weights.constants.iter().map(|row| biases.add(row)).collect();
            return LayerPlaces { constants, ..LayerPlaces::default() };
        }
        let mut add = |of: &[Matrix<T>]| of.iter().map(|m| matrices.add(&m.values)).collect();
        let layer = &weights.layers[t];
        LayerPlaces {
            up: add(&layer.up),
            connection: add(&layer.connection),
            linear: add(&layer.linear),
            constants: Vec::new(),
        }
    }
}

/// A layer.
#[derive(Debug)]
pub struct LayerPlan {
    /// Features -> features that are sent; empty in layer 0.
    pub up: Products,
    /// Features -> z; empty in layer 0.
    pub connection: Products,
    /// Messages by paths -> what is added to z; empty in layer 0, whose messages are z.
    pub linear: Products,
    /// z -> features.
    pub gate: GatePlan,
    /// Of the last layer: weights of degree 0 of the features, and a constant for each site, which is 0.
    pub readout: Option<(Vec<f64>, Vec<f64>)>,
}

/// What makes features of z.
#[derive(Debug)]
pub struct GatePlan {
    /// All rows of the features.
    pub gates: Vec<Gate>,
    /// Numbers of a point in z.
    pub z: usize,
    /// Numbers of a point in the features.
    pub features: usize,
    /// End of the biases.
    pub biases: usize,
}

/// What layers are planned for.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a, T> {
    pub(super) weights: &'a Weights<T>,
    pub(super) geometry: &'a Geometry,
    pub(super) arrays: &'a [LayerArrays],
    pub(super) places: &'a [LayerPlaces],
}

impl<T: CudaReal> Planner<'_, T> {
    pub(super) fn layer(&self, t: usize) -> LayerPlan {
        let (places, LayerArrays { inputs, z, .. }) = (&self.places[t], &self.arrays[t]);
        // What has a self-connection is there already.
        let accumulate = |l: usize| l < places.connection.len();
        let last = t + 1 == self.weights.layers.len();
        LayerPlan {
            up: self.products(&places.up, (inputs, inputs), |_| false),
            connection: self.products(&places.connection, (inputs, z), |_| false),
            linear: self.products(&places.linear, (&self.geometry.layers[t].messages, z), accumulate),
            gate: self.gate(t),
            readout: last.then(|| (self.weights.readout.clone(), vec![0.0; self.geometry.sites.len()])),
        }
    }

    /// Products of all components, with a matrix for each degree.
    fn products(
        &self,
        matrices: &[usize],
        (from, to): (&Array, &Array),
        accumulate: impl Fn(usize) -> bool,
    ) -> Products {
        let product = |(l, matrix): (usize, &usize)| Product {
            input: from.before(l, 0) as i64,
            weights: *matrix as i64,
            output: to.before(l, 0) as i64,
            bias: -1,
            rows: self.geometry.components.all(l).len() as i32,
            inputs: from.widths[l] as i32,
            outputs: to.widths[l] as i32,
            accumulate: i32::from(accumulate(l)),
        };
        let products = matrices.iter().enumerate().map(product);
        products.filter(|p| p.rows > 0 && p.inputs > 0).collect()
    }

    fn gate(&self, t: usize) -> GatePlan {
        let (LayerArrays { z, outputs, .. }, constants) = (&self.arrays[t], &self.places[t].constants);
        let mut plan = GatePlan { gates: Vec::new(), z: z.numbers(), features: outputs.numbers(), biases: 0 };
        let rows = |numbers: usize| (numbers / GATE_CHANNELS) as i64;
        let stride = |array: &Array, l: usize| rows(array.widths[l]) as i32;
        for (site, geometry) in self.geometry.sites.iter().enumerate() {
            let bias = constants.get(geometry.element).copied();
            plan.biases = plan.biases.max(bias.map_or(0, |place| place + z.widths[0]));
            // Gates follow the scalars, by degree.
            let mut earlier = 0;
            for (l, width) in outputs.widths.iter().enumerate() {
                for m in self.geometry.components.of(l, site) {
                    plan.gates.extend((0..stride(outputs, l)).map(|slot| Gate {
                        gate_base: rows(z.before(0, self.geometry.components.of(0, site).start)),
                        gate_slot: rows(earlier) as i32 + slot,
                        gate_stride: stride(z, 0),
                        bias: bias.map_or(-1, |b| (b + earlier + slot as usize * GATE_CHANNELS) as i64),
                        z_base: if l == 0 { -1 } else { rows(z.before(l, m)) },
                        z_slot: slot,
                        z_stride: stride(z, l),
                        output_base: rows(outputs.before(l, m)),
                        output_slot: slot,
                        output_stride: stride(outputs, l),
                    }));
                }
                earlier += width;
            }
        }
        plan
    }
}
