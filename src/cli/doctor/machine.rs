//! What there is without GPUs.

use s2dpes::cluster::Launch;
use s2dpes::engine::cpu;
use s2dpes::store::hdf5_version;
use serde_json::json;

use super::super::table::bytes;
use super::Finding;

/// Processor, memory, libraries.
pub(super) fn findings() -> Vec<Finding> {
    vec![cpus(), memory(), mpi(), launcher(), hdf5(), figures()]
}

fn cpus() -> Finding {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (instructions, name) = (cpu::instructions(), field("/proc/cpuinfo", "model name"));
    let name = name.unwrap_or_else(|| std::env::consts::ARCH.into());
    let text = format!("{name}, {instructions}, {threads} threads may be used");
    Finding::new("CPU", text, json!({ "name": name, "instructions": instructions, "threads": threads }))
}

fn memory() -> Finding {
    let kib = |name: &str| field("/proc/meminfo", name)?.split_whitespace().next()?.parse::<usize>().ok();
    let [total, available] = ["MemTotal", "MemAvailable"].map(|name| kib(name).map(|n| n * 1024));
    let text = |size: Option<usize>| size.map_or("unknown".into(), bytes);
    let line = format!("{}, {} available", text(total), text(available));
    Finding::new("memory", line, json!({ "bytes": total, "available_bytes": available }))
}

/// A line `name : value` of a file of the system.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let values = text.lines().filter_map(|line| line.split_once(':'));
    values.into_iter().find(|(n, _)| n.trim() == name).map(|(_, value)| value.trim().to_string())
}

#[cfg(feature = "mpi")]
fn mpi() -> Finding {
    let library = s2dpes::cluster::Mpi::library();
    Finding::new("MPI", library.clone(), json!(library))
}

#[cfg(not(feature = "mpi"))]
fn mpi() -> Finding {
    let advice = "needed to compute on several ranks; build with `--features mpi`";
    Finding::missing("MPI", "this s2dpes was built without it", advice)
}

fn launcher() -> Finding {
    let launch = Launch::of_environment();
    let text = launch.to_string();
    let mut finding = Finding::new("launcher", text.clone(), json!(null));
    let mut value = json!({ "text": text, "rank": launch.rank, "size": launch.size });
    if let Err(error) = launch.needs_mpi() {
        value["obstacle"] = json!(error.to_string());
        finding.advice = Some(error.to_string());
    }
    Finding { value, ..finding }
}

fn hdf5() -> Finding {
    Finding::new("HDF5", hdf5_version(), json!(hdf5_version()))
}

fn figures() -> Finding {
    match cfg!(feature = "figures") {
        true => Finding::new("pictures", "PNG, PDF, SVG", json!(["png", "pdf", "svg"])),
        false => {
            let finding = Finding::new("pictures", "SVG", json!(["svg"]));
            Finding { advice: Some("PNG and PDF need a build with `--features figures`".into()), ..finding }
        }
    }
}
