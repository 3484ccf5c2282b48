//! What a point costs, counted; and whether operators are worth keeping, the one place where that is decided.

use std::collections::HashSet;

use super::geometry::{BLOCK, Geometry};
use super::weights::Weights;
use crate::engine::cpu::Real;
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
pub(super) fn cost<T: Real>(
    scene: &Scene,
    geometry: &Geometry,
    weights: &Weights<T>,
    points: &[Point],
    keep: Option<bool>,
) -> Cost {
    let groups: Vec<GroupCost> =
        (0..geometry.groups.len()).map(|g| group(scene, geometry, weights, points, g)).collect();
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
    let (operations, numbers) = products(geometry, weights);
    push("linear maps".into(), operations, numbers);
    Cost { steps, keeps, kept_bytes: if keeps { bytes } else { 0.0 } }
}

fn group<T: Real>(
    scene: &Scene,
    geometry: &Geometry,
    weights: &Weights<T>,
    points: &[Point],
    index: usize,
) -> GroupCost {
    let group = &geometry.groups[index];
    let samples: Vec<Vec<f64>> =
        points.iter().step_by(points.len().div_ceil(SAMPLES).max(1)).map(|p| scene.axis_values(*p)).collect();
    let columns = |t: usize| weights.layers[t].paths.iter().map(|p| p.width).sum::<usize>();
    let later: usize = (1..weights.layers.len()).map(columns).sum();
    let (mut build, mut tables) = (0.0, 0.0);
    for pair in &group.pairs {
        let (shells, of_pair) = (&scene.pairs[*pair].shells, &geometry.pairs[*pair]);
        let spheres = &of_pair.spheres;
        let within = |s: &Vec<f64>| {
            spheres.iter().filter(|k| shells[k[0]].bonds[0].at(s).norm() < scene.cutoff).count()
        };
        let mean = samples.iter().map(within).sum::<usize>() as f64 / samples.len().max(1) as f64;
        let directions = &of_pair.directions;
        let columns = 6 * (directions.len() * columns(0) + later);
        let angular: usize = directions.iter().map(|d| d.angular).sum();
        let values: usize = directions.iter().map(|d| values(weights, d)).sum();
        // Tables, harmonics times couplings, and their products over the columns.
        build += mean * (columns + angular * components(weights.lmax) + values) as f64;
        tables += mean * columns as f64;
    }
    let keys: HashSet<usize> = points.iter().map(|p| group.key(scene, *p)).collect();
    let frozen = group.axes.is_empty();
    let nodes = if frozen { scene.landscape.grid.len() } else { points.len() };
    let bundles = if frozen { 1 } else { keys.len().max(1) } as f64;
    GroupCost {
        keepable: group.is_keepable(scene),
        uses: nodes as f64 / bundles,
        build,
        tables,
        numbers: group.values as f64,
        bundles,
    }
}

/// Numbers of a direction's operators.
fn values<T: Real>(weights: &Weights<T>, direction: &super::geometry::Direction) -> usize {
    let layers = direction.blocks.iter().zip(&weights.layers);
    let rows = layers.flat_map(|(blocks, layer)| blocks.iter().zip(&layer.paths));
    rows.map(|(rows, path)| rows.shape[0] * rows.shape[1] * path.width).sum()
}

/// Multiply-adds and numbers of the matrix products, whose weights a block loads once.
fn products<T: Real>(geometry: &Geometry, weights: &Weights<T>) -> (f64, f64) {
    let rows = |l: usize| geometry.starts[l].last().copied().unwrap_or(0);
    let (mut operations, mut numbers) = (0, 0);
    for layer in weights.layers.iter().skip(1) {
        let maps = [&layer.up, &layer.connection, &layer.linear];
        for (l, matrix) in maps.into_iter().flat_map(|maps| maps.iter().enumerate()) {
            operations += rows(l) * matrix.inputs * matrix.outputs;
            numbers += rows(l) * (matrix.inputs + matrix.outputs) + matrix.inputs * matrix.outputs / BLOCK;
        }
    }
    (operations as f64, numbers as f64)
}
