//! Every kernel against its twin on the CPU, on real scenes. Without a GPU the kernels run through `tests/shim`; with
//! `REQUIRE_GPU` set they run on one.

mod features;
mod gated;
mod rows;

use std::path::Path;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};

use super::buffers::ChgnetBuffers;
use super::forward::Forward;
use super::launch::Batch;
use super::plan::ChgnetPlan;
use super::shape::Total;
use super::tables::{ModelTables, NetworkTables};
use crate::crystal::read_structure;
use crate::engine::Scene;
use crate::engine::cpu::Matrix;
use crate::engine::cpu::chgnet::rows::Rows;
use crate::engine::cpu::chgnet::weights::Weights;
use crate::engine::cpu::table::Place;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::device::Device;
use crate::engine::cuda::layout;
use crate::engine::cuda::pairs::tests::{assert_close, shim};
use crate::engine::cuda::queue::{Kernels, Queue};
use crate::engine::cuda::slot::queues;
use crate::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use crate::potential::chgnet::FEATURES;
use crate::potential::{DEFAULT, Family, Potential};
use crate::symmetry::Crystal;

/// Crystals below `tests/data/golden`: mirror planes and few angles, high symmetry and two elements, many angles, atoms
/// so close that bonds are very short, one atom, an atom without neighbours.
const CRYSTALS: [&str; 6] = [
    "Sn2S3-Pnma",
    "rutile-TiO2",
    "perovskite-CaTiO3-Pnma",
    "skewed-TiO-three-atoms",
    "triclinic-Al-one-atom",
    "single-O-in-a-box",
];
/// Nodes along each axis: an odd number of points.
const NODES: usize = 3;

/// A scene on a device, and as the CPU engine has it.
struct Fixture<T> {
    name: String,
    queue: Queue,
    scene: Arc<Scene>,
    weights: Weights<T>,
    plan: ChgnetPlan,
    model: ModelTables<T>,
    tables: NetworkTables,
    buffers: ChgnetBuffers<T>,
    points: Vec<Point>,
    /// As the CPU finds them.
    expected: Rows<T>,
}

/// A landscape of a crystal along its first and last free coordinates.
fn landscape(name: &str) -> Arc<Landscape> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/golden/{name}.extxyz"));
    let crystal = Arc::new(Crystal::new(&read_structure(&path).unwrap(), 0.01).unwrap());
    let free = Dof::all(&crystal);
    let axis = |dof: &Dof| Axis { dof: *dof, range: [0.07, 0.93], points: NODES };
    let axes: Vec<Axis> = match &free[..] {
        [] => return Arc::new(Landscape::single_point(crystal, Thresholds::default())),
        [one] => vec![axis(one)],
        [first, .., last] => vec![axis(first), axis(last)],
    };
    Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap())
}

fn device() -> Arc<Device> {
    if !shim::on_gpu() {
        shim::load();
    }
    Device::open(0).unwrap()
}

impl<T: CudaReal> Fixture<T> {
    fn new(crystal: &str) -> Fixture<T> {
        let device = device();
        device.context.bind_to_thread().unwrap();
        let kernels = Arc::new(Kernels::new(&device.module(T::DOUBLE).unwrap()).unwrap());
        let queue = queues(&device.context, &kernels, 1).unwrap().remove(0);
        let potential = Potential::load(DEFAULT).unwrap();
        let Family::Chgnet(chgnet) = &potential.family else { panic!("{DEFAULT} is no CHGNet") };
        let landscape = landscape(crystal);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let weights = Weights::<T>::new(chgnet, &landscape.elements());
        let plan = ChgnetPlan::new(&scene, &weights).unwrap();
        let model = ModelTables::new(&queue, &weights).unwrap();
        let tables = NetworkTables::new(&queue, &plan, &model).unwrap();
        let points: Vec<Point> = landscape.grid.points().collect();
        let mut buffers = ChgnetBuffers::new(&queue, &plan.shape, points.len()).unwrap();
        let values: Vec<f64> = points.iter().flat_map(|p| scene.axis_values(*p)).collect();
        if !values.is_empty() {
            queue.stream().memcpy_htod(&values, &mut buffers.atoms.values).unwrap();
        }
        let mut expected = Rows::new();
        expected.find(&scene, &weights, &points);
        let name = format!("{crystal}, {}", T::NAME);
        let mut fixture =
            Fixture { name, queue, scene, weights, plan, model, tables, buffers, points, expected };
        fixture.run_rows();
        fixture
    }

    /// Runs all kernels that find rows.
    fn run_rows(&mut self) {
        let Fixture { queue, model, tables: scene, buffers, points, .. } = self;
        let batch = Batch { queue, shape: &scene.shape, points: points.len() };
        Forward { queue, model, scene }.rows(batch, &buffers.atoms.values, &mut buffers.rows).unwrap();
    }

    fn batch(&self) -> Batch<'_> {
        Batch { queue: &self.queue, shape: &self.plan.shape, points: self.points.len() }
    }

    /// Rows of a kind, as the CPU counts them.
    fn count(&self, total: Total) -> usize {
        let Rows { short, places, bonds, short_bonds, angles, .. } = &self.expected;
        match total {
            Total::None => 0,
            Total::Short => *short,
            Total::Bonds => places.len(),
            Total::Directed => bonds.len(),
            Total::ShortDirected => short_bonds.len(),
            Total::Angles => angles.len(),
            Total::Atoms => self.plan.elements.len() * self.points.len(),
        }
    }

    /// The device's row of an atom, from that of the CPU, which has them point by point.
    fn atom(&self, row: usize) -> usize {
        let sites = self.plan.elements.len();
        row % sites * self.points.len() + row / sites
    }

    /// The first numbers of a buffer.
    fn download<N: DeviceRepr>(&self, from: &CudaSlice<N>, count: usize) -> Vec<N> {
        let mut all = self.queue.stream().clone_dtoh(from).unwrap();
        self.queue.stream().synchronize().unwrap();
        all.truncate(count);
        all
    }

    /// A buffer for so many rows of a kind, and for all that there may be.
    fn buffer(&self, total: Total, width: usize) -> CudaSlice<T> {
        self.queue.buffer(self.batch().rows(total) * width).unwrap()
    }

    /// Numbers that look random for all rows that there may be of a kind, and those of the rows that there are.
    fn noise(&self, total: Total, width: usize, seed: usize) -> (CudaSlice<T>, Vec<f64>) {
        let number = |i: usize| T::from_f64((((i + seed) * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5);
        let all: Vec<T> = (0..self.batch().rows(total) * width).map(number).collect();
        let used = all[..self.count(total) * width].iter().map(|x| x.to_f64()).collect();
        (self.queue.upload(&all).unwrap(), used)
    }
}

/// Calls `check` for every crystal, in float64 for every other one, with another order of threads each time.
fn for_all<T: CudaReal>(check: impl Fn(&mut Fixture<T>)) {
    let step = if T::DOUBLE { 2 } else { 1 };
    for (k, crystal) in CRYSTALS.iter().enumerate().skip(step - 1).step_by(step) {
        if !shim::on_gpu() {
            shim::seed(k as u32 + 1);
        }
        check(&mut Fixture::new(crystal));
    }
}

/// A place as the device has it.
fn placed<T: CudaReal>(place: &Place<T>) -> layout::Place<T> {
    layout::Place { weights: place.weights, row: place.row as i32, shell: 0 }
}

/// Some columns of a table at a place, in float64.
fn at<T: CudaReal>(
    coefficients: &[T],
    columns: usize,
    place: &Place<T>,
    own: std::ops::Range<usize>,
) -> Vec<f64> {
    let tap =
        |j: usize, k: usize| coefficients[(place.row + j) * columns + k].to_f64() * place.weights[j].to_f64();
    own.map(|k| (0..6).map(|j| tap(j, k)).sum()).collect()
}

/// `input weights + bias`, row by row, in float64.
fn product<T: CudaReal>(input: &[f64], matrix: &Matrix<T>, bias: &[f64]) -> Vec<f64> {
    let of_row = |row: &[f64]| {
        let column = |k: usize| {
            let terms =
                row.iter().enumerate().map(|(i, x)| x * matrix.values[i * matrix.outputs + k].to_f64());
            terms.sum::<f64>() + bias.get(k).unwrap_or(&0.0)
        };
        (0..matrix.outputs).map(column).collect::<Vec<f64>>()
    };
    input.chunks_exact(matrix.inputs).flat_map(of_row).collect()
}

/// A row of features.
fn row(values: &[f64], number: usize) -> &[f64] {
    &values[number * FEATURES..(number + 1) * FEATURES]
}

fn as_f64<T: CudaReal>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}
