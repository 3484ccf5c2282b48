//! Times the CUDA engine on a GPU, counts its work, and compares it with the CPU engine. Writes lines of JSON as it
//! goes and a report in Markdown; fails if a check does.
//!
//! `cargo bench --bench gpu -- --model M.model --landscape S.extxyz:W1.x,N1.z --output gpu.jsonl`

mod device;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use device::engines::GpuEngine;
use device::output::Output;
use device::{Failure, Landscapes, ceilings, checks, kernels, program, rates};
use s2dpes::engine::Place;
use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::cuda::Version;
use s2dpes::engine::cuda::device::{Device, survey};
use s2dpes::potential::Potential;
use s2dpes::work::{Model, Precision};
use serde_json::{Value, json};

/// Times the CUDA engine and compares it with the CPU engine.
#[derive(Parser)]
struct Arguments {
    /// Model files, or embedded:NAME.
    #[arg(long, required = true)]
    model: Vec<String>,
    /// Structures and the coordinates to vary: S.extxyz:W1.x,W1.z
    #[arg(long, required = true)]
    landscape: Vec<String>,
    /// Nodes along each axis.
    #[arg(long, default_value_t = 192)]
    points: usize,
    /// Repetitions of each measurement, whose median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Points that are compared with the CPU engine.
    #[arg(long, default_value_t = 48)]
    sample: usize,
    /// Number of the GPU.
    #[arg(long, default_value_t = 0)]
    gpu: usize,
    /// Also times this s2dpes from its command to the file, for the first landscape.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Nodes along each axis for it.
    #[arg(long, default_value_t = 1000)]
    program_points: usize,
    /// Gets lines of JSON.
    #[arg(long)]
    output: PathBuf,
    /// Gets the report, which is printed, too.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Little work, to try this out without a GPU: no figure means anything.
    #[arg(long)]
    dry_run: bool,
    /// Given by cargo.
    #[arg(long)]
    bench: bool,
}

/// Older drivers lack the function that cudarc calls for the time between events.
const EVENT_TIMES: Version = Version { major: 12, minor: 8 };

fn main() -> Result<ExitCode, Failure> {
    let arguments = Arguments::parse();
    let device = Device::open(arguments.gpu)?;
    let driver = survey().driver?;
    if driver < EVENT_TIMES {
        return Err(format!("kernels are timed by events: that takes a driver for CUDA {EVENT_TIMES}").into());
    }
    let mut output = Output::create(&arguments.output, arguments.dry_run)?;
    output.add(
        "device",
        json!({
            "name": device.info.name,
            "architecture": format!("sm_{}", device.info.architecture),
            "multiprocessors": device.info.multiprocessors,
            "version": concat!(env!("CARGO_PKG_VERSION"), " (", env!("S2DPES_COMMIT"), ")"),
        }),
    )?;
    let work = if arguments.dry_run { ceilings::LITTLE } else { ceilings::MUCH };
    output.add("ceilings", ceilings::measure(&device, work, arguments.rounds)?)?;
    for model in &arguments.model {
        let potential = Arc::new(Potential::load(model)?);
        for text in &arguments.landscape {
            let landscapes = Landscapes::parse(text, arguments.points, &potential)?;
            let about = json!({ "model": device::file_name(model), "landscape": landscapes.name });
            let bench =
                Bench { arguments: &arguments, device: &device, potential: &potential, landscapes, about };
            bench.measure::<f32>(&mut output)?;
            bench.measure::<f64>(&mut output)?;
        }
    }
    if let Some(path) = &arguments.program {
        for model in &arguments.model {
            let (landscape, points) = (&arguments.landscape[0], arguments.program_points);
            let seconds = program::measure(path, model, landscape, points, arguments.rounds)?;
            output.add("program", seconds)?;
        }
    }
    let report = output.report();
    print!("{report}");
    if let Some(path) = &arguments.report {
        std::fs::write(path, report)?;
    }
    Ok(if output.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A landscape for a model.
struct Bench<'a> {
    arguments: &'a Arguments,
    device: &'a Arc<Device>,
    potential: &'a Arc<Potential>,
    landscapes: Landscapes,
    about: Value,
}

impl Bench<'_> {
    /// Checks first, then times, then kernels.
    fn measure<T: CudaReal>(&self, output: &mut Output) -> Result<(), Failure> {
        let Landscapes { scene, every, irreducible, .. } = &self.landscapes;
        let mut gpu = GpuEngine::<T>::new(self.potential, scene, self.device.clone())?;
        let (name, potential) = (String::new(), self.potential.clone());
        let precision = if T::DOUBLE { Precision::Double } else { Precision::Single };
        let model = Model { name, potential, head: 0, precision };
        let mut cpu = model.engine(&scene.landscape.elements(), &Place::Cpu)?;
        let mut add = |kind: &str, mut value: Value| {
            let about = [("precision", json!(device::precision::<T>()))];
            let about = about.into_iter().chain(["model", "landscape"].map(|k| (k, self.about[k].clone())));
            about.for_each(|(key, known)| value[key] = known);
            output.add(kind, value)
        };
        let sample = device::spread(every, self.arguments.sample);
        add("accuracy", checks::accuracy::<T>(&mut *gpu, &mut *cpu, scene, &sample)?)?;
        add("bits", checks::bits(&mut *gpu, scene, every)?)?;
        for (what, points) in [("every node", every), ("irreducible nodes", irreducible)] {
            let mut rate = rates::measure(&mut *gpu, scene, points, self.arguments.rounds)?;
            rate["what"] = json!(what);
            rate["nodes"] = json!(every.len());
            add("rate", rate)?;
        }
        for row in kernels::measure(&mut gpu, scene, every, self.arguments.rounds)? {
            add("kernels", row)?;
        }
        Ok(())
    }
}
