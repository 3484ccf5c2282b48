//! Points a second, from axis values to energies.

use std::sync::Arc;
use std::time::Instant;

use s2dpes::engine::{Engine, Scene};
use s2dpes::landscape::Point;
use serde_json::{Value, json};

use super::{Failure, median};

/// Evaluates all points in calls as campaigns make them: once to warm up, then in rounds.
pub fn measure(
    engine: &mut dyn Engine,
    scene: &Arc<Scene>,
    points: &[Point],
    rounds: usize,
) -> Result<Value, Failure> {
    let call = engine.call();
    let mut seconds = Vec::new();
    for _ in 0..=rounds {
        let start = Instant::now();
        for points in points.chunks(call) {
            engine.evaluate(scene, points)?;
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    let middle = median(seconds.clone());
    Ok(json!({
        "points": points.len(),
        "call": call,
        "seconds": seconds,
        "points_per_s": points.len() as f64 / middle,
        "us_per_point": 1e6 * middle / points.len() as f64,
    }))
}
