//! The CUDA engine against the CPU engine and against itself.

use std::sync::Arc;

use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::{Engine, PointResult, Scene};
use s2dpes::landscape::Point;
use serde_json::{Value, json};

use super::Failure;

/// Points of calls, and how many points are evaluated in such calls at most.
const CALLS: [(usize, usize); 3] = [(1, 24), (37, 740), (1000, 4000)];

/// How much energies may differ, as a share of the energy where that is above 1 eV per atom. Where atoms are too close,
/// random weights make large parts that cancel, and digits are lost.
fn tolerance<T: CudaReal>(expected: &PointResult) -> f64 {
    match (T::DOUBLE, expected.distance_cost == 0.0) {
        (false, true) => 2e-6,
        (false, false) => 1e-4,
        (true, true) => 1e-11,
        (true, false) => 1e-9,
    }
}

/// The largest difference from the CPU engine in the same precision. Distances have to be the same to the last bit.
pub fn accuracy<T: CudaReal>(
    gpu: &mut dyn Engine,
    cpu: &mut dyn Engine,
    scene: &Arc<Scene>,
    points: &[Point],
) -> Result<Value, Failure> {
    let (found, expected) = (gpu.evaluate(scene, points)?, cpu.evaluate(scene, points)?);
    let pairs = || found.iter().zip(&expected);
    let difference = |(a, b): (&PointResult, &PointResult)| (a.energy - b.energy).abs();
    // `max` passes over NaN, which energies of coinciding atoms are.
    let largest = pairs().map(difference).fold(0.0, f64::max);
    let share = |(a, b): (&PointResult, &PointResult)| {
        difference((a, b)) / b.energy.abs().max(1.0) / tolerance::<T>(b)
    };
    let of_tolerance = pairs().map(share).fold(0.0, f64::max);
    let same_status = pairs().all(|(a, b)| a.status == b.status);
    let same_distances = pairs().all(|(a, b)| distances(a) == distances(b));
    let compared = pairs().filter(|(a, _)| a.energy.is_finite()).count();
    Ok(json!({
        "points": points.len(),
        "compared": compared,
        "largest_difference_eV_per_atom": largest,
        "of_tolerance": of_tolerance,
        "same_status": same_status,
        "same_distances": same_distances,
        "passed": compared > 0 && of_tolerance <= 1.0 && same_status && same_distances,
    }))
}

fn distances(result: &PointResult) -> [u64; 2] {
    [result.distance_cost, result.minimum_distance].map(f64::to_bits)
}

fn bits_of(results: &[PointResult]) -> Vec<[u64; 3]> {
    results.iter().map(|r| [r.energy, r.distance_cost, r.minimum_distance].map(f64::to_bits)).collect()
}

/// Whether the same bits come out again, in reverse, and in calls of other lengths.
pub fn bits(gpu: &mut dyn Engine, scene: &Arc<Scene>, points: &[Point]) -> Result<Value, Failure> {
    let points = &points[..points.len().min(5000)];
    let expected = bits_of(&gpu.evaluate(scene, points)?);
    let mut wrong = Vec::new();
    if bits_of(&gpu.evaluate(scene, points)?) != expected {
        wrong.push("again".to_string());
    }
    let reversed: Vec<Point> = points.iter().rev().copied().collect();
    let mut found = bits_of(&gpu.evaluate(scene, &reversed)?);
    found.reverse();
    if found != expected {
        wrong.push("in reverse".to_string());
    }
    for (length, most) in CALLS {
        let some = &points[..points.len().min(most)];
        let mut found = Vec::new();
        for call in some.chunks(length) {
            found.extend(bits_of(&gpu.evaluate(scene, call)?));
        }
        if found != expected[..some.len()] {
            wrong.push(format!("in calls of {length}"));
        }
    }
    Ok(json!({ "points": points.len(), "other_bits": wrong, "passed": wrong.is_empty() }))
}
