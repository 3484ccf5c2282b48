//! What there is for GPUs.

use std::io::Write;

use s2dpes::engine::cuda::DeviceError;
use s2dpes::engine::cuda::cache::Cache;
use s2dpes::engine::cuda::compile::{Compiled, compile_for, compiler};
use s2dpes::engine::cuda::device::{DeviceInfo, Survey, survey};
use serde_json::{Value, json};

use super::super::table::bytes;
use super::super::{Ending, Failure};
use super::Finding;

const DRIVER: &str = "needed to compute on NVIDIA GPUs; it is on machines that have some: on a cluster, run this in a \
                      job that asks for GPUs";
const GPUS: &str =
    "needed to compute on them; a batch system shows those that a job asks for (`--gpus-per-node`)";
const NVRTC: &str = "needed to compile the kernels once for each kind of GPU; load the machine's cuda module, or \
                     `pip install nvidia-cuda-nvrtc-cu12` into the active Python environment";
const CACHE: &str = "without it kernels are compiled at every start; name a folder by S2DPES_CACHE_DIR";

/// Driver, GPUs, compiler, compiled kernels.
pub(super) fn findings() -> Vec<Finding> {
    let survey = survey();
    let driver = match &survey.driver {
        Ok(version) => {
            let version = version.to_string();
            Finding::new("CUDA driver", format!("for CUDA {version}"), json!(version))
        }
        Err(error) => Finding::missing("CUDA driver", error.to_string(), DRIVER),
    };
    vec![driver, gpus(&survey), nvrtc(), cache(&Cache::of_environment())]
}

fn gpus(survey: &Survey) -> Finding {
    let devices = match &survey.devices {
        Ok(devices) => devices,
        Err(error) => return Finding::missing("GPUs", error.to_string(), GPUS),
    };
    let line = |(number, d): (usize, &DeviceInfo)| {
        let (name, architecture, memory) = (&d.name, d.architecture, bytes(d.memory));
        format!("{number}: {name}, sm_{architecture}, {memory}, {}", d.uuid)
    };
    let lines: Vec<String> = devices.iter().enumerate().map(line).collect();
    let value = |d: &DeviceInfo| {
        json!({
            "name": d.name,
            "architecture": format!("sm_{}", d.architecture),
            "memory_bytes": d.memory,
            "multiprocessors": d.multiprocessors,
            "uuid": d.uuid,
        })
    };
    Finding::new("GPUs", lines.join("\n"), devices.iter().map(value).collect())
}

fn nvrtc() -> Finding {
    match compiler() {
        Ok(Some(compiler)) => {
            let architectures: Vec<String> =
                compiler.architectures.iter().map(|a| format!("sm_{a}")).collect();
            let version = compiler.version.to_string();
            let text = format!("{version}, for {}", architectures.join(" "));
            Finding::new("NVRTC", text, json!({ "version": version, "architectures": architectures }))
        }
        Ok(None) => Finding::missing("NVRTC", "no NVRTC (libnvrtc.so) was found", NVRTC),
        Err(error) => Finding::missing("NVRTC", error.to_string(), NVRTC),
    }
}

fn cache(cache: &Cache) -> Finding {
    let topic = "compiled kernels";
    let Some(folder) = &cache.folder else {
        return Finding::missing(topic, "no folder, since HOME is not set", CACHE);
    };
    let folder = folder.display().to_string();
    let files = cache.files();
    let obstacle = cache.check_writable().err().map(|e| e.to_string());
    let mut text = match &obstacle {
        None => format!("{folder}, writable"),
        Some(why) => format!("{folder}, not writable ({why})"),
    };
    for (name, size) in &files {
        text += &format!("\n{name}, {}", bytes(*size as usize));
    }
    let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    let value = json!({ "folder": folder, "not_writable": obstacle, "files": names });
    Finding { advice: obstacle.map(|_| CACHE.into()), ..Finding::new(topic, text, value) }
}

/// Compiles the kernels for architectures, in float32 and float64, and shows what they use.
pub(super) fn compile(architectures: &[String], as_json: bool) -> Result<Ending, Failure> {
    let mut compiled: Vec<(&str, Compiled)> = Vec::new();
    for architecture in architectures {
        for (precision, double) in [("float32", false), ("float64", true)] {
            compiled.push((precision, compile_for(architecture, double).map_err(failure)?));
        }
    }
    let mut out = std::io::stdout().lock();
    if as_json {
        let value = |(precision, c): &(&str, Compiled)| {
            let version = c.version.to_string();
            let size = c.image.len();
            json!({ "target": c.target, "precision": precision, "nvrtc": version, "bytes": size, "log": c.log })
        };
        let all: Value = compiled.iter().map(value).collect();
        writeln!(out, "{all:#}")?;
        return Ok(Ending::Complete);
    }
    for (precision, c) in &compiled {
        let (target, version, size) = (&c.target, c.version, bytes(c.image.len()));
        writeln!(out, "{target} {precision}: {size}, by NVRTC {version}")?;
        for line in c.log.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(folder) = Cache::of_environment().folder {
        writeln!(out, "kept in {}", folder.display())?;
    }
    Ok(Ending::Complete)
}

fn failure(error: DeviceError) -> Failure {
    match error {
        DeviceError::Architecture(_) | DeviceError::Unsupported { .. } => Failure::input(error),
        error => Failure::other(error),
    }
}
