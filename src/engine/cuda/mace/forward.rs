//! The order of launches: axis values -> operators -> energies of a batch.

use cudarc::driver::DriverError;

use super::buffers::{Buffers, GroupBuffers};
use super::launch;
use super::shape::SceneShape;
use super::tables::{GroupTables, LayerTables, ModelTables, ReadoutTables, SceneTables};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::Queue;

/// A scene and a model on a device, and where their kernels run.
pub struct Forward<'a, T> {
    /// Where they run.
    pub queue: &'a Queue,
    /// Lengths.
    pub shape: &'a SceneShape,
    /// The model.
    pub model: &'a ModelTables<T>,
    /// The scene.
    pub scene: &'a SceneTables<T>,
}

impl<T: CudaReal> Forward<'_, T> {
    /// Everything that depends on the axes of a group alone, at its first `nodes` nodes.
    pub fn group(
        &self,
        group: &GroupTables,
        buffers: &mut GroupBuffers<T>,
        nodes: usize,
    ) -> Result<(), DriverError> {
        let Forward { queue, shape, model, .. } = self;
        if group.shape.shells == 0 {
            return Ok(());
        }
        launch::neighbours(queue, (shape.axes, model.cutoff), group, buffers, nodes)?;
        launch::places(queue, model, group, buffers, nodes)?;
        launch::harmonics(queue, (model, shape.axes), group, buffers, nodes)?;
        launch::angular(queue, shape.components, group, buffers, nodes)?;
        launch::pair_scalars(queue, (model, shape.scalars), group, buffers, nodes)?;
        launch::sum_scalars(queue, shape.scalars, group, buffers, nodes)?;
        if group.shape.kept {
            launch::operators(queue, (model, shape.channels), group, buffers, nodes)?;
        }
        Ok(())
    }

    /// Energies and separations of the first `points` points, whose groups are ready.
    pub fn points(&self, buffers: &mut Buffers<T>, points: usize) -> Result<(), DriverError> {
        let Forward { queue, shape, scene, .. } = self;
        let separation = (*shape, &scene.separation);
        launch::embed::<T>(queue, separation, &buffers.values, &mut buffers.positions, points)?;
        launch::distance_cost(queue, separation, buffers, points)?;
        queue.stream().memset_zeros(&mut buffers.readouts)?;
        for (t, layer) in scene.layers.iter().enumerate() {
            self.layer((t, layer), buffers, points)?;
        }
        launch::energy(queue, (shape, scene), buffers, points)
    }

    fn layer(
        &self,
        (t, layer): (usize, &LayerTables<T>),
        buffers: &mut Buffers<T>,
        points: usize,
    ) -> Result<(), DriverError> {
        let Forward { queue, shape, model, scene } = self;
        if let Some(column) = layer.density_column {
            launch::normalise(queue, (shape, scene), buffers, column, points)?;
        }
        self.messages((t, layer), buffers, points)?;
        let (earlier, current) = buffers.features.split_at_mut(t);
        let Some(features) = current.first_mut() else { return Ok(()) };
        let normalisers = layer.density_column.map(|_| &buffers.normalisers);
        let contraction = (*shape, &layer.contraction);
        if layer.product.host.is_empty() {
            launch::contract(queue, contraction, (&buffers.messages, normalisers), features, points)?;
        } else {
            let products = &mut buffers.products;
            launch::contract(queue, contraction, (&buffers.messages, normalisers), products, points)?;
            launch::linear(queue, &layer.product, model, (products, features), points)?;
        }
        if let Some(input) = earlier.last() {
            launch::linear(queue, &layer.skip, model, (input, features), points)?;
        }
        self.readout(layer, (features, &mut buffers.hidden, &mut buffers.readouts), points)
    }

    /// A: by paths and linear maps in a later layer.
    fn messages(
        &self,
        (t, layer): (usize, &LayerTables<T>),
        buffers: &mut Buffers<T>,
        points: usize,
    ) -> Result<(), DriverError> {
        let Forward { queue, shape, model, .. } = self;
        let tables = (shape.channels, &layer.messages);
        let Buffers { views, messages, paths, up, features, .. } = buffers;
        let is_direct = layer.messages.block_count() > 0;
        let Some(before) = t.checked_sub(1) else {
            launch::apply_first(queue, tables, views, messages, points)?;
            return match is_direct {
                true => launch::first_messages(queue, tables, (views, model), messages, points),
                false => Ok(()),
            };
        };
        launch::linear(queue, &layer.up, model, (&features[before], up), points)?;
        launch::apply_later(queue, tables, views, (up, paths), points)?;
        if is_direct {
            launch::later_messages(queue, tables, (views, model), (up, paths), points)?;
        }
        launch::linear(queue, &layer.linear, model, (paths, messages), points)
    }

    fn readout(
        &self,
        layer: &LayerTables<T>,
        (features, hidden, readouts): (
            &cudarc::driver::CudaSlice<T>,
            &mut cudarc::driver::CudaSlice<T>,
            &mut cudarc::driver::CudaSlice<f64>,
        ),
        points: usize,
    ) -> Result<(), DriverError> {
        let Forward { queue, shape, model, .. } = self;
        match &layer.readout {
            ReadoutTables::Linear(weights, constants) => {
                launch::linear_readout(queue, shape, (weights, constants), (features, readouts), points)
            }
            ReadoutTables::Hidden(products, weights, units) => {
                launch::linear(queue, products, model, (features, hidden), points)?;
                launch::hidden_readout(queue, (shape.sites, *units), weights, (hidden, readouts), points)
            }
        }
    }
}
