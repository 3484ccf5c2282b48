//! `s2dpes map`: a landscape and its picture in one line.

use std::path::{Path, PathBuf};

use s2dpes::cluster::Launch;
use s2dpes::config::Campaign;
use s2dpes::crystal::Format;
use s2dpes::engine::EngineChoice;
use s2dpes::potential::DEFAULT;
use s2dpes::work::Precision;
use toml::Value;

use super::run::Job;
use super::{Ending, Failure, plot, precision};

/// Compute a landscape of a crystal, and draw it.
///
/// It runs a campaign of one structure and one model: the same command goes on where an earlier one was stopped, and plot,
/// status and Python read the result. `s2dpes inspect FILE` lists the coordinates.
///
/// Example: s2dpes map W2N3.extxyz W1.x W1.z
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// CIF, POSCAR/CONTCAR or extended XYZ file with one structure.
    file: PathBuf,
    /// Format of the file, whatever its name: cif, poscar or extxyz.
    #[arg(long)]
    format: Option<Format>,
    /// One or two free coordinates; by default those of the first orbit that has two.
    #[arg(num_args = 0..=2)]
    axes: Vec<String>,
    /// Points along each axis.
    #[arg(long, default_value_t = 120)]
    points: usize,
    /// A model file, or embedded:NAME.
    #[arg(long, short, default_value = DEFAULT)]
    model: String,
    /// Result file; the picture is beside it. By default the name of FILE with .h5, in this folder.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Start over, throwing away what the result file holds.
    #[arg(long)]
    restart: bool,
    /// Number of threads; all by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Arithmetic: f32 or f64.
    #[arg(long, default_value = "f32", value_parser = precision)]
    dtype: Precision,
    /// What to compute on: cuda (GPUs), cpu, or auto (GPUs if every rank can use one).
    #[arg(long, default_value = "auto")]
    engine: EngineChoice,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let campaign = campaign(arguments)?;
    let Arguments { restart, threads, engine, .. } = *arguments;
    let ending = Job { load: || Ok(campaign.clone()), restart, threads, engine }.run()?;
    if ending == Ending::Complete && Launch::of_environment().rank == 0 {
        let suffix = if cfg!(feature = "figures") { "png" } else { "svg" };
        let picture = campaign.output.with_extension(suffix);
        plot::run(&plot::Arguments::simple(&campaign.output, picture)?)?;
    }
    Ok(ending)
}

/// The campaign that the arguments stand for.
fn campaign(arguments: &Arguments) -> Result<Campaign, Failure> {
    let stem = arguments.file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.h5")));
    let quoted = |text: &str| Value::String(text.to_string()).to_string();
    // What looks like a pattern is a name here.
    let file = quoted(&glob::Pattern::escape(&arguments.file.to_string_lossy()));
    let format = arguments.format.map_or(String::new(), |format| format!("format = \"{format}\"\n"));
    let (model, model_name) = match arguments.model.strip_prefix("embedded:") {
        Some(name) => (quoted(&arguments.model), quoted(name)),
        None => {
            let stem = Path::new(&arguments.model).file_stem().unwrap_or_default();
            (quoted(&arguments.model), quoted(&stem.to_string_lossy()))
        }
    };
    let (points, dtype, output) =
        (arguments.points, quoted(arguments.dtype.name()), quoted(&output.to_string_lossy()));
    let axis = |dof: &String| format!("{{ dof = {}, points = {points} }}", quoted(dof));
    let axes = match arguments.axes.as_slice() {
        [] => format!("orbit = \"first-free\"\npoints = {points}"),
        axes => format!("axes = [ {} ]", axes.iter().map(axis).collect::<Vec<_>>().join(", ")),
    };
    let text = format!(
        "[campaign]\noutput = {output}\ndtype = {dtype}\n\n[[model]]\nname = {model_name}\nfile = {model}\n\n\
         [[structure]]\nfile = {file}\n{format}[[structure.landscape]]\n{axes}\n"
    );
    // Paths count from this folder.
    Campaign::parse(&text, Path::new("s2dpes map")).map_err(Failure::input)
}
