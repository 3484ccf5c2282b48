//! How long a campaign would take: counted work over a rate that is measured here, or known of a GPU.
//!
//! ```text
//! seconds = seconds of laying out + sum over surfaces of points x operations a point / rate
//! ```
//!
//! A few surfaces of each model, from the one with the fewest bonds to that with the most, are counted and measured; others
//! have the operations of the nearest of these in that order, scaled with the bonds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use s2dpes::engine::{Engine, EngineError, Gpus, Place, Scene};
use s2dpes::landscape::Point;
use s2dpes::potential::Family;
use s2dpes::work::{Model, Precision, Work};

use super::Surface;

/// Surfaces that are counted and measured, over all models.
const SAMPLES: usize = 12;
/// How long the evaluations that measure take, all together.
const BUDGET: Duration = Duration::from_millis(600);
/// No more surfaces are looked at after this time.
const PATIENCE: Duration = Duration::from_secs(3);
/// A rank on a GPU computes only after so many seconds (`benches/results/gpu.md`, whole programs).
const GPU_START: f64 = 0.6;

/// Estimates in seconds.
pub(super) struct Estimate {
    /// On the CPUs of this machine.
    pub(super) cpu: f64,
    /// On one GPU that there are figures of.
    pub(super) h100: f64,
}

/// A surface that was counted and measured.
struct Sample {
    bonds: usize,
    /// Operations of a point.
    operations: f64,
    /// Operations a second on this machine.
    rate: f64,
}

/// Estimates the computing of all surfaces, whose bonds are known.
pub(super) fn estimate(work: &Work, surfaces: &[Surface]) -> Result<Estimate, EngineError> {
    let started = Instant::now();
    let mut estimate = Estimate { cpu: 0.0, h100: GPU_START };
    let mut models: Vec<&Arc<Model>> = surfaces.iter().map(|s| &work.surface(s.id).model).collect();
    models.sort_by_key(|model| Arc::as_ptr(model));
    models.dedup_by_key(|model| Arc::as_ptr(model));
    let samples = (SAMPLES / models.len().max(1)).max(1);
    let budget = BUDGET / (samples * models.len()).clamp(1, surfaces.len().max(1)) as u32;
    for model in &models {
        let is_of_model = |s: &&Surface| Arc::ptr_eq(&work.surface(s.id).model, model);
        let mut own: Vec<&Surface> = surfaces.iter().filter(is_of_model).collect();
        own.sort_by_key(|s| s.bonds);
        let mut known: Vec<Sample> = Vec::new();
        for place in spread(own.len(), samples) {
            if known.is_empty() || started.elapsed() < PATIENCE {
                known.push(sample(work, own[place], budget)?);
            }
        }
        for surface in own {
            let distance = |sample: &&Sample| sample.bonds.abs_diff(surface.bonds);
            let Some(near) = known.iter().min_by_key(distance) else { continue };
            let scale = surface.bonds.max(1) as f64 / near.bonds.max(1) as f64;
            let points = work.surface(surface.id).irreducible.points.len() as f64;
            let operations = points * near.operations * scale;
            estimate.cpu += operations / near.rate;
            estimate.h100 += operations / rate_of_h100(model);
        }
    }
    Ok(estimate)
}

/// At most so many places of a list, from its first to its last.
fn spread(length: usize, count: usize) -> Vec<usize> {
    match count.min(length) {
        0 => Vec::new(),
        1 => vec![length / 2],
        count => (0..count).map(|i| i * (length - 1) / (count - 1)).collect(),
    }
}

/// Counts and measures a surface for about the time given.
fn sample(work: &Work, surface: &Surface, budget: Duration) -> Result<Sample, EngineError> {
    let (landscape, own) = (work.landscape(surface.id), work.surface(surface.id));
    let scene = Scene::new(landscape.landscape.clone(), &own.model.potential);
    let scene = Arc::new(scene.map_err(|e| EngineError::Device(e.to_string()))?);
    let mut engine = own.model.engine(&landscape.landscape.elements(), &Place::Cpu)?;
    let points = own.tiles.iter().max_by_key(|t| t.points.len()).map_or(&[][..], |t| &t.points);
    // The first call makes tables.
    engine.evaluate(&scene, &points[..points.len().min(1)])?;
    let (count, seconds) = measure(&mut *engine, &scene, points, budget)?;
    let of = |cost: s2dpes::engine::Cost| cost.steps.iter().map(|step| step.operations).sum::<f64>();
    let measured = of(engine.cost(&scene, &points[..count])?);
    let operations = if count == points.len() { measured } else { of(engine.cost(&scene, points)?) };
    Ok(Sample { bonds: surface.bonds, operations, rate: measured * count as f64 / seconds })
}

/// Evaluates more and more points until that takes a part of the time given, and as many again while there is time: how
/// many, and the fewest seconds that they took, since other programs only make it slower.
fn measure(
    engine: &mut dyn Engine,
    scene: &Arc<Scene>,
    points: &[Point],
    budget: Duration,
) -> Result<(usize, f64), EngineError> {
    let (began, budget) = (Instant::now(), budget.as_secs_f64());
    let mut time = |count: usize| -> Result<f64, EngineError> {
        let start = Instant::now();
        engine.evaluate(scene, &points[..count])?;
        Ok(start.elapsed().as_secs_f64().max(1e-9))
    };
    let mut count = points.len().min(4);
    let mut seconds = time(count)?;
    // The next call takes about four times as long as this one.
    while count < points.len() && began.elapsed().as_secs_f64() + 4.0 * seconds < budget / 2.0 {
        count = points.len().min(4 * count);
        seconds = time(count)?;
    }
    while began.elapsed().as_secs_f64() + seconds < budget {
        seconds = seconds.min(time(count)?);
    }
    Ok((count, seconds))
}

/// Operations a second of an NVIDIA H100, from the times of a point in `benches/results/gpu.md` and the operations that
/// `plan --cost` counts of the same landscapes; they differ by up to 25 % from one landscape to another.
fn rate_of_h100(model: &Model) -> f64 {
    let (single, double) = match &model.potential.family {
        Family::Mace(_) => (7.7e12, 3.9e12),
        Family::Chgnet(_) => (19.7e12, 7.1e12),
        Family::Sevennet(_) => (6.7e12, 3.6e12),
    };
    if model.precision == Precision::Double { double } else { single }
}

/// `about 3 min on the 2 threads of this machine (estimate)`, and a line of what is known of GPUs.
pub(super) fn lines(estimate: &Estimate, laying_out: f64) -> String {
    let (threads, on_cpu) = (rayon::current_num_threads(), roughly(estimate.cpu + laying_out));
    let noun = if threads == 1 { "thread" } else { "threads" };
    let here = format!("about {on_cpu} on the {threads} {noun} of this machine (estimate)");
    let on_gpu = roughly(estimate.h100 + laying_out);
    let known = format!("about {on_gpu} on one NVIDIA H100 (estimate from its record)");
    let visible = Gpus::of_this_process().visible;
    match visible.iter().find(|gpu| !gpu.name.contains("H100")) {
        Some(other) => format!("{here}\n{known}; no figure for {}\n", other.name),
        None => format!("{here}\n{known}\n"),
    }
}

/// A time to two digits, since more would pretend.
fn roughly(seconds: f64) -> String {
    let units = [(86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let found = units.iter().find(|(unit, _)| seconds >= 1.5 * unit).or(units.last());
    let (unit, name) = found.copied().unwrap_or((1.0, "s"));
    match seconds / unit {
        value if value < 1.0 => format!("1 {name}"),
        value if value < 9.95 && name != "s" => format!("{value:.1} {name}"),
        value if value < 99.5 => format!("{value:.0} {name}"),
        value => format!("{:.0} {name}", (value / 10.0).round() * 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_rough_as_estimates() {
        for (seconds, expected) in [
            (0.01, "1 s"),
            (42.4, "42 s"),
            (89.0, "89 s"),
            (91.0, "1.5 min"),
            (1800.0, "30 min"),
            (9000.0, "2.5 h"),
            (1e6, "12 days"),
            (1e8, "1160 days"),
        ] {
            assert_eq!(roughly(seconds), expected);
        }
    }

    #[test]
    fn samples_reach_from_the_first_to_the_last() {
        assert_eq!(spread(0, 6), Vec::<usize>::new());
        assert_eq!(spread(3, 6), [0, 1, 2]);
        assert_eq!(spread(11, 3), [0, 5, 10]);
        assert_eq!(spread(9, 1), [4]);
    }
}
