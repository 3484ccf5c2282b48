//! `s2dpes model info`: what a model file holds.

use std::io::Write;

use s2dpes::potential::{EMBEDDED, Family, Potential};
use serde_json::json;

use super::{Ending, Failure};

/// Look into model files.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Architecture, cutoff, elements, heads, parameters, precision and sha256 of a model.
    ///
    /// Example: s2dpes model info embedded:demo-wn
    Info {
        /// A model file, or embedded:NAME.
        file: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Models inside this program.
    List,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let mut out = std::io::stdout().lock();
    match &arguments.command {
        Command::List => {
            for (name, bytes) in EMBEDDED {
                writeln!(out, "embedded:{name}  {} kB", bytes.len() / 1000)?;
            }
        }
        Command::Info { file, json } => {
            let potential = Potential::load(file).map_err(Failure::input)?;
            if *json {
                writeln!(out, "{:#}", info_json(&potential))?;
            } else {
                write!(out, "{}", info_text(&potential))?;
            }
        }
    }
    Ok(Ending::Complete)
}

fn elements(potential: &Potential) -> Vec<&'static str> {
    potential.elements().iter().map(|e| e.symbol()).collect()
}

fn info_text(potential: &Potential) -> String {
    let Family::Mace(mace) = &potential.family;
    let features = |layer: &s2dpes::potential::mace::Layer| {
        let outputs = layer
            .outputs
            .iter()
            .map(|l| format!("{}x{l}{}", mace.channels, if l % 2 == 0 { 'e' } else { 'o' }));
        format!("{} -> {}", layer.block, outputs.collect::<Vec<_>>().join("+"))
    };
    let layers: Vec<String> = mace.layers.iter().map(features).collect();
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let lines = [
        ("source", potential.source.clone()),
        ("architecture", potential.architecture().to_string()),
        ("layers", layers.join("\n              ")),
        ("harmonics", format!("up to degree {}", mace.lmax)),
        ("correlation", mace.layers[0].contractions[0].bases.len().to_string()),
        ("cutoff", format!("{} Angstrom, {} radial functions", mace.radial.cutoff, mace.radial.len())),
        ("Agnesi", yes(mace.radial.transform.is_some()).to_string()),
        ("ZBL", yes(mace.zbl.is_some()).to_string()),
        ("elements", format!("{}: {}", mace.elements.len(), elements(potential).join(" "))),
        ("heads", mace.heads.join(", ")),
        ("parameters", mace.parameters.to_string()),
        ("precision", if mace.double { "float64" } else { "float32" }.to_string()),
        ("sha256", potential.sha256.clone()),
    ];
    lines.iter().map(|(key, value)| format!("{key:<13} {value}\n")).collect()
}

fn info_json(potential: &Potential) -> serde_json::Value {
    let Family::Mace(mace) = &potential.family;
    json!({
        "source": potential.source,
        "architecture": potential.architecture(),
        "blocks": mace.layers.iter().map(|l| l.block.clone()).collect::<Vec<_>>(),
        "channels": mace.channels,
        "hidden_degrees": mace.layers.iter().map(|l| l.outputs.clone()).collect::<Vec<_>>(),
        "max_ell": mace.lmax,
        "correlation": mace.layers[0].contractions[0].bases.len(),
        "cutoff_A": mace.radial.cutoff,
        "radial_functions": mace.radial.len(),
        "agnesi": mace.radial.transform.is_some(),
        "zbl": mace.zbl.is_some(),
        "elements": elements(potential),
        "heads": mace.heads,
        "parameters": mace.parameters,
        "dtype": if mace.double { "float64" } else { "float32" },
        "sha256": potential.sha256,
    })
}
