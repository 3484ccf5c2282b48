//! What a point costs, counted; and whether operators are worth keeping, the one place where that is decided.

use std::collections::HashSet;

use super::geometry::{BLOCK, Geometry};
use super::weights::{HeadReadout, Weights};
use crate::engine::cpu::Real;
use crate::engine::{Cost, Scene, Step};
use crate::equivariant::components;
use crate::landscape::Point;

/// Operators are kept if all that may be kept, taken together, has at most this many bytes.
const KEPT_BYTES: usize = 1 << 30;

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
    geometry: &Geometry<T>,
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
    let keeps = keep.unwrap_or(cheaper && bytes <= KEPT_BYTES as f64);
    let mut steps = Vec::new();
    let mut push = |name: String, operations: f64, numbers: f64| {
        steps.push(Step { name, operations: 2.0 * operations, bytes: numbers * size_of::<T>() as f64 });
    };
    for (group, cost) in geometry.groups.iter().zip(&groups) {
        let uses = if keeps && cost.keepable { cost.uses } else { 1.0 };
        let stored = if keeps && cost.keepable { cost.numbers } else { 0.0 };
        let name = match group.axes.len() {
            0 => "operators of pairs that no axis moves".to_string(),
            n if n == scene.landscape.axes.len() => "operators of pairs that all axes move".to_string(),
            _ => format!("operators of pairs that axis {} moves", list(&group.axes)),
        };
        push(name, cost.build / uses, (cost.tables + stored) / uses);
    }
    let applied: f64 = groups.iter().map(|g| g.numbers).sum();
    push("applying operators".into(), applied, 2.0 * applied);
    products(geometry, weights, &mut push);
    Cost { steps, keeps, kept_bytes: if keeps { bytes } else { 0.0 } }
}

/// Axes as they are counted: `1 and 3`.
fn list(axes: &[usize]) -> String {
    axes.iter().map(|a| (a + 1).to_string()).collect::<Vec<_>>().join(" and ")
}

fn group<T: Real>(
    scene: &Scene,
    geometry: &Geometry<T>,
    weights: &Weights<T>,
    points: &[Point],
    index: usize,
) -> GroupCost {
    let group = &geometry.groups[index];
    let paths: usize = weights.later.iter().map(|l| l.paths.len()).sum();
    let samples: Vec<Vec<f64>> =
        points.iter().step_by(points.len().div_ceil(SAMPLES).max(1)).map(|p| scene.axis_values(*p)).collect();
    let (mut build, mut tables) = (0.0, 0.0);
    for pair in &group.pairs {
        let shells = &scene.pairs[*pair].shells;
        let within = |s: &Vec<f64>| shells.iter().filter(|x| x.bonds[0].at(s).norm() < scene.cutoff).count();
        let mean = samples.iter().map(within).sum::<usize>() as f64 / samples.len().max(1) as f64;
        let directions = &geometry.pairs[*pair].directions;
        let rows: usize = directions.iter().map(|d| d.targets.len()).sum();
        let columns = 6 * (directions.len() * (weights.lmax + 1) + paths) * weights.channels;
        // Tables, harmonics times couplings, and their products over the channels.
        let angular = rows * components(weights.lmax);
        build += mean * (columns + angular + rows * weights.channels) as f64;
        tables += mean * columns as f64;
    }
    let keys: HashSet<usize> = points.iter().map(|p| group.key(scene, *p)).collect();
    let frozen = group.axes.is_empty();
    let nodes = if frozen { scene.landscape.grid.len() } else { points.len() };
    let bundles = if frozen { 1 } else { keys.len().max(1) } as f64;
    GroupCost {
        keepable: geometry.is_keepable(index, scene),
        uses: nodes as f64 / bundles,
        build,
        tables,
        numbers: group.values as f64,
        bundles,
    }
}

/// What follows the messages: matrix products and contractions.
fn products<T: Real>(geometry: &Geometry<T>, weights: &Weights<T>, push: &mut impl FnMut(String, f64, f64)) {
    let c = weights.channels;
    // Multiply-adds and numbers of `rows` rows times a matrix, whose weights a block loads once.
    let product = |rows: usize, inputs: usize, outputs: usize| {
        let numbers = rows * (inputs + outputs) + inputs * outputs / BLOCK;
        ((rows * inputs * outputs) as f64, numbers as f64)
    };
    let (mut linear, mut update, mut contraction) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    let add = |sum: &mut (f64, f64), term: (f64, f64)| *sum = (sum.0 + term.0, sum.1 + term.1);
    for (t, layer) in weights.layers.iter().enumerate() {
        let outputs = geometry.features[t].total;
        if t > 0 {
            add(&mut linear, product(geometry.features[t - 1].total, c, c));
            for (l3, width) in geometry.path_rows[t - 1].widths.iter().enumerate() {
                add(&mut linear, product(geometry.messages.of_degree(l3).len(), width * c, c));
            }
        }
        if !layer.product.is_empty() {
            add(&mut update, product(outputs, c, c));
        }
        for (l, _) in &layer.skip {
            let rows =
                geometry.features[t].position(*l).map_or(0, |k| geometry.features[t].of_degree(k).len());
            add(&mut update, product(rows, c, c));
        }
        for site in &geometry.sites {
            for polynomials in &site.contractions[t] {
                let (operations, coefficients) = polynomials.operations();
                add(&mut contraction, ((operations * c) as f64, (coefficients * c) as f64));
            }
        }
        if let HeadReadout::Hidden { first, .. } = &weights.readouts[t] {
            add(&mut update, product(geometry.sites.len(), c, first.outputs));
        }
    }
    push("linear maps of messages".into(), linear.0, linear.1);
    push("symmetric contractions".into(), contraction.0, contraction.1);
    push("updates and readouts".into(), update.0, update.1);
}
