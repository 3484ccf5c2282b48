//! `s2dpes plot`: draws the landscapes of a result file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use s2dpes::plot::{self, ColourMap, Panel, PlotError, RelativeTo, Style, Width};
use s2dpes::store::{LandscapeResult, Results};

use super::{Ending, Failure};

/// Draw the landscapes of a result file.
///
/// Examples: s2dpes plot w2n3.h5 ; s2dpes plot w2n3.h5 -o w2n3.pdf --relative-to reference --range 0,2
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The result file.
    results: PathBuf,
    /// Where to: .svg, .png or .pdf. By default one .png a landscape beside the result file.
    #[arg(long, short)]
    output: Vec<PathBuf>,
    /// Only this structure.
    #[arg(long)]
    structure: Option<String>,
    /// Only this landscape.
    #[arg(long)]
    landscape: Option<String>,
    /// Only these models, in this order.
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// Zero of energy of each panel: minimum (outside the mask), reference (the input structure) or none.
    #[arg(long, default_value = "minimum")]
    relative_to: String,
    /// Lowest and highest level in eV/atom.
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,
    /// Draw the difference of all other models from this one.
    #[arg(long)]
    difference: Option<String>,
    /// single (3.4 inches) or double (7 inches).
    #[arg(long)]
    width: Option<String>,
    /// Colour map: viridis, cividis, magma, inferno, plasma; of differences red-blue or purple-orange.
    #[arg(long, default_value = "viridis")]
    colours: String,
    /// Panels side by side.
    #[arg(long)]
    columns: Option<usize>,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split_once([',', ':']).ok_or("write LOW,HIGH, e.g. 0,2")?;
    let number = |t: &str| t.trim().parse::<f64>().map_err(|_| format!("`{t}` is not a number"));
    Ok((number(numbers.0)?, number(numbers.1)?))
}

impl Arguments {
    /// The default picture of a result file.
    pub(super) fn simple(results: &Path, output: PathBuf) -> Result<Arguments, Failure> {
        let words = [results.as_os_str(), "--output".as_ref(), output.as_os_str()];
        let command = Arguments::augment_args(clap::Command::new("plot").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(Failure::other)?;
        Arguments::from_arg_matches(&matches).map_err(Failure::other)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let results = Results::open(&arguments.results).map_err(Failure::input)?;
    let chosen = choose(arguments, &results)?;
    if chosen.len() > 1 && !arguments.output.is_empty() {
        let names: Vec<String> = chosen.iter().map(|(s, l)| format!("{s}/{l}")).collect();
        return Err(Failure::input(format!(
            "--output takes one landscape, and there are {} ({}); choose with --structure and --landscape",
            chosen.len(),
            names.join(", ")
        )));
    }
    let mut drawn = 0;
    for (structure, name) in &chosen {
        let landscape = results.landscape(structure, name).map_err(Failure::input)?;
        if landscape.axes.len() > 2 && chosen.len() > 1 {
            log::warn!("{structure}/{name} has {} axes and is not drawn", landscape.axes.len());
            continue;
        }
        let figure = to_figure(&landscape, &arguments.models)?;
        let style = style(arguments, figure.panels.len())?;
        let picture = plot::draw(&figure, &style).map_err(Failure::input)?;
        let default = [default_output(&arguments.results, structure, name)];
        let outputs = if arguments.output.is_empty() { &default[..] } else { &arguments.output };
        for output in outputs {
            plot::write(&picture, output).map_err(|error| match error {
                // Half a picture is none.
                PlotError::Write { ref source, .. } if is_of_the_machine(source.kind()) => {
                    let _ = std::fs::remove_file(output);
                    Failure::other(error)
                }
                _ => Failure::input(error),
            })?;
            log::info!("{}", output.display());
            drawn += 1;
        }
    }
    if drawn == 0 {
        Err(Failure::input("there is no landscape with one or two axes"))
    } else {
        Ok(Ending::Complete)
    }
}

/// Whether writing failed for want of room, which another command line would not help.
fn is_of_the_machine(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// The landscapes that are asked for.
fn choose(arguments: &Arguments, results: &Results) -> Result<Vec<(String, String)>, Failure> {
    let all = results.landscapes().map_err(Failure::input)?;
    let fits = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    let chosen: Vec<_> = (all.iter())
        .filter(|(s, l)| fits(&arguments.structure, s) && fits(&arguments.landscape, l))
        .cloned()
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = all.iter().map(|(s, l)| format!("{s}/{l}")).collect();
        let path = arguments.results.display();
        return Err(Failure::input(format!(
            "{path}: there is no such landscape; there is {}",
            names.join(", ")
        )));
    }
    Ok(chosen)
}

fn to_figure(landscape: &LandscapeResult, models: &[String]) -> Result<plot::Landscape, Failure> {
    let axis = |a: &s2dpes::store::AxisResult| plot::Axis {
        label: format!("{} ({}, {})", a.coordinate, a.orbit, a.wyckoff),
        values: a.values.clone(),
        periodic: a.periodic,
        reference: Some(a.reference),
    };
    let find = |name: &String| {
        let found = landscape.models.iter().find(|m| m.name == *name);
        found.ok_or_else(|| {
            let names: Vec<_> = landscape.models.iter().map(|m| m.name.as_str()).collect();
            Failure::input(format!("there is no model `{name}`; there is {}", names.join(", ")))
        })
    };
    let chosen = match models {
        [] => landscape.models.iter().collect(),
        names => names.iter().map(find).collect::<Result<Vec<_>, _>>()?,
    };
    Ok(plot::Landscape {
        title: format!("{} · {}", landscape.structure, landscape.protostructure),
        axes: landscape.axes.iter().map(axis).collect(),
        distance_cost: landscape.distance_cost.clone(),
        panels: (chosen.iter())
            .map(|m| Panel {
                title: m.name.clone(),
                energy: m.energy.clone(),
                reference_energy: Some(m.reference_energy).filter(|e| e.is_finite()),
            })
            .collect(),
    })
}

fn style(arguments: &Arguments, panels: usize) -> Result<Style, Failure> {
    let width = match &arguments.width {
        Some(width) => width.parse::<Width>().map_err(Failure::input)?,
        None if panels <= 1 => Width::Single,
        None => Width::Double,
    };
    Ok(Style {
        width,
        relative_to: arguments.relative_to.parse::<RelativeTo>().map_err(Failure::input)?,
        range: arguments.range,
        difference: arguments.difference.clone(),
        colours: arguments.colours.parse::<ColourMap>().map_err(Failure::input)?,
        columns: arguments.columns,
        ..Style::default()
    })
}

/// `w2n3.h5` -> `w2n3-STRUCTURE-LANDSCAPE.png`.
fn default_output(results: &Path, structure: &str, landscape: &str) -> PathBuf {
    let stem = results.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let suffix = if cfg!(feature = "figures") { "png" } else { "svg" };
    results.with_file_name(format!("{stem}-{structure}-{landscape}.{suffix}"))
}
