//! `s2dpes model info`: what a model file holds.

use std::io::Write;

use s2dpes::potential::chgnet::{Chgnet, RadialFunctions};
use s2dpes::potential::mace::{Layer, Mace};
use s2dpes::potential::sevennet::Sevennet;
use s2dpes::potential::{EMBEDDED, Family, Potential};
use serde_json::{Value, json};

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
    let of_family = match &potential.family {
        Family::Mace(mace) => mace_lines(mace),
        Family::Chgnet(chgnet) => chgnet_lines(chgnet),
        Family::Sevennet(sevennet) => sevennet_lines(sevennet),
    };
    let before =
        [("source", potential.source.clone()), ("architecture", potential.architecture().to_string())];
    let after = [
        ("elements", format!("{}: {}", potential.elements().len(), elements(potential).join(" "))),
        ("heads", potential.heads().join(", ")),
        ("parameters", potential.parameters().to_string()),
        ("precision", if potential.is_double() { "float64" } else { "float32" }.to_string()),
        ("sha256", potential.sha256.clone()),
    ];
    let lines = before.into_iter().chain(of_family).chain(after);
    lines.map(|(key, value)| format!("{key:<13} {value}\n")).collect()
}

fn chgnet_lines(chgnet: &Chgnet) -> Vec<(&'static str, String)> {
    let Chgnet { bond_functions, short_functions, angle_functions, .. } = chgnet;
    let functions =
        |f: &RadialFunctions| format!("{} Angstrom, {} radial functions", f.cutoff, f.frequencies.len());
    vec![
        (
            "layers",
            format!(
                "{} over bonds, {} over angles",
                chgnet.atom_convolutions.len(),
                chgnet.bond_convolutions.len()
            ),
        ),
        ("cutoff", functions(bond_functions)),
        (
            "angles",
            format!("{}, {} functions of the angle", functions(short_functions), angle_functions.len()),
        ),
    ]
}

/// Features of a degree have no parity: all are called even, as in the files.
fn irreps(channels: &[usize]) -> String {
    channels.iter().enumerate().map(|(l, n)| format!("{n}x{l}e")).collect::<Vec<_>>().join("+")
}

fn sevennet_lines(sevennet: &Sevennet) -> Vec<(&'static str, String)> {
    let layers: Vec<String> =
        sevennet.layers.iter().map(|l| format!("{} -> {}", irreps(&l.inputs), irreps(&l.outputs))).collect();
    let (range, count) = (sevennet.radial.range, sevennet.radial.len());
    vec![
        ("layers", layers.join("\n              ")),
        ("harmonics", format!("up to degree {}", sevennet.lmax)),
        ("invariance", "rotations only: mirror images differ".to_string()),
        ("cutoff", format!("{range} Angstrom, {count} radial functions")),
    ]
}

fn mace_lines(mace: &Mace) -> Vec<(&'static str, String)> {
    let features = |layer: &Layer| {
        let outputs = layer
            .outputs
            .iter()
            .map(|l| format!("{}x{l}{}", mace.channels, if l % 2 == 0 { 'e' } else { 'o' }));
        format!("{} -> {}", layer.block, outputs.collect::<Vec<_>>().join("+"))
    };
    let layers: Vec<String> = mace.layers.iter().map(features).collect();
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    vec![
        ("layers", layers.join("\n              ")),
        ("harmonics", format!("up to degree {}", mace.lmax)),
        ("correlation", mace.layers[0].contractions[0].bases.len().to_string()),
        ("cutoff", format!("{} Angstrom, {} radial functions", mace.radial.cutoff, mace.radial.len())),
        ("Agnesi", yes(mace.radial.transform.is_some()).to_string()),
        ("ZBL", yes(mace.zbl.is_some()).to_string()),
    ]
}

fn info_json(potential: &Potential) -> Value {
    let mut info = match &potential.family {
        Family::Mace(mace) => mace_json(mace),
        Family::Chgnet(chgnet) => chgnet_json(chgnet),
        Family::Sevennet(sevennet) => sevennet_json(sevennet),
    };
    info["source"] = json!(potential.source);
    info["architecture"] = json!(potential.architecture());
    info["elements"] = json!(elements(potential));
    info["heads"] = json!(potential.heads());
    info["parameters"] = json!(potential.parameters());
    info["dtype"] = json!(if potential.is_double() { "float64" } else { "float32" });
    info["sha256"] = json!(potential.sha256);
    info
}

fn chgnet_json(chgnet: &Chgnet) -> Value {
    json!({
        "bond_layers": chgnet.atom_convolutions.len(),
        "angle_layers": chgnet.bond_convolutions.len(),
        "cutoff_A": chgnet.bond_functions.cutoff,
        "radial_functions": chgnet.bond_functions.frequencies.len(),
        "angle_cutoff_A": chgnet.short_functions.cutoff,
        "angle_functions": chgnet.angle_functions.len(),
    })
}

fn sevennet_json(sevennet: &Sevennet) -> Value {
    json!({
        "channels_by_degree": sevennet.layers.iter().map(|l| &l.outputs).collect::<Vec<_>>(),
        "max_ell": sevennet.lmax,
        "cutoff_A": sevennet.radial.range,
        "radial_functions": sevennet.radial.len(),
        "proper_operations_only": true,
    })
}

fn mace_json(mace: &Mace) -> Value {
    json!({
        "blocks": mace.layers.iter().map(|l| l.block.clone()).collect::<Vec<_>>(),
        "channels": mace.channels,
        "hidden_degrees": mace.layers.iter().map(|l| l.outputs.clone()).collect::<Vec<_>>(),
        "max_ell": mace.lmax,
        "correlation": mace.layers[0].contractions[0].bases.len(),
        "cutoff_A": mace.radial.cutoff,
        "radial_functions": mace.radial.len(),
        "agnesi": mace.radial.transform.is_some(),
        "zbl": mace.zbl.is_some(),
    })
}
