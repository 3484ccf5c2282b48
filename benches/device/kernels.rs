//! Time of each kernel, and the counted work of kernels that belong together.

use std::collections::HashMap;
use std::sync::Arc;

use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::cuda::queue::Kernel;
use s2dpes::engine::{Scene, Step};
use s2dpes::landscape::Point;
use serde_json::{Value, json};

use super::engines::GpuEngine;
use super::{Failure, median};

/// What is computed once for a landscape, before the times are taken.
const ONCE: &str = "operators of pairs that no axis moves";

/// A name, kernels, and the steps of [`s2dpes::engine::Engine::cost`] that they do, whose names begin so.
type Part = (&'static str, &'static [Kernel], &'static [&'static str]);

/// Of families with pair operators.
const PAIRS: [Part; 4] = [
    ("matrix products", &[Kernel::Linear], &["linear maps", "updates and readouts"]),
    ("contractions", &[Kernel::Contract], &["symmetric contractions"]),
    (
        "operators and messages",
        &[
            Kernel::Neighbours,
            Kernel::Places,
            Kernel::Harmonics,
            Kernel::Angular,
            Kernel::Operators,
            Kernel::ApplyFirst,
            Kernel::ApplyLater,
            Kernel::FirstMessages,
            Kernel::LaterMessages,
        ],
        &["operators of pairs", "applying operators"],
    ),
    (
        "gates, scalars, distances, energies",
        &[
            Kernel::Gate,
            Kernel::Embed,
            Kernel::DistanceCost,
            Kernel::PairScalars,
            Kernel::SumScalars,
            Kernel::Normalise,
            Kernel::LinearReadout,
            Kernel::HiddenReadout,
            Kernel::Energy,
        ],
        &[],
    ),
];

/// Of CHGNet.
const CHGNET: [Part; 4] = [
    (
        "matrix products and messages",
        &[
            Kernel::LinearRows,
            Kernel::BondMessages,
            Kernel::AngleMessages,
            Kernel::UpdateAngles,
            Kernel::SumAtoms,
            Kernel::SumBonds,
        ],
        &["messages along", "updates of angles", "readout"],
    ),
    (
        "functions from tables",
        &[Kernel::LookUp, Kernel::LongMessages, Kernel::FirstAtoms],
        &["functions of distances and angles"],
    ),
    (
        "bonds and angles",
        &[
            Kernel::BondLengths,
            Kernel::CountRows,
            Kernel::ScanRows,
            Kernel::FillBonds,
            Kernel::FillDirected,
            Kernel::FillAngles,
        ],
        &[],
    ),
    (
        "distances, energies",
        &[
            Kernel::Embed,
            Kernel::DistanceCost,
            Kernel::NormAtoms,
            Kernel::Activate,
            Kernel::LinearReadout,
            Kernel::Energy,
        ],
        &[],
    ),
];

/// A value for each part of the engine.
pub fn measure<T: CudaReal>(
    gpu: &mut GpuEngine<T>,
    scene: &Arc<Scene>,
    points: &[Point],
    rounds: usize,
) -> Result<Vec<Value>, Failure> {
    let parts = match gpu {
        GpuEngine::Mace(_) | GpuEngine::Sevennet(_) => PAIRS,
        GpuEngine::Chgnet(_) => CHGNET,
    };
    // One batch, so that it runs in one slot: those of other slots would overlap it.
    let points = &points[..points.len().min(gpu.batch())];
    gpu.evaluate(scene, points)?;
    let mut times: HashMap<&str, Vec<f64>> = HashMap::new();
    for _ in 0..rounds {
        gpu.profile().start();
        gpu.evaluate(scene, points)?;
        let mut of_round: HashMap<&str, f64> = HashMap::new();
        for (kernel, milliseconds) in gpu.profile().finish()? {
            *of_round.entry(name(kernel)).or_default() += f64::from(milliseconds);
        }
        of_round.into_iter().for_each(|(kernel, time)| times.entry(kernel).or_default().push(time));
    }
    let times: HashMap<&str, f64> = times.into_iter().map(|(name, all)| (name, median(all))).collect();
    let total: f64 = times.values().sum();
    let steps: Vec<Step> = gpu.cost(scene, points)?.steps.into_iter().filter(|s| s.name != ONCE).collect();
    let is_of = |step: &Step, names: &[&str]| names.iter().any(|name| step.name.starts_with(name));
    if let Some(step) = steps.iter().find(|s| !parts.iter().any(|(.., names)| is_of(s, names))) {
        return Err(
            format!("no kernels are known for the step \"{}\"; add it to its parts", step.name).into()
        );
    }
    let part = |(part, kernels, names): &Part| {
        let own: HashMap<&str, f64> =
            kernels.iter().filter_map(|k| Some((name(*k), *times.get(name(*k))?))).collect();
        let milliseconds: f64 = own.values().sum();
        let own_steps = || steps.iter().filter(|s| is_of(s, names));
        let count = points.len() as f64;
        // Nothing where nothing is counted.
        let sum =
            |of: fn(&Step) -> f64| (!names.is_empty()).then(|| count * own_steps().map(of).sum::<f64>());
        let (operations, bytes) = (sum(|s| s.operations), sum(|s| s.bytes));
        let rate = |work: Option<f64>| work.filter(|_| milliseconds > 0.0).map(|w| w / (1e-3 * milliseconds));
        json!({
            "part": part,
            "points": points.len(),
            "kernels_ms": own,
            "ms": milliseconds,
            "share": milliseconds / total,
            "operations": operations,
            "bytes": bytes,
            "TFLOP_per_s": rate(operations).map(|r| r / 1e12),
            "GB_per_s": rate(bytes).map(|r| r / 1e9),
        })
    };
    Ok(parts.iter().map(part).collect())
}

fn name(kernel: Kernel) -> &'static str {
    Kernel::ALL.iter().find(|(k, _)| *k == kernel).map_or("", |(_, name)| name)
}
