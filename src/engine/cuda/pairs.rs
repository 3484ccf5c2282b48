//! Models with pair operators on a GPU: what MACE and SevenNet share.
//!
//! The evaluation is that of [`crate::engine::cpu::pairs`], whose tables, bases and couplings it uses: all geometry
//! enters through pair operators, which depend only on the axes that move their two sites. Kernels work on all points
//! of a batch at once:
//!
//! ```text
//! arrays     weights -> arrays
//! plan       scene -> arrays: what does not depend on axis values
//! tables     model and scene on the device
//! shape      lengths of all buffers, and the bytes of a batch
//! buffers    what a batch is computed in
//! launch     one typed launch a kernel
//! forward    their order
//! batch      what is copied and launched for some points
//! ```
//!
//! Operators of pairs that not all axes move are computed once a node of their axes and kept; those that all axes move
//! are applied as they are summed, and never stored. Each result has one owner, which adds up in a fixed order, so
//! neither batches nor devices of one kind change a bit.

pub mod arrays;
pub mod batch;
pub mod buffers;
pub mod forward;
pub mod launch;
pub mod plan;
pub mod shape;
pub mod tables;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use cudarc::driver::DriverError;

use super::CudaReal;
use super::device::Device;
use super::layout::SiteEnergy;
use super::memory::{Needs, SLOTS};
use super::queue::{Kernels, Profile, Queue};
use super::slot::{Slots, queues};
use crate::engine::cpu::Real;
use crate::engine::cpu::pairs::cost::cost;
use crate::engine::cpu::pairs::geometry::{Geometry, SiteGeometry};
use crate::engine::cpu::pairs::{Family, Interactions};
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use arrays::{ModelArrays, Pool};
use batch::{PairBuffers, Shared};
use buffers::Buffers;
use forward::Forward;
use plan::Plan;
use shape::{BATCH, NetworkShape, SceneShape};
use tables::{ModelTables, SceneTables};

/// A family of models with kernels: what its layers make of messages. Products of the layers are in terms of the
/// numbers that precede a row in what belongs to one point, as everywhere in [`crate::engine::cpu::pairs`].
pub trait Network<T: CudaReal>: Family<T> {
    /// Matrices of a layer: places in the matrices, and those of rows that are added in the biases.
    type Places: Send;
    /// What follows the messages of a layer, as arrays.
    type Plan;
    /// The same on a device.
    type Tables: Send;

    /// Lays out matrices and biases of all layers.
    fn places(&self, matrices: &mut Pool<T>, biases: &mut Pool<T>) -> Vec<Self::Places>;

    /// What follows the messages, by layer.
    fn plan(&self, scene: (&Geometry, &Self::Sites), places: &[Self::Places]) -> Vec<Self::Plan>;

    /// Lengths of the arrays between operators and energies.
    fn shape(&self, scene: (&Geometry, &Self::Sites), places: &[Self::Places]) -> NetworkShape;

    /// How a site's readout becomes its energy.
    fn energy(&self, site: &SiteGeometry) -> SiteEnergy;

    /// Copies a layer to the device.
    fn upload(queue: &Queue, plan: &Self::Plan) -> Result<Self::Tables, DriverError>;

    /// Launches a layer: operators of all groups to features and readouts.
    fn layer(
        forward: &Forward<T, Self>,
        layer: usize,
        buffers: &mut Buffers<T>,
        points: usize,
    ) -> Result<(), DriverError>;
}

/// A model with pair operators on a GPU.
pub struct PairEngine<T: CudaReal, N: Network<T>> {
    device: Arc<Device>,
    kernels: Arc<Kernels>,
    weights: N,
    arrays: ModelArrays<T, N::Places>,
    model: ModelTables<T>,
    prepared: Option<Prepared<T, N::Tables>>,
    /// Overrules which operators are kept.
    keep: Option<bool>,
}

/// A scene on the device.
struct Prepared<T, L> {
    scene: Arc<Scene>,
    shape: SceneShape,
    // Before the tables, which kernels under way use until the slots have gone.
    slots: Slots<PairBuffers<T>>,
    tables: SceneTables<L>,
}

impl<T: CudaReal, N: Network<T>> PairEngine<T, N> {
    /// Brings a model's weights to a device.
    pub(super) fn of(weights: N, device: Arc<Device>) -> Result<Self, EngineError> {
        check_degrees(weights.interactions())?;
        let mut arrays = ModelArrays::new(&weights);
        let failed = |e| device.failed("copying a model to it", e);
        // The device may have been opened by another thread.
        device.context.bind_to_thread().map_err(failed)?;
        let module = device.module(T::DOUBLE)?;
        let kernels = Arc::new(Kernels::new(&module).map_err(failed)?);
        let queue = queues(&device.context, &kernels, 1).map_err(failed)?.remove(0);
        let tables = ModelTables::new(&queue, &arrays, weights.interactions()).map_err(failed)?;
        queue.stream().synchronize().map_err(failed)?;
        arrays.forget_values();
        Ok(PairEngine { device, kernels, weights, arrays, model: tables, prepared: None, keep: None })
    }

    /// Keeps operators wherever several points share them, or never, instead of where there is room.
    pub fn keeping(self, keep: bool) -> Self {
        PairEngine { keep: Some(keep), prepared: None, ..self }
    }

    /// Times of its launches, for benchmarks.
    pub fn profile(&self) -> &Profile {
        &self.kernels.profile
    }

    /// Brings a scene to the device, unless it is the last one.
    fn prepare(&mut self, scene: &Arc<Scene>) -> Result<Prepared<T, N::Tables>, EngineError> {
        let failed = |e| self.device.failed("preparing a landscape", e);
        let mut staging = match self.prepared.take() {
            Some(known) if Arc::ptr_eq(&known.scene, scene) => return Ok(known),
            Some(Prepared { slots, .. }) => slots.into_staging().map_err(failed)?,
            None => Vec::new(),
        };
        let plan = Plan::new(scene, (&self.weights, &self.arrays), self.keep)?;
        let queues = queues(&self.device.context, &self.kernels, SLOTS).map_err(failed)?;
        let tables = SceneTables::new::<T, N>(&queues[0], &plan).map_err(failed)?;
        queues[0].stream().synchronize().map_err(failed)?;
        let shape = &plan.shape;
        let make = |count: usize, capacity| {
            let buffers = |queue: &_| PairBuffers::new(queue, shape, capacity);
            Slots::new(&queues[..count], (capacity, shape.staging(capacity)), &mut staging, buffers)
        };
        let slots = needs::<T>(scene, shape).allocate(&self.device, make)?;
        Ok(Prepared { scene: scene.clone(), shape: plan.shape, tables, slots })
    }
}

/// What batches of a scene take.
fn needs<T: CudaReal>(
    scene: &Scene,
    shape: &SceneShape,
) -> Needs<impl Fn(usize) -> usize, impl Fn(usize) -> usize> {
    Needs {
        points: scene.landscape.grid.len(),
        most: BATCH,
        bytes: |points| shape.bytes::<T>(points),
        threads: |points| shape.most_threads(points),
    }
}

/// Bytes that a GPU needs for a scene, apart from the model and its tables: of batches of the largest size, and of the
/// operators that are kept in them. Needs no GPU.
pub(super) fn memory_of<T: CudaReal, N: Network<T>>(
    weights: &N,
    scene: &Scene,
) -> Result<(usize, usize), EngineError> {
    check_degrees(weights.interactions())?;
    let shape = Plan::new(scene, (weights, &ModelArrays::new(weights)), None)?.shape;
    let needs = needs::<T>(scene, &shape);
    let points = needs.largest();
    Ok((needs.all_bytes(points), needs.slots(points) * shape.operator_bytes::<T>(points)))
}

/// Refuses what the kernels have no room for.
fn check_degrees<T>(of: &Interactions<T>) -> Result<(), EngineError> {
    let paths = || of.layers.iter().flat_map(|l| &l.paths).map(|p| p.path);
    let hidden = paths().map(|p| p.l1).max().unwrap_or(0);
    let highest = paths().map(|p| p.l3).fold(of.lmax, usize::max);
    match highest > 3 || hidden > 2 {
        true => Err(EngineError::Device(format!(
            "the GPU engine takes harmonics and messages up to degree 3 and features up to degree 2, and the model has \
             {highest} and {hidden}; use the engine cpu"
        ))),
        false => Ok(()),
    }
}

impl<T: CudaReal, N: Network<T>> Engine for PairEngine<T, N> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        self.device.context.bind_to_thread().map_err(|e| self.device.failed("evaluating points", e))?;
        let mut prepared = self.prepare(scene)?;
        let Prepared { shape, tables, slots, .. } = &mut prepared;
        let shared = Shared::<T, N> { scene, shape, tables, model: &self.model };
        let results = slots
            .evaluate(points, |queue, buffers, staging, batch| shared.start(queue, buffers, staging, batch));
        let results = results.map_err(|e| self.device.failed("evaluating points", e))?;
        self.prepared = Some(prepared);
        Ok(results)
    }

    fn cost(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Cost, EngineError> {
        let plan = Plan::new(scene, (&self.weights, &self.arrays), self.keep)?;
        let kept = plan.groups.iter().any(|g| g.kept);
        let geometry = Geometry::new(scene, self.weights.interactions())?;
        let sites = self.weights.sites(&geometry);
        let mut cost = cost(scene, (&self.weights, &geometry, &sites), points, Some(kept));
        let capacity = needs::<T>(scene, &plan.shape).capacity(&self.device)?;
        cost.kept_bytes = plan.shape.operator_bytes::<T>(capacity) as f64;
        Ok(cost)
    }

    fn call(&self) -> usize {
        2 * SLOTS * BATCH
    }

    fn describe(&self) -> String {
        format!("cuda {}, {}", <T as Real>::NAME, self.device.info.name)
    }
}
