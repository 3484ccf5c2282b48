//! `s2dpes plot`: draws the landscapes of a result file.

mod distances;
mod figure;
mod output;

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use s2dpes::crystal::Element;
use s2dpes::plot::{self, Cell, ColourMap, Format, Masked, RelativeTo, Style, Width};
use s2dpes::store::{LandscapeResult, Results};

use super::{Ending, Failure};
use distances::Distances;
use figure::{rows_of, to_figure};

/// Draw the landscapes of a result file.
///
/// Examples: s2dpes plot w2n3.h5 ; s2dpes plot w2n3.h5 -o w2n3.pdf --relative-to input --range 0,2 ;
/// s2dpes plot campaign.h5 --sheet all.pdf
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The result file.
    results: PathBuf,
    /// Where to: .svg, .png or .pdf. By default one .png a landscape beside the result file.
    #[arg(long, short)]
    output: Vec<PathBuf>,
    /// Format of the default outputs: svg, png or pdf.
    #[arg(long, conflicts_with_all = ["output", "sheet"], value_parser = word::<Format>)]
    format: Option<Format>,
    /// All landscapes as small panels on one picture, or on the pages of a .pdf.
    #[arg(long, conflicts_with_all = ["output", "difference"])]
    sheet: Option<PathBuf>,
    /// Only this structure.
    #[arg(long)]
    structure: Option<String>,
    /// Only this landscape.
    #[arg(long)]
    landscape: Option<String>,
    /// Only these models, in this order.
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// Zero of energy of each panel: minimum (outside the mask), input (the input structure) or none.
    #[arg(long, default_value = "minimum")]
    relative_to: String,
    /// Lowest and highest level in eV/atom.
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,
    /// About how many bands of colour, 2 to 64.
    #[arg(long, default_value_t = 14)]
    levels: usize,
    /// Draw the difference of all other models from this one.
    #[arg(long)]
    difference: Option<String>,
    /// Energies where atoms are too close: pale or hide.
    #[arg(long, default_value = "pale", value_parser = word::<Masked>)]
    masked: Masked,
    /// Smallest physical distances as this times the sum of the radii, instead of those of the campaign.
    #[arg(long)]
    distance_scale: Option<f64>,
    /// Smallest physical distance of a pair in Angstrom, e.g. P-O=1.4; again for other pairs.
    #[arg(long, value_parser = pair)]
    distance_pair: Vec<((Element, Element), f64)>,
    /// Distances of the input structure count as physical, whatever the campaign says.
    #[arg(long, conflicts_with = "no_cap")]
    cap: bool,
    /// Distances of the input structure lower no threshold.
    #[arg(long)]
    no_cap: bool,
    /// Heading, or none.
    #[arg(long)]
    title: Option<String>,
    /// single (3.4 inches), double (7 inches) or a number of inches.
    #[arg(long, visible_alias = "size")]
    width: Option<String>,
    /// Pixels an inch of a .png.
    #[arg(long, default_value_t = plot::DPI)]
    dpi: f64,
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

/// `P-O=1.4`.
fn pair(text: &str) -> Result<((Element, Element), f64), String> {
    let form = "write a pair and Angstrom, e.g. P-O=1.4";
    let (pair, distance) = text.split_once('=').ok_or(form)?;
    let (a, b) = pair.split_once('-').ok_or(form)?;
    let element = |symbol: &str| {
        Element::from_symbol(symbol.trim()).ok_or_else(|| format!("`{symbol}` is not an element; {form}"))
    };
    let distance = distance.trim().parse().map_err(|_| format!("`{distance}` is not a number; {form}"))?;
    Ok(((element(a)?, element(b)?), distance))
}

/// A word that names one of a few choices.
fn word<T: std::str::FromStr<Err = plot::PlotError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: plot::PlotError| error.to_string())
}

impl Arguments {
    /// The default picture of a result file.
    pub(super) fn simple(results: &Path, output: PathBuf) -> Result<Arguments, Failure> {
        let words = [results.as_os_str(), "--output".as_ref(), output.as_os_str()];
        let command = Arguments::augment_args(clap::Command::new("plot").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(Failure::other)?;
        Arguments::from_arg_matches(&matches).map_err(Failure::other)
    }

    fn style(&self, panels: usize) -> Result<Style, Failure> {
        let width = match &self.width {
            Some(width) => width.parse::<Width>().map_err(Failure::input)?,
            None if panels <= 1 => Width::Single,
            None => Width::Double,
        };
        Ok(Style {
            width,
            relative_to: self.relative_to.parse::<RelativeTo>().map_err(Failure::input)?,
            range: self.range,
            difference: self.difference.clone(),
            colours: self.colours.parse::<ColourMap>().map_err(Failure::input)?,
            levels: self.levels,
            columns: self.columns,
            masked: self.masked,
            ..Style::default()
        })
    }

    /// The user's heading, or another.
    fn heading(&self, default: String) -> String {
        match self.title.as_deref() {
            Some("none") => String::new(),
            Some(title) => title.to_owned(),
            None => default,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let outputs: Vec<&PathBuf> = arguments.output.iter().chain(&arguments.sheet).collect();
    outputs.iter().try_for_each(|path| output::check(path, &arguments.results))?;
    let results = Results::open(&arguments.results).map_err(Failure::input)?;
    let chosen = choose(arguments, &results)?;
    let distances = Distances::new(arguments, &results)?;
    match &arguments.sheet {
        Some(path) => sheet(arguments, (&results, &distances), &chosen, path),
        None => one_by_one(arguments, (&results, &distances), &chosen),
    }
}

fn one_by_one(
    arguments: &Arguments,
    (results, distances): (&Results, &Distances),
    chosen: &[(String, String)],
) -> Result<Ending, Failure> {
    if chosen.len() > 1 && !arguments.output.is_empty() {
        let names: Vec<String> = chosen.iter().map(|(s, l)| format!("{s}/{l}")).collect();
        return Err(Failure::input(format!(
            "--output takes one landscape, and there are {} ({}); choose with --structure and --landscape, or write \
             --sheet",
            chosen.len(),
            names.join(", ")
        )));
    }
    let defaults = output::default_names(&arguments.results, chosen, arguments.format)?;
    let mut drawn = 0;
    for ((structure, name), default) in chosen.iter().zip(&defaults) {
        let landscape = results.landscape(structure, name).map_err(Failure::input)?;
        if landscape.axes.len() > 2 && chosen.len() > 1 {
            log::warn!("{structure}/{name} has {} axes and is not drawn", landscape.axes.len());
            continue;
        }
        let mut figure = to_figure(&landscape, &arguments.models, distances.of(&landscape)?)?;
        figure.title = arguments.heading(figure.title);
        let picture = plot::draw(&figure, &arguments.style(figure.panels.len())?).map_err(Failure::input)?;
        let outputs = match arguments.output.is_empty() {
            true => {
                output::check(default, &arguments.results)?;
                std::slice::from_ref(default)
            }
            false => &arguments.output[..],
        };
        for path in outputs {
            output::write(std::slice::from_ref(&picture), path, arguments.dpi)?;
            drawn += 1;
        }
    }
    if drawn == 0 {
        Err(Failure::input("there is no landscape with one or two axes"))
    } else {
        Ok(Ending::Complete)
    }
}

/// Every landscape and model as a small panel. What cannot be read is left out and named.
fn sheet(
    arguments: &Arguments,
    (results, distances): (&Results, &Distances),
    chosen: &[(String, String)],
    path: &Path,
) -> Result<Ending, Failure> {
    let mut cells = Vec::new();
    let mut left_out = Vec::new();
    for (structure, name) in chosen {
        let landscape = match results.landscape(structure, name) {
            Ok(landscape) if landscape.axes.len() <= 2 => landscape,
            Ok(landscape) => {
                left_out.push(format!("{structure}/{name}: it has {} axes", landscape.axes.len()));
                continue;
            }
            Err(error) => {
                left_out.push(format!("{structure}/{name}: {error}"));
                continue;
            }
        };
        cells.extend(cells_of(&landscape, arguments, distances)?);
    }
    let format = Format::of(path).map_err(Failure::input)?;
    let file = arguments.results.file_name().unwrap_or_default().to_string_lossy();
    let title = arguments.heading(format!("{file} · {} panels", cells.len()));
    let pages =
        plot::sheet(&title, &cells, &arguments.style(2)?, format == Format::Pdf).map_err(Failure::input)?;
    output::write(&pages, path, arguments.dpi)?;
    left_out.iter().for_each(|what| log::error!("left out: {what}"));
    Ok(if left_out.is_empty() { Ending::Complete } else { Ending::Partial })
}

fn cells_of(
    landscape: &LandscapeResult,
    arguments: &Arguments,
    distances: &Distances,
) -> Result<Vec<Cell>, Failure> {
    let figure = to_figure(landscape, &arguments.models, distances.of(landscape)?)?;
    let axes: Vec<&str> = landscape.axes.iter().map(|a| a.name.as_str()).collect();
    let several = figure.panels.len() > 1;
    let cell = |panel: &plot::Panel| {
        let model = if several { format!(" {}", panel.title) } else { String::new() };
        let name = format!("{} {}{model}", landscape.structure, axes.join(" "));
        Cell { name, landscape: plot::Landscape { panels: vec![panel.clone()], ..rows_of(&figure) } }
    };
    Ok(figure.panels.iter().map(cell).collect())
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
