//! `s2dpes doctor`: what this program finds on this machine.

#[cfg(feature = "cuda")]
mod cuda;
mod machine;

use std::io::Write;

use s2dpes::engine::Gpus;
use serde_json::{Map, Value, json};

use super::{Ending, Failure, version_text};

/// Show what this program finds on this machine, and what is missing.
///
/// Nothing is computed. With --compile, the kernels for GPUs are compiled for an architecture and kept, for machines that
/// have such GPUs but no compiler; this needs no GPU.
///
/// Example: s2dpes doctor
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Compile the kernels for these architectures of GPUs instead, and show what they use: sm_80,sm_90.
    #[arg(long, value_delimiter = ',', value_name = "ARCHITECTURES")]
    compile: Vec<String>,
}

/// One thing that was looked for.
struct Finding {
    /// Its name, also in JSON.
    topic: &'static str,
    /// What was found, in lines.
    text: String,
    /// The same for programs.
    value: Value,
    /// What it is needed for and how to get it, if it is missing.
    advice: Option<String>,
}

impl Finding {
    fn new(topic: &'static str, text: impl Into<String>, value: Value) -> Finding {
        Finding { topic, text: text.into(), value, advice: None }
    }

    fn missing(topic: &'static str, why: impl Into<String>, advice: &str) -> Finding {
        let why = why.into();
        let value = json!({ "missing": why, "advice": advice });
        Finding { topic, text: format!("missing: {why}"), value, advice: Some(advice.into()) }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    if !arguments.compile.is_empty() {
        return compile(arguments);
    }
    let mut findings = vec![Finding::new("s2dpes", version_text(), json!(version_text()))];
    findings.extend(machine::findings());
    #[cfg(feature = "cuda")]
    findings.extend(cuda::findings());
    #[cfg(not(feature = "cuda"))]
    findings.push(Finding::missing(
        "CUDA",
        "this s2dpes was built without it",
        "needed to compute on NVIDIA GPUs; build with `--features cuda`",
    ));
    let (engine, why) = engine();
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let mut all: Map<String, Value> =
            findings.into_iter().map(|f| (f.topic.replace(' ', "_"), f.value)).collect();
        all.insert("engine".into(), json!({ "auto": engine, "why": why }));
        writeln!(out, "{:#}", Value::Object(all))?;
    } else {
        write!(out, "{}", report(&findings))?;
        let noun = if engine == "cuda" { "GPUs" } else { "CPUs" };
        writeln!(out, "\n`s2dpes run` computes on {noun} here: {why}")?;
    }
    Ok(Ending::Complete)
}

/// What `--engine auto` chooses here, and why.
fn engine() -> (&'static str, String) {
    let gpus = Gpus::of_this_process();
    match gpus.obstacle {
        Some(obstacle) => ("cpu", obstacle),
        None => {
            let names: Vec<String> = gpus.visible.into_iter().map(|gpu| gpu.name).collect();
            ("cuda", names.join(", "))
        }
    }
}

/// Topics to the left, what was found to the right.
fn report(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.topic.len()).max().unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let lines = finding.text.lines().chain(finding.advice.as_deref());
        for (i, line) in lines.enumerate() {
            let topic = if i == 0 { finding.topic } else { "" };
            out += &format!("{topic:width$}  {line}\n");
        }
    }
    out
}

#[cfg(feature = "cuda")]
fn compile(arguments: &Arguments) -> Result<Ending, Failure> {
    cuda::compile(&arguments.compile, arguments.json)
}

#[cfg(not(feature = "cuda"))]
fn compile(_: &Arguments) -> Result<Ending, Failure> {
    Err(Failure::input(
        "this s2dpes was built without CUDA, and has no kernels: build it with `--features cuda`",
    ))
}
