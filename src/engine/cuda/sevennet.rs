//! SevenNet on a GPU: messages from [pair operators](super::pairs), matrix products, and gates. Tables and folded
//! matrices are those of [`crate::engine::cpu::sevennet`].
//!
//! ```text
//! plan       scene -> arrays: matrix products and gates of each layer
//! tables     the same on the device
//! launch     the launch of the gates
//! ```

pub mod launch;
pub mod plan;
pub mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cudarc::driver::DriverError;

use super::CudaReal;
use super::device::Device;
use super::layout::SiteEnergy;
use super::pairs::arrays::Pool;
use super::pairs::buffers::Buffers;
use super::pairs::forward::Forward;
use super::pairs::launch::{linear, linear_readout};
use super::pairs::shape::NetworkShape;
use super::pairs::{self, Network, PairEngine};
use super::queue::Queue;
use crate::crystal::Element;
use crate::engine::cpu::pairs::geometry::{Geometry, SiteGeometry};
use crate::engine::cpu::sevennet::forward::LayerArrays;
use crate::engine::cpu::sevennet::weights::Weights;
use crate::engine::{EngineError, Scene};
use crate::potential::sevennet::Sevennet;
use plan::{LayerPlaces, LayerPlan, Planner};
use tables::LayerTables;

/// A SevenNet model on a GPU.
pub type SevennetEngine<T> = PairEngine<T, Weights<T>>;

impl<T: CudaReal> SevennetEngine<T> {
    /// Prepares a model for some elements.
    pub fn new(model: &Sevennet, elements: &[Element], device: Arc<Device>) -> Result<Self, EngineError> {
        PairEngine::of(Weights::new(model, elements), device)
    }
}

/// Bytes that a GPU needs for a scene, apart from the model and its tables: of batches of the largest size, and of the
/// operators that are kept in them. Needs no GPU.
pub fn memory_of<T: CudaReal>(model: &Sevennet, scene: &Scene) -> Result<(usize, usize), EngineError> {
    pairs::memory_of(&Weights::<T>::new(model, &scene.landscape.elements()), scene)
}

impl<T: CudaReal> Network<T> for Weights<T> {
    type Places = LayerPlaces;
    type Plan = LayerPlan;
    type Tables = LayerTables;

    fn places(&self, matrices: &mut Pool<T>, biases: &mut Pool<T>) -> Vec<LayerPlaces> {
        (0..self.layers.len()).map(|t| LayerPlaces::new(self, t, (matrices, biases))).collect()
    }

    fn plan(
        &self,
        (geometry, arrays): (&Geometry, &Vec<LayerArrays>),
        places: &[LayerPlaces],
    ) -> Vec<LayerPlan> {
        let planner = Planner { weights: self, geometry, arrays, places };
        (0..self.layers.len()).map(|t| planner.layer(t)).collect()
    }

    fn shape(&self, (geometry, arrays): (&Geometry, &Vec<LayerArrays>), _: &[LayerPlaces]) -> NetworkShape {
        NetworkShape {
            messages: arrays.iter().map(|a| a.z.numbers()).max().unwrap_or(0),
            paths: geometry.layers.iter().skip(1).map(|l| l.messages.numbers()).max().unwrap_or(0),
            up: arrays.iter().skip(1).map(|a| a.inputs.numbers()).max().unwrap_or(0),
            features: vec![arrays.iter().map(|a| a.outputs.numbers()).max().unwrap_or(0)],
            ..NetworkShape::default()
        }
    }

    fn energy(&self, site: &SiteGeometry) -> SiteEnergy {
        let element = site.element;
        SiteEnergy { share: site.share, atomic: self.shift[element], scale: self.scale[element] }
    }

    fn upload(queue: &Queue, plan: &LayerPlan) -> Result<LayerTables, DriverError> {
        LayerTables::new(queue, plan)
    }

    fn layer(
        forward: &Forward<T, Self>,
        t: usize,
        buffers: &mut Buffers<T>,
        points: usize,
    ) -> Result<(), DriverError> {
        let Forward { queue, shape, model, scene } = forward;
        let layer = &scene.layers[t];
        linear(queue, &layer.up, model, (&buffers.features[0], &mut buffers.up), points)?;
        linear(queue, &layer.connection, model, (&buffers.features[0], &mut buffers.messages), points)?;
        forward.messages(t, buffers, points)?;
        let Buffers { messages, paths, features, readouts, .. } = buffers;
        linear(queue, &layer.linear, model, (paths, messages), points)?;
        launch::gate(queue, (&layer.gate, model), (messages, &mut features[0]), points)?;
        match &layer.readout {
            Some((channels, weights, constants)) => {
                let of = (shape.sites, *channels);
                linear_readout(queue, of, (weights, constants), (&features[0], readouts), points)
            }
            None => Ok(()),
        }
    }
}
