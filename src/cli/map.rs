//! `s2dpes map`: a landscape and its picture in one line.

mod models;
mod name;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use s2dpes::config::{Campaign, DEFAULT_SYMPREC};
use s2dpes::crystal::{Format, Structure, read_structures_as};
use s2dpes::engine::EngineChoice;
use s2dpes::landscape::{AxisError, Dof, Thresholds};
use s2dpes::plot::is_ours;
use s2dpes::potential::DEFAULT;
use s2dpes::store::check_name;
use s2dpes::symmetry::{Crystal, Protostructure};
use s2dpes::work::Precision;
use toml::Value;

use super::run::Job;
use super::{Ending, Failure, plot, precision, threads};
use models::NamedModel;

/// Compute a landscape of a crystal, and draw it.
///
/// It runs a campaign of one structure: the same command goes on where an earlier one was stopped, and plot, status and
/// Python read the result. `s2dpes inspect FILE` lists the coordinates.
///
/// Examples: s2dpes map W2N3.extxyz W1.x W1.z ; s2dpes map quartz.cif -m mace.model -m embedded:chgnet-0.3.0 --points 60
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
    /// Points along every axis, or along each as in 120,60.
    #[arg(long, default_value = "120", value_delimiter = ',', value_parser = points)]
    points: Vec<usize>,
    /// Part of an axis that is mapped, as fractional coordinates: of every axis, or W1.x=0.2,0.4 of one; repeatable.
    /// (Energies of pictures are cut by `s2dpes plot --range`.)
    #[arg(long = "range", value_name = "[AXIS=]LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    ranges: Vec<Range>,
    /// A model file, embedded:NAME, or NAME=FILE to call it so; repeatable.
    #[arg(long = "model", short, default_value = DEFAULT, value_name = "[NAME=]FILE")]
    models: Vec<String>,
    /// Head of models that have several: of every model, or NAME=HEAD of one; repeatable.
    #[arg(long = "head", value_name = "[NAME=]HEAD")]
    heads: Vec<String>,
    /// Tolerance of the symmetry search in Angstrom.
    #[arg(long, default_value_t = DEFAULT_SYMPREC, value_parser = symprec)]
    symprec: f64,
    /// Smallest physical distances as a part of the sum of two Wigner-Seitz radii; 0.75 by default.
    #[arg(long, allow_negative_numbers = true)]
    distance_scale: Option<f64>,
    /// Result file; the picture is beside it. By default its name tells structure, coordinates and models, and it is in
    /// this folder.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Start over, throwing away what the result file holds.
    #[arg(long)]
    restart: bool,
    /// Number of threads; all by default.
    #[arg(long, value_parser = threads)]
    threads: Option<usize>,
    /// Arithmetic: float32 or float64.
    #[arg(long, default_value = "float32", value_parser = precision)]
    dtype: Precision,
    /// What to compute on: cuda (GPUs), cpu, or auto (GPUs if every rank can use one).
    #[arg(long, default_value = "auto")]
    engine: EngineChoice,
}

/// A part of one axis, or of all.
#[derive(Clone, Debug, PartialEq)]
struct Range {
    axis: Option<String>,
    ends: [f64; 2],
}

fn points(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|points| (1..=1_000_000).contains(points));
    number.ok_or_else(|| "write a number from 1 to 1000000, or one for each axis as in 120,60".into())
}

fn symprec(text: &str) -> Result<f64, String> {
    let length = text.parse().ok().filter(|length| *length > 0.0 && *length < 1.0);
    length.ok_or_else(|| "write a length above 0 and below 1 Angstrom; 0.01 suits most files".into())
}

fn range(text: &str) -> Result<Range, String> {
    let (axis, ends) = text.split_once('=').map_or((None, text), |(axis, ends)| (Some(axis.into()), ends));
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let ends = ends.split_once([',', ':']).and_then(|(low, high)| Some([number(low)?, number(high)?]));
    let ends = ends.ok_or("write LOW,HIGH or AXIS=LOW,HIGH in fractional coordinates, e.g. 0.2,0.4")?;
    if ends[0] < ends[1] && ends[1] - ends[0] < 1.0 + 1e-12 {
        return Ok(Range { axis, ends });
    }
    Err("a range goes up and spans at most one period (1), e.g. 0.2,0.4".into())
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Arguments { restart, threads, engine, .. } = *arguments;
    let made = OnceCell::new();
    let load = || {
        let campaign = campaign(arguments)?;
        let picture = picture_of(&campaign.output)?;
        Ok(made.get_or_init(|| (campaign, picture)).0.clone())
    };
    let ending = Job { load, restart, threads, engine }.run()?;
    if let (Some((campaign, picture)), Ending::Complete | Ending::Partial) = (made.get(), ending) {
        plot::run(&plot::Arguments::simple(&campaign.output, picture.clone())?)?;
    }
    Ok(ending)
}

/// The picture of a result file, which may take the place of an earlier one only.
fn picture_of(output: &Path) -> Result<PathBuf, Failure> {
    let picture = output.with_extension(if cfg!(feature = "figures") { "png" } else { "svg" });
    if picture.symlink_metadata().is_ok() && !is_ours(&picture) {
        let shown = picture.display();
        let why = "it is there already and no picture of s2dpes, and the landscape's picture would go there";
        return Err(Failure::input(format!("{shown}: {why}; move it, or give another -o")));
    }
    Ok(picture)
}

/// The campaign that the arguments stand for.
fn campaign(arguments: &Arguments) -> Result<Campaign, Failure> {
    arguments.output.as_deref().map_or(Ok(()), check_name).map_err(Failure::input)?;
    let structure = structure(&arguments.file, arguments.format)?;
    let crystal = Crystal::new(&structure, arguments.symprec).map_err(Failure::input)?;
    let models = models::named(&arguments.models, &arguments.heads).map_err(Failure::Input)?;
    let axes = axes(arguments, &crystal)?;
    let text = text(arguments, &axes, &models)?;
    // Paths count from this folder.
    let mut campaign = Campaign::parse(&text, Path::new("s2dpes map")).map_err(Failure::input)?;
    let file = campaign.structures.first().and_then(|s| s.files.first());
    let name = file.map_or(structure.name.clone(), |f| f.names(&structure.name, true)[0].clone());
    campaign.output = match &arguments.output {
        Some(output) => output.clone(),
        None => {
            let axes: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
            PathBuf::from(name::of_results(&name, &axes, &models, arguments.dtype))
        }
    };
    Ok(campaign)
}

/// The only structure of the file.
fn structure(file: &Path, format: Option<Format>) -> Result<Structure, Failure> {
    let shown = file.display().to_string();
    if !file.exists() && Protostructure::parse(&shown).is_ok() {
        return Err(Failure::input(format!(
            "{shown} is a protostructure label: it says which orbits a crystal has, but not where they are, and \
             there is no energy without that. `s2dpes inspect {shown}` shows what is free; map takes a CIF, POSCAR or \
             extended XYZ file of one such crystal"
        )));
    }
    let mut structures = read_structures_as(file, format).map_err(Failure::input)?;
    match (structures.pop(), structures.len()) {
        (Some(structure), 0) => Ok(structure),
        (last, _) => {
            let names: Vec<String> = structures.into_iter().chain(last).map(|s| s.name).collect();
            let (count, names) = (names.len(), names[..names.len().min(5)].join(", "));
            Err(Failure::input(format!(
                "{shown}: it holds {count} structures ({names}{}), and map takes one: copy the one that is meant to a \
                 file of its own, or name this file in a campaign, where `s2dpes run` maps all of them",
                if count > 5 { ", ..." } else { "" }
            )))
        }
    }
}

/// An axis as the command line has it.
struct Axis {
    /// `W1.x`.
    name: String,
    range: [f64; 2],
    points: usize,
}

fn axes(arguments: &Arguments, crystal: &Crystal) -> Result<Vec<Axis>, Failure> {
    let dofs: Vec<Dof> = match arguments.axes.as_slice() {
        [] => Dof::first_free(crystal).into_iter().take(2).collect(),
        names => names
            .iter()
            .map(|name| Dof::parse(name, crystal))
            .collect::<Result<_, _>>()
            .map_err(Failure::input)?,
    };
    if dofs.is_empty() {
        return Err(Failure::input(AxisError::Fixed(crystal.name.clone())));
    }
    let names: Vec<String> = dofs.iter().map(|dof| dof.name(crystal)).collect();
    if ![1, names.len()].contains(&arguments.points.len()) {
        let (given, axes) = (arguments.points.len(), names.join(" and "));
        return Err(Failure::input(format!("--points has {given} numbers, and the axes are {axes}")));
    }
    for axis in arguments.ranges.iter().filter_map(|range| range.axis.as_ref()) {
        if !names.contains(axis) {
            let axes = names.join(" and ");
            return Err(Failure::input(format!("--range is given for {axis}, and the axes are {axes}")));
        }
    }
    let range = |name: &String| {
        let of_axis = arguments.ranges.iter().rev().find(|range| range.axis.as_ref() == Some(name));
        let of_all = || arguments.ranges.iter().rev().find(|range| range.axis.is_none());
        of_axis.or_else(of_all).map_or([0.0, 1.0], |range| range.ends)
    };
    let count = |place: usize| arguments.points.get(place).or(arguments.points.first()).copied().unwrap_or(1);
    let axis = |(place, name): (usize, String)| Axis { range: range(&name), points: count(place), name };
    let axes: Vec<Axis> = names.into_iter().enumerate().map(axis).collect();
    match axes.iter().find(|axis| axis.points < 2 && (axis.range[1] - axis.range[0] - 1.0).abs() > 1e-12) {
        Some(axis) => Err(Failure::input(format!("a part of {} needs 2 --points or more", axis.name))),
        None => Ok(axes),
    }
}

/// The campaign file.
fn text(arguments: &Arguments, axes: &[Axis], models: &[NamedModel]) -> Result<String, Failure> {
    let quoted = |text: &str| Value::String(text.to_string()).to_string();
    let number = |number: f64| Value::Float(number).to_string();
    let axis = |axis: &Axis| {
        let (dof, [low, high], points) = (quoted(&axis.name), axis.range.map(number), axis.points);
        format!("{{ dof = {dof}, range = [{low}, {high}], points = {points} }}")
    };
    let model = |model: &NamedModel| {
        let head = model.head.as_ref().map_or(String::new(), |head| format!("head = {}\n", quoted(head)));
        format!("[[model]]\nname = {}\nfile = {}\n{head}", quoted(&model.name), quoted(&model.source))
    };
    let distance = match arguments.distance_scale {
        Some(scale) => {
            Thresholds::new(scale, &Default::default(), &Default::default()).map_err(Failure::input)?;
            format!("[distance]\nscale = {}\n", number(scale))
        }
        None => String::new(),
    };
    let format = arguments.format.map_or(String::new(), |format| format!("format = \"{format}\"\n"));
    let output = arguments.output.as_deref().unwrap_or(Path::new("results.h5"));
    Ok(format!(
        "[campaign]\noutput = {}\ndtype = {}\nsymprec = {}\n\n{}\n[[structure]]\nfile = {}\n{format}\
         [[structure.landscape]]\naxes = [ {} ]\n{distance}",
        quoted(&output.to_string_lossy()),
        quoted(arguments.dtype.name()),
        number(arguments.symprec),
        models.iter().map(model).collect::<String>(),
        quoted(&arguments.file.to_string_lossy()),
        axes.iter().map(axis).collect::<Vec<_>>().join(", "),
    ))
}
