//! MACE on a GPU: messages from [pair operators](super::pairs), contractions of them, and matrix products. Tables,
//! folded matrices and contractions are those of [`crate::engine::cpu::mace`].
//!
//! ```text
//! places     weights -> matrices in arrays
//! plan       scene -> arrays: matrix products, contractions and readouts of each layer
//! tables     the same on the device
//! launch     one typed launch a kernel
//! ```

pub mod launch;
pub mod places;
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
use crate::engine::cpu::mace::forward::Sites;
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cpu::pairs::geometry::{Array, Geometry, SiteGeometry};
use crate::engine::{EngineError, Scene};
use crate::potential::mace::Mace;
use places::{LayerPlaces, layer_places};
use plan::{LayerPlan, Planner};
use tables::{LayerTables, ReadoutTables};

/// A MACE model on a GPU.
pub type MaceEngine<T> = PairEngine<T, Weights<T>>;

impl<T: CudaReal> MaceEngine<T> {
    /// Prepares a model's head for some elements.
    pub fn new(
        model: &Mace,
        elements: &[Element],
        head: usize,
        device: Arc<Device>,
    ) -> Result<Self, EngineError> {
        PairEngine::of(Weights::new(model, elements, head), device)
    }
}

/// Bytes that a GPU needs for a scene, apart from the model and its tables: of batches of the largest size, and of the
/// operators that are kept in them. Needs no GPU.
pub fn memory_of<T: CudaReal>(
    model: &Mace,
    scene: &Scene,
    head: usize,
) -> Result<(usize, usize), EngineError> {
    pairs::memory_of(&Weights::<T>::new(model, &scene.landscape.elements(), head), scene)
}

impl<T: CudaReal> Network<T> for Weights<T> {
    type Places = LayerPlaces;
    type Plan = LayerPlan<T>;
    type Tables = LayerTables<T>;

    fn places(&self, matrices: &mut Pool<T>, biases: &mut Pool<T>) -> Vec<LayerPlaces> {
        (0..self.layers.len()).map(|t| layer_places(self, t, (matrices, biases))).collect()
    }

    fn plan(&self, (geometry, sites): (&Geometry, &Sites<T>), places: &[LayerPlaces]) -> Vec<LayerPlan<T>> {
        let planner = Planner { weights: self, geometry, sites, places };
        (0..self.layers.len()).map(|t| planner.layer(t)).collect()
    }

    fn shape(&self, (geometry, sites): (&Geometry, &Sites<T>), places: &[LayerPlaces]) -> NetworkShape {
        let features: Vec<usize> = sites.features.iter().map(Array::numbers).collect();
        let most = features.iter().max().copied().unwrap_or(0);
        let units = places.iter().filter_map(|l| l.hidden).map(|(_, units)| units).max();
        NetworkShape {
            messages: sites.messages.numbers(),
            paths: geometry.layers.iter().skip(1).map(|l| l.messages.numbers()).max().unwrap_or(0),
            products: most,
            up: most,
            features,
            hidden: geometry.sites.len() * units.unwrap_or(0),
            normalisers: geometry.sites.len(),
        }
    }

    fn energy(&self, site: &SiteGeometry) -> SiteEnergy {
        SiteEnergy { share: site.share, atomic: self.atomic_energies[site.element], scale: self.scale }
    }

    fn upload(queue: &Queue, plan: &LayerPlan<T>) -> Result<LayerTables<T>, DriverError> {
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
        if let Some(column) = layer.density_column {
            launch::normalise(queue, (shape, scene), buffers, column, points)?;
        }
        if let Some(before) = t.checked_sub(1) {
            linear(queue, &layer.up, model, (&buffers.features[before], &mut buffers.up), points)?;
        }
        forward.messages(t, buffers, points)?;
        let Buffers { messages, paths, products, features, normalisers, .. } = buffers;
        linear(queue, &layer.linear, model, (paths, messages), points)?;
        let (earlier, current) = features.split_at_mut(t);
        let Some(features) = current.first_mut() else { return Ok(()) };
        let normalisers = layer.density_column.map(|_| &*normalisers);
        // Rows of every array of MACE have as many channels as those of its messages.
        let contraction = (*shape, &layer.contraction);
        if layer.product.host.is_empty() {
            launch::contract(queue, contraction, (messages, normalisers), features, points)?;
        } else {
            launch::contract(queue, contraction, (messages, normalisers), products, points)?;
            linear(queue, &layer.product, model, (products, features), points)?;
        }
        if let Some(input) = earlier.last() {
            linear(queue, &layer.skip, model, (input, features), points)?;
        }
        let sites = shape.sites;
        match &layer.readout {
            ReadoutTables::Linear(weights, constants) => {
                let (of, to) = ((sites, shape.channels), (&*features, &mut buffers.readouts));
                linear_readout(queue, of, (weights, constants), to, points)
            }
            ReadoutTables::Hidden(products, weights, units) => {
                linear(queue, products, model, (features, &mut buffers.hidden), points)?;
                let arrays = (&buffers.hidden, &mut buffers.readouts);
                launch::hidden_readout(queue, (sites, *units), weights, arrays, points)
            }
        }
    }
}
