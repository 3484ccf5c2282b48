//! Every kernel against its twin on the CPU, on real scenes. Without a GPU the kernels run through `tests/shim`; with
//! `REQUIRE_GPU` set they run on one.

#[path = "../../../../tests/shim/load.rs"]
pub(in crate::engine::cuda) mod shim;

mod network;
mod operators;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};

use super::buffers::Buffers;
use super::forward::Forward;
use super::model::ModelArrays;
use super::plan::Plan;
use super::slot::{nodes, queues};
use super::tables::{ModelTables, Scales, SceneTables};
use crate::crystal::{Structure, read_structure};
use crate::engine::Scene;
use crate::engine::cpu::mace::geometry::Geometry;
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::device::Device;
use crate::engine::cuda::queue::{Kernels, Queue};
use crate::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use crate::potential::mace::Mace;
use crate::potential::{Family, Potential};
use crate::symmetry::Crystal;

/// Crystals below `tests/data/golden`: mirror planes, high symmetry, none at all, one atom, atoms without neighbours.
const CRYSTALS: [&str; 5] =
    ["Sn2S3-Pnma", "rutile-TiO2", "triclinic-TiO-seven-atoms", "triclinic-Al-one-atom", "single-O-in-a-box"];
/// Residual blocks; plain first block, Agnesi transform, ZBL; density blocks and features up to L = 2; padded channels.
const MODELS: [&str; 4] = ["mp0-L1", "0b-L1", "0b2-L2", "channels-12"];
/// Nodes along each axis: an odd number of points.
const NODES: [usize; 2] = [3, 3];

/// A scene on a device, and as the CPU engine has it.
struct Fixture<T> {
    name: String,
    queue: Queue,
    scene: Arc<Scene>,
    weights: Weights<T>,
    geometry: Geometry<T>,
    plan: Plan<T>,
    model: ModelTables<T>,
    tables: SceneTables<T>,
    buffers: Buffers<T>,
    points: Vec<Point>,
    /// Points of the nodes of each group.
    nodes: Vec<Vec<usize>>,
}

fn potential(name: &str) -> Potential {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/models/{name}.model.gz"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    Potential::from_bytes(name, bytes).unwrap()
}

fn mace(potential: &Potential) -> &Mace {
    match &potential.family {
        Family::Mace(mace) => mace,
        _ => panic!("{} is no MACE", potential.source),
    }
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
    let replace =
        |e: &crate::crystal::Element| known[own.iter().position(|o| o == e).unwrap_or(0) * 2 % known.len()];
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

impl<T: CudaReal> Fixture<T> {
    fn new(crystal: &str, model: &str, keep: Option<bool>) -> Fixture<T> {
        let device = device();
        let queue = queue::<T>(&device);
        let potential = potential(model);
        let landscape = landscape(crystal, &potential);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let weights = Weights::<T>::new(mace(&potential), &landscape.elements(), 0);
        let arrays = ModelArrays::new(&weights);
        let geometry = Geometry::new(&scene, &weights).unwrap();
        let plan = Plan::new(&scene, &weights, &arrays, keep).unwrap();
        let scales = Scales {
            cutoff: scene.cutoff,
            tables: weights.first[0][0].scale(),
            densities: weights.densities.as_ref().map_or((1, 0.0), |d| d[0][0].scale()),
        };
        let model = ModelTables::new(&queue, &arrays, weights.lmax, scales).unwrap();
        let tables = SceneTables::new(&queue, &plan).unwrap();
        let points: Vec<Point> = landscape.grid.points().collect();
        let buffers = Buffers::new(&queue, &plan.shape, points.len()).unwrap();
        let name = format!("{crystal}, {}, {}", potential.source, T::NAME);
        let nodes = Vec::new();
        let mut fixture =
            Fixture { name, queue, scene, weights, geometry, plan, model, tables, buffers, points, nodes };
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

    fn forward(&self) -> Forward<'_, T> {
        Forward { queue: &self.queue, shape: &self.plan.shape, model: &self.model, scene: &self.tables }
    }

    /// Runs all kernels of all groups.
    fn run_groups(&mut self) {
        let mut buffers = std::mem::take(&mut self.buffers.groups);
        for ((group, buffers), nodes) in self.tables.groups.iter().zip(&mut buffers).zip(&self.nodes) {
            self.forward().group(group, buffers, nodes.len()).unwrap();
        }
        self.buffers.groups = buffers;
    }

    /// The first numbers of a buffer.
    fn download<N: DeviceRepr>(&self, from: &CudaSlice<N>, count: usize) -> Vec<N> {
        let mut all = self.queue.stream().clone_dtoh(from).unwrap();
        self.queue.stream().synchronize().unwrap();
        all.truncate(count);
        all
    }

    /// Axis values of a node of a group.
    fn values(&self, group: usize, node: usize) -> Vec<f64> {
        self.scene.axis_values(self.points[self.nodes[group][node]])
    }
}

/// Calls `check` for every crystal with every other model, so that each model has two or three crystals, with another
/// order of threads each time.
fn for_all<T: CudaReal>(keep: Option<bool>, check: impl Fn(&mut Fixture<T>)) {
    for (k, crystal) in CRYSTALS.iter().enumerate() {
        for (m, model) in MODELS.iter().enumerate().skip(k % 2).step_by(2) {
            if !shim::on_gpu() {
                shim::seed((7 * k + m + 1) as u32);
            }
            check(&mut Fixture::new(crystal, model, keep));
        }
    }
}

/// Numbers that look random, in [-0.5, 0.5).
fn noise<T: CudaReal>(count: usize) -> Vec<T> {
    (0..count).map(|i| T::from_f64(((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5)).collect()
}

/// Numbers are equal to a share of the largest one.
fn assert_close<T: CudaReal>(name: &str, found: &[T], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let bound = if T::DOUBLE { 1e-12 } else { 2e-6 };
    let largest = expected.iter().fold(1e-30_f64, |a, v| a.max(v.abs()));
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found.to_f64() - expected).abs() / largest;
        assert!(error < bound, "{name}, number {k}: {found:?} {expected} ({error:e} of {largest})");
    }
}
