//! Every kernel against its twin on the CPU, on real scenes. Without a GPU the kernels run through `tests/shim`; with
//! `REQUIRE_GPU` set they run on one.

#[path = "../../../../tests/shim/load.rs"]
pub(in crate::engine::cuda) mod shim;

mod messages;
pub(in crate::engine::cuda) mod operators;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};

use super::Network;
use super::arrays::ModelArrays;
use super::batch::nodes;
use super::buffers::Buffers;
use super::forward::Forward;
use super::plan::Plan;
use super::tables::{ModelTables, SceneTables};
use crate::crystal::{Element, Structure, read_structure};
use crate::engine::Scene;
use crate::engine::cpu::pairs::geometry::Geometry;
use crate::engine::cpu::pairs::operator::{Bundle, Operators};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::device::Device;
use crate::engine::cuda::queue::{Kernels, Queue};
use crate::engine::cuda::slot::queues;
use crate::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use crate::potential::Potential;
use crate::symmetry::Crystal;

/// Crystals below `tests/data/golden`: mirror planes, high symmetry, none at all, one atom, atoms without neighbours.
pub(in crate::engine::cuda) const CRYSTALS: [&str; 5] =
    ["Sn2S3-Pnma", "rutile-TiO2", "triclinic-TiO-seven-atoms", "triclinic-Al-one-atom", "single-O-in-a-box"];
/// Nodes along each axis: an odd number of points.
const NODES: [usize; 2] = [3, 3];

/// A family with models for tests.
pub(in crate::engine::cuda) trait Tested<T: CudaReal>: Network<T> {
    /// Files below `tests/data/models`.
    const MODELS: [&str; 4];

    /// The weights of a model.
    fn of(potential: &Potential, elements: &[Element]) -> Self;
}

/// A scene on a device, and as the CPU engine has it.
pub(in crate::engine::cuda) struct Fixture<T: CudaReal, N: Network<T>> {
    pub name: String,
    pub queue: Queue,
    pub scene: Arc<Scene>,
    pub weights: N,
    pub geometry: Geometry,
    pub sites: N::Sites,
    pub plan: Plan<N::Plan>,
    pub model: ModelTables<T>,
    pub tables: SceneTables<N::Tables>,
    pub buffers: Buffers<T>,
    pub points: Vec<Point>,
    /// Points of the nodes of each group.
    pub nodes: Vec<Vec<usize>>,
}

fn potential(name: &str) -> Potential {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
    let files = ["model", "pth"].map(|extension| models.join(format!("{name}.{extension}.gz")));
    let file = files.iter().find_map(|path| std::fs::File::open(path).ok()).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    Potential::from_bytes(name, bytes).unwrap()
}

/// A landscape of a crystal, whose elements are replaced by those that the model knows, along its first and last free
/// coordinates.
fn landscape(name: &str, potential: &Potential) -> Arc<Landscape> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/golden/{name}.extxyz"));
    let structure = read_structure(&path).unwrap();
    let mut own = structure.species.clone();
    own.sort();
    own.dedup();
    let known = potential.elements();
    let replace = |e: &Element| known[own.iter().position(|o| o == e).unwrap_or(0) * 2 % known.len()];
    let structure = Structure { species: structure.species.iter().map(replace).collect(), ..structure };
    let crystal = Arc::new(Crystal::new(&structure, 0.01).unwrap());
    let free = Dof::all(&crystal);
    let axis = |(dof, points): (&Dof, usize)| Axis { dof: *dof, range: [0.07, 0.93], points };
    let axes: Vec<Axis> = match &free[..] {
        [] => return Arc::new(Landscape::single_point(crystal, Thresholds::default())),
        [one] => vec![axis((one, NODES[0]))],
        [first, .., last] => vec![axis((first, NODES[0])), axis((last, NODES[1]))],
    };
    Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap())
}

fn queue<T: CudaReal>(device: &Device) -> Queue {
    device.context.bind_to_thread().unwrap();
    let kernels = Arc::new(Kernels::new(&device.module(T::DOUBLE).unwrap()).unwrap());
    queues(&device.context, &kernels, 1).unwrap().remove(0)
}

fn device() -> Arc<Device> {
    if !shim::on_gpu() {
        shim::load();
    }
    Device::open(0).unwrap()
}

impl<T: CudaReal, N: Tested<T>> Fixture<T, N> {
    pub fn new(crystal: &str, model: &str, keep: Option<bool>) -> Fixture<T, N> {
        let device = device();
        let queue = queue::<T>(&device);
        let potential = potential(model);
        let landscape = landscape(crystal, &potential);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let weights = N::of(&potential, &landscape.elements());
        let arrays = ModelArrays::new(&weights);
        let geometry = Geometry::new(&scene, weights.interactions()).unwrap();
        let plan = Plan::new(&scene, (&weights, &arrays), keep).unwrap();
        let points: Vec<Point> = landscape.grid.points().collect();
        let mut fixture = Fixture {
            name: format!("{crystal}, {}, {}", potential.source, T::NAME),
            model: ModelTables::new(&queue, &arrays, weights.interactions()).unwrap(),
            tables: SceneTables::new::<T, N>(&queue, &plan).unwrap(),
            buffers: Buffers::new(&queue, &plan.shape, points.len()).unwrap(),
            sites: weights.sites(&geometry),
            nodes: Vec::new(),
            queue,
            scene,
            weights,
            geometry,
            plan,
            points,
        };
        fixture.set_values();
        fixture
    }

    /// Copies the axis values of all nodes to the device.
    fn set_values(&mut self) {
        let values: Vec<Vec<f64>> = self.points.iter().map(|p| self.scene.axis_values(*p)).collect();
        let stream = self.queue.stream().clone();
        if !values.concat().is_empty() {
            stream.memcpy_htod(&values.concat(), &mut self.buffers.values).unwrap();
        }
        for (group, buffers) in self.tables.groups.iter().zip(&mut self.buffers.groups) {
            let (index, first) = nodes(&self.scene, &group.shape, &self.points);
            let of_nodes: Vec<f64> = first.iter().flat_map(|p| values[*p].clone()).collect();
            if !of_nodes.is_empty() {
                stream.memcpy_htod(&of_nodes, &mut buffers.values).unwrap();
            }
            if !index.is_empty() {
                stream.memcpy_htod(&index, &mut buffers.index).unwrap();
            }
            self.nodes.push(first);
        }
    }

    pub fn forward(&self) -> Forward<'_, T, N> {
        Forward { queue: &self.queue, shape: &self.plan.shape, model: &self.model, scene: &self.tables }
    }

    /// Runs all kernels of all groups.
    pub fn run_groups(&mut self) {
        let mut buffers = std::mem::take(&mut self.buffers.groups);
        for ((group, buffers), nodes) in self.tables.groups.iter().zip(&mut buffers).zip(&self.nodes) {
            self.forward().group(group, buffers, nodes.len()).unwrap();
        }
        self.buffers.groups = buffers;
    }

    /// The first numbers of a buffer.
    pub fn download<D: DeviceRepr>(&self, from: &CudaSlice<D>, count: usize) -> Vec<D> {
        let mut all = self.queue.stream().clone_dtoh(from).unwrap();
        self.queue.stream().synchronize().unwrap();
        all.truncate(count);
        all
    }

    /// Axis values of a node of a group.
    pub fn values(&self, group: usize, node: usize) -> Vec<f64> {
        self.scene.axis_values(self.points[self.nodes[group][node]])
    }

    /// The node of a group at a point.
    pub fn node(&self, group: usize, point: usize) -> usize {
        let key = |p: usize| self.geometry.groups[group].key(&self.scene, self.points[p]);
        self.nodes[group].iter().position(|first| key(*first) == key(point)).unwrap()
    }

    /// Operators of each group at each of its nodes, as the CPU engine has them.
    pub fn bundles(&self) -> Vec<Vec<Bundle<T>>> {
        let own = Operators::new(&self.scene, &self.geometry, self.weights.interactions());
        let of_group =
            |g: usize| (0..self.nodes[g].len()).map(|n| own.bundle(g, &self.values(g, n))).collect();
        (0..self.geometry.groups.len()).map(of_group).collect()
    }
}

/// Calls `check` for every crystal with every other model, so that each model has two or three crystals, with another
/// order of threads each time.
pub(in crate::engine::cuda) fn for_all<T: CudaReal, N: Tested<T>>(
    keep: Option<bool>,
    check: impl Fn(&mut Fixture<T, N>),
) {
    for (k, crystal) in CRYSTALS.iter().enumerate() {
        for (m, model) in N::MODELS.iter().enumerate().skip(k % 2).step_by(2) {
            if !shim::on_gpu() {
                shim::seed((7 * k + m + 1) as u32);
            }
            check(&mut Fixture::new(crystal, model, keep));
        }
    }
}

/// Calls a check `fn<T, N>(&mut Fixture<T, N>)` for all families in both precisions.
macro_rules! for_all_families {
    ($check:ident, $keep:expr) => {
        use crate::engine::cpu::{mace, sevennet};
        crate::engine::cuda::pairs::tests::for_all($keep, $check::<f32, mace::weights::Weights<f32>>);
        crate::engine::cuda::pairs::tests::for_all($keep, $check::<f64, mace::weights::Weights<f64>>);
        crate::engine::cuda::pairs::tests::for_all($keep, $check::<f32, sevennet::weights::Weights<f32>>);
        crate::engine::cuda::pairs::tests::for_all($keep, $check::<f64, sevennet::weights::Weights<f64>>);
    };
}
use for_all_families;

/// Numbers that look random, in [-0.5, 0.5).
pub(in crate::engine::cuda) fn noise<T: CudaReal>(count: usize) -> Vec<T> {
    (0..count).map(|i| T::from_f64(((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5)).collect()
}

/// Numbers are equal to a share of the largest one.
pub(in crate::engine::cuda) fn assert_close<T: CudaReal>(name: &str, found: &[T], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let bound = if T::DOUBLE { 1e-12 } else { 2e-6 };
    let largest = expected.iter().fold(1e-30_f64, |a, v| a.max(v.abs()));
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found.to_f64() - expected).abs() / largest;
        assert!(error < bound, "{name}, number {k}: {found:?} {expected} ({error:e} of {largest})");
    }
}

#[test]
fn degrees_that_the_kernels_have_no_room_for_are_refused_by_name() {
    use crate::engine::cpu::sevennet::weights::Weights;
    let potential = potential("sevennet/small");
    let mut weights = <Weights<f32> as Tested<f32>>::of(&potential, potential.elements());
    assert!(super::check_degrees(&weights.interactions).is_ok());
    weights.interactions.layers[1].paths[0].path.l1 = 3;
    let refused = super::check_degrees(&weights.interactions).unwrap_err().to_string();
    assert!(refused.contains("has 2 and 3; use the engine cpu"), "{refused}");
}
