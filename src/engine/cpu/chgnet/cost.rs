//! What a point costs, counted.

use super::rows::Rows;
use super::weights::{BOTH, SiteWeights, Weights};
use crate::engine::cpu::Real;
use crate::engine::{Cost, Scene, Step};
use crate::landscape::Point;
use crate::potential::chgnet::FEATURES;

/// Points at which rows are counted.
const SAMPLES: usize = 24;

/// Rows of a point, on average.
struct Count {
    atoms: f64,
    /// Directed and undirected bonds, and short ones of both.
    directed: f64,
    directed_short: f64,
    undirected: f64,
    short: f64,
    angles: f64,
}

/// Multiply-adds of a product with a matrix `[C][C]`.
const PRODUCT: f64 = (FEATURES * FEATURES) as f64;
/// Multiply-adds that an exponential and the division after it count as.
const ACTIVATION: f64 = 12.0;

/// The cost of a point, as some of `points` have it.
pub(super) fn cost<T: Real>(
    scene: &Scene,
    sites: &[SiteWeights],
    weights: &Weights<T>,
    points: &[Point],
) -> Cost {
    let count = count(scene, sites, weights, points);
    let mut steps = Vec::new();
    let mut push = |name: &str, operations: f64, numbers: f64| {
        let bytes = numbers * size_of::<T>() as f64;
        steps.push(Step { name: name.to_string(), operations: 2.0 * operations, bytes });
    };
    let (features, both) = (FEATURES as f64, BOTH as f64);
    let long = count.undirected - count.short;
    let layers = [weights.atom_layers.len(), weights.bond_layers.len(), weights.angle_layers.len()];
    let [atom_layers, bond_layers, angle_layers] = layers.map(|n| n as f64);
    // First layers of core and gate of what has not changed come from tables.
    let looked_up = features * (count.undirected + 2.0 * count.short + count.angles)
        + both * ((atom_layers - 1.0) * long + 2.0 * count.angles)
        + features * (count.directed - count.directed_short);
    push("functions of distances and angles", 6.0 * looked_up, 7.0 * looked_up);
    // First layers of the others by input, second layers, silu between them, gated messages.
    let message = 2.0 * PRODUCT + 2.0 * both * ACTIVATION;
    let bonds = 2.0 * atom_layers * count.short * PRODUCT;
    let directed = (atom_layers - 1.0) * count.directed + count.directed_short;
    let operations = atom_layers * 5.0 * count.atoms * PRODUCT + directed * message + bonds;
    let numbers = 6.0 * both * count.directed + 3.0 * both * (count.undirected + count.atoms);
    push("messages along bonds", operations, atom_layers * numbers);
    let first = 2.0 * count.atoms * PRODUCT + 4.0 * count.short * PRODUCT;
    let angles = 2.0 * count.angles * PRODUCT;
    let numbers = 7.0 * both * count.angles + 5.0 * both * count.short;
    let operations = first + count.short * PRODUCT + count.angles * message;
    push(
        "messages along angles",
        bond_layers * operations + (bond_layers - 1.0) * angles,
        bond_layers * numbers,
    );
    let operations = first + count.angles * both * ACTIVATION;
    push(
        "updates of angles",
        angle_layers * operations + (angle_layers - 1.0) * angles,
        angle_layers * numbers,
    );
    let readout = weights.readout.len() as f64;
    push("readout", readout * count.atoms * PRODUCT, readout * 2.0 * features * count.atoms);
    Cost { steps, keeps: false, kept_bytes: 0.0 }
}

fn count<T: Real>(scene: &Scene, sites: &[SiteWeights], weights: &Weights<T>, points: &[Point]) -> Count {
    let step = points.len().div_ceil(SAMPLES).max(1);
    let samples: Vec<Point> = points.iter().step_by(step).copied().collect();
    let mut rows = Rows::new();
    rows.find(scene, weights, &samples);
    let mean = |total: usize| total as f64 / samples.len().max(1) as f64;
    Count {
        atoms: sites.len() as f64,
        directed: mean(rows.bonds.len()),
        directed_short: mean(rows.short_bonds.len()),
        undirected: mean(rows.places.len()),
        short: mean(rows.short),
        angles: mean(rows.angles.len()),
    }
}
