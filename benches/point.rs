//! Times the points of a landscape on one or more threads, and prints one line of JSON.
//!
//! `cargo bench --bench point -- --model M.model --structure S.extxyz --axes Sn1.x,S3.z`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use s2dpes::campaign::engine_for;
use s2dpes::config::parse_precision;
use s2dpes::crystal::{Element, read_structure};
use s2dpes::engine::{Engine, Scene};
use s2dpes::landscape::{Axis, Dof, Equivalence, Landscape, Relation, Thresholds, Tile, tiles};
use s2dpes::potential::Potential;
use s2dpes::symmetry::Crystal;
use s2dpes::work::Model;

#[derive(Parser)]
struct Arguments {
    /// A model file, or embedded:NAME.
    #[arg(long)]
    model: String,
    #[arg(long)]
    structure: PathBuf,
    /// Coordinates to vary, e.g. W1.x,W1.z; without any, the structure alone is evaluated.
    #[arg(long, value_delimiter = ',')]
    axes: Vec<String>,
    /// Nodes along each axis.
    #[arg(long, default_value_t = 96)]
    points: usize,
    /// Evaluate equivalent points too.
    #[arg(long)]
    full: bool,
    /// Every atom its own orbit.
    #[arg(long)]
    no_symmetry: bool,
    #[arg(long, default_value = "f32")]
    dtype: String,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Tiles to time; 0 times all.
    #[arg(long, default_value_t = 4)]
    tiles: usize,
    /// How often.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// Given by cargo.
    #[arg(long)]
    bench: bool,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let start = Instant::now();
    let model = model(&arguments)?;
    let load = start.elapsed().as_secs_f64();
    let landscape = Arc::new(landscape(&arguments)?);
    let tiles = tiles_of(&landscape, &arguments);
    let start = Instant::now();
    let scene = Arc::new(Scene::new(landscape.clone(), &model.potential)?);
    let elements: Vec<Element> = scene.sites.iter().map(|s| s.element).collect();
    let mut engine = engine_for(&model, &elements);
    engine.evaluate(&scene, &tiles[0].points[..1])?;
    let prepare = start.elapsed().as_secs_f64();
    let count = if arguments.tiles == 0 { tiles.len() } else { arguments.tiles.min(tiles.len()) };
    let times = (0..arguments.repetitions)
        .map(|_| time(engine.as_mut(), &scene, &tiles[..count]))
        .collect::<Result<Vec<_>, _>>()?;
    print(&arguments, &landscape, &scene, &times, (load, prepare));
    Ok(())
}

fn model(arguments: &Arguments) -> Result<Model, Failure> {
    let potential = Arc::new(Potential::load(&arguments.model)?);
    let precision = parse_precision(&arguments.dtype).ok_or("--dtype is f32 or f64")?;
    Ok(Model { name: "bench".into(), potential, head: 0, precision })
}

fn landscape(arguments: &Arguments) -> Result<Landscape, Failure> {
    let structure = read_structure(&arguments.structure)?;
    let crystal = Arc::new(match arguments.no_symmetry {
        true => Crystal::without_symmetry(&structure)?,
        false => Crystal::new(&structure, 0.01)?,
    });
    if arguments.axes.is_empty() {
        return Ok(Landscape::single_point(crystal, Thresholds::default()));
    }
    let axis = |dof: &String| {
        let dof = Dof::parse(dof, &crystal)?;
        Ok::<_, Failure>(Axis { dof, range: [0.0, 1.0], points: arguments.points })
    };
    let axes = arguments.axes.iter().map(axis).collect::<Result<_, _>>()?;
    Ok(Landscape::new(crystal.clone(), axes, Thresholds::default())?)
}

fn tiles_of(landscape: &Landscape, arguments: &Arguments) -> Vec<Tile> {
    let relation = (!arguments.full).then_some(Relation::Rotated);
    let irreducible = landscape.irreducible(Equivalence { relation, proper_only: false });
    tiles(&landscape.grid, &irreducible, 1024)
}

/// Seconds a point.
fn time(engine: &mut dyn Engine, scene: &Arc<Scene>, tiles: &[Tile]) -> Result<f64, Failure> {
    let start = Instant::now();
    let mut points = 0;
    for tile in tiles {
        points += engine.evaluate(scene, &tile.points)?.len();
    }
    Ok(start.elapsed().as_secs_f64() / points as f64)
}

fn print(
    arguments: &Arguments,
    landscape: &Landscape,
    scene: &Scene,
    times: &[f64],
    (load, prepare): (f64, f64),
) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let atoms = landscape.crystal.atom_count() as f64;
    let micro = |seconds: f64| (seconds * 1e8).round() / 100.0;
    let (median, least) = (sorted[sorted.len() / 2], sorted[0]);
    let value = serde_json::json!({
        "program": "s2dpes",
        "model": arguments.model,
        "structure": arguments.structure,
        "axes": arguments.axes,
        "symmetry": !arguments.no_symmetry,
        "dtype": arguments.dtype,
        "threads": arguments.threads,
        "atoms": atoms,
        "evaluated_atoms": scene.sites.len(),
        "median_us_per_point": micro(median),
        "min_us_per_point": micro(least),
        "median_us_per_atom": micro(median / atoms),
        "min_us_per_atom": micro(least / atoms),
        "load_s": load,
        "prepare_s": prepare,
    });
    println!("{value}");
}
