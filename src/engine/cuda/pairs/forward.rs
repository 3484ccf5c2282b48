//! The order of launches: axis values -> operators -> energies of a batch.

use cudarc::driver::DriverError;

use super::Network;
use super::buffers::{Buffers, GroupBuffers};
use super::launch;
use super::shape::SceneShape;
use super::tables::{GroupTables, ModelTables, SceneTables};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::Queue;

/// A scene and a model on a device, and where their kernels run.
pub struct Forward<'a, T: CudaReal, N: Network<T> + ?Sized> {
    /// Where they run.
    pub queue: &'a Queue,
    /// Lengths.
    pub shape: &'a SceneShape,
    /// The model.
    pub model: &'a ModelTables<T>,
    /// The scene.
    pub scene: &'a SceneTables<N::Tables>,
}

impl<T: CudaReal, N: Network<T>> Forward<'_, T, N> {
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
        launch::neighbours(queue, (shape.axes, self.scene.cutoff), group, buffers, nodes)?;
        launch::places(queue, model, group, buffers, nodes)?;
        launch::harmonics(queue, (model, shape.axes), group, buffers, nodes)?;
        launch::angular(queue, shape.components, group, buffers, nodes)?;
        if shape.scalars > 0 {
            launch::pair_scalars(queue, (model, shape.scalars), group, buffers, nodes)?;
            launch::sum_scalars(queue, shape.scalars, group, buffers, nodes)?;
        }
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
        for layer in 0..scene.layers.len() {
            N::layer(self, layer, buffers, points)?;
        }
        launch::energy(queue, (shape, scene), buffers, points)
    }

    /// Messages of a layer by paths, into the array where they belong: to `buffers.messages` in layer 0, which sends no
    /// features, and else to `buffers.paths`.
    pub fn messages(&self, layer: usize, buffers: &mut Buffers<T>, points: usize) -> Result<(), DriverError> {
        let Forward { queue, shape, model, scene } = self;
        let tables = (shape.channels, &scene.messages[layer]);
        let Buffers { views, messages, paths, up, .. } = buffers;
        let is_direct = scene.messages[layer].block_count() > 0;
        if layer == 0 {
            launch::apply_first(queue, tables, views, messages, points)?;
            return match is_direct {
                true => launch::first_messages(queue, tables, (views, model), messages, points),
                false => Ok(()),
            };
        }
        launch::apply_later(queue, tables, views, (up, paths), points)?;
        match is_direct {
            true => launch::later_messages(queue, tables, (views, model), (up, paths), points),
            false => Ok(()),
        }
    }
}
