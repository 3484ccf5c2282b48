//! What a point costs, counted; and whether operators are worth keeping, the one place where that is decided.

use std::collections::HashSet;

use super::geometry::Geometry;
use super::{BLOCK, Family, Interactions};
use crate::engine::cpu::{Matrix, Real};
use crate::engine::{Cost, Scene, Step};
use crate::equivariant::components;
use crate::landscape::Point;

/// Operators are kept if all that may be kept, taken together, has at most this many bytes.
const KEPT_BYTES: f64 = (1_u64 << 30) as f64;

/// Multiply-adds that storing or loading one number of a kept operator counts as.
const MEMORY: f64 = 2.0;

/// Points at which neighbours are counted.
const SAMPLES: usize = 24;

/// Work on the operators of a group of pairs, in multiply-adds and numbers.
struct GroupCost {
    keepable: bool,
    /// Points that share an operator.
    uses: f64,
    build: f64,
    /// Numbers read from tables.
    tables: f64,
    /// Numbers of a bundle.
    numbers: f64,
    /// Bundles that some points need together.
    bundles: f64,
}

/// The cost of `points`, evaluated in one call. `keep` overrules the choice.
pub(in crate::engine) fn cost<T: Real, F: Family<T>>(
    scene: &Scene,
    (model, geometry, sites): (&F, &Geometry, &F::Sites),
    points: &[Point],
    keep: Option<bool>,
) -> Cost {
    let of = model.interactions();
    let groups: Vec<GroupCost> =
        (0..geometry.groups.len()).map(|g| group(scene, (geometry, of), points, g)).collect();
    let keepable = || groups.iter().filter(|g| g.keepable);
    let bytes: f64 = keepable().map(|g| g.numbers * g.bundles).sum::<f64>() * size_of::<T>() as f64;
    let shared = |g: &GroupCost| (g.build + MEMORY * g.numbers) / g.uses + MEMORY * g.numbers;
    let cheaper = keepable().map(shared).sum::<f64>() < keepable().map(|g| g.build).sum();
    let keeps = keep.unwrap_or(cheaper && bytes <= KEPT_BYTES);
    let mut steps = Vec::new();
    let mut push = |name: String, operations: f64, numbers: f64| {
        steps.push(Step { name, operations: 2.0 * operations, bytes: numbers * size_of::<T>() as f64 });
    };
    for (group, cost) in geometry.groups.iter().zip(&groups) {
        let uses = if keeps && cost.keepable { cost.uses } else { 1.0 };
        let stored = if keeps && cost.keepable { cost.numbers } else { 0.0 };
        let axes: Vec<String> = group.axes.iter().map(|a| (a + 1).to_string()).collect();
        let name = match group.axes.len() {
            0 => "operators of pairs that no axis moves".to_string(),
            n if n == scene.landscape.axes.len() => "operators of pairs that all axes move".to_string(),
            _ => format!("operators of pairs that axis {} moves", axes.join(" and ")),
        };
        push(name, cost.build / uses, (cost.tables + stored) / uses);
    }
    let applied: f64 = groups.iter().map(|g| g.numbers).sum();
    push("applying operators".into(), applied, 2.0 * applied);
    for (name, operations, numbers) in model.steps(geometry, sites) {
        push(name.into(), operations, numbers);
    }
    Cost { steps, keeps, kept_bytes: if keeps { bytes } else { 0.0 } }
}

fn group<T>(
    scene: &Scene,
    (geometry, of): (&Geometry, &Interactions<T>),
    points: &[Point],
    index: usize,
) -> GroupCost {
    let group = &geometry.groups[index];
    let samples: Vec<Vec<f64>> =
        points.iter().step_by(points.len().div_ceil(SAMPLES).max(1)).map(|p| scene.axis_values(*p)).collect();
    let columns = |t: usize| of.layers[t].paths.iter().map(|p| p.width).sum::<usize>();
    let later: usize = (1..of.layers.len()).map(columns).sum();
    let (mut build, mut tables) = (0.0, 0.0);
    for pair in &group.pairs {
        let (own, pair) = (&geometry.pairs[*pair], &scene.pairs[*pair]);
        let within = |s: &Vec<f64>| {
            (0..own.spheres.len()).filter(|k| own.bond(pair, *k).at(s).norm() < scene.cutoff).count()
        };
        let mean = samples.iter().map(within).sum::<usize>() as f64 / samples.len().max(1) as f64;
        let columns = 6 * (own.directions.len() * columns(0) + later);
        let angular: usize = own.directions.iter().map(|d| d.angular).sum();
        let values: usize = own.directions.iter().map(|d| d.values).sum();
        // Tables, harmonics times couplings, and their products over the columns.
        build += mean * (columns + angular * components(of.lmax) + values) as f64;
        tables += mean * columns as f64;
    }
    let keys: HashSet<usize> = points.iter().map(|p| group.key(scene, *p)).collect();
    let nodes = if group.is_frozen() { scene.landscape.grid.len() } else { points.len() };
    let bundles = if group.is_frozen() { 1 } else { keys.len().max(1) } as f64;
    GroupCost {
        keepable: group.is_keepable(scene),
        uses: nodes as f64 / bundles,
        build,
        tables,
        numbers: group.values as f64,
        bundles,
    }
}

/// Multiply-adds and numbers of matrix products.
#[derive(Clone, Copy, Default)]
pub(in crate::engine) struct Products {
    pub(in crate::engine) operations: usize,
    pub(in crate::engine) numbers: usize,
}

impl Products {
    /// Adds `rows` rows times a matrix, whose weights a block loads once.
    pub(in crate::engine) fn add<T>(&mut self, rows: usize, matrix: &Matrix<T>) {
        let Matrix { inputs, outputs, .. } = matrix;
        self.operations += rows * inputs * outputs;
        self.numbers += rows * (inputs + outputs) + inputs * outputs / BLOCK;
    }

    /// As a step of the evaluation.
    pub(in crate::engine) fn step(self, name: &'static str) -> (&'static str, f64, f64) {
        (name, self.operations as f64, self.numbers as f64)
    }
}
