//! Times the points of a landscape on one or more threads, and prints one line of JSON.
//!
//! `cargo bench --bench point -- --model M.model --structure S.extxyz --axes Sn1.x,S3.z`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use s2dpes::config::parse_precision;
use s2dpes::crystal::{Element, read_structure};
use s2dpes::engine::cpu::mace::MaceEngine;
use s2dpes::engine::cpu::sevennet::SevennetEngine;
use s2dpes::engine::{Engine, EngineError, Place, Scene};
use s2dpes::landscape::{Axis, Dof, Equivalence, Landscape, Point, Relation, Thresholds, Tile, tiles};
use s2dpes::potential::{Family, Invariance, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

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
    /// Sites carry all components of their features.
    #[arg(long)]
    no_site_symmetry: bool,
    /// Compute all pair operators anew at every point.
    #[arg(long)]
    direct: bool,
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
    let tiles = tiles_of(&landscape, &model.potential, &arguments);
    let start = Instant::now();
    let scene = Arc::new(match arguments.no_site_symmetry {
        true => Scene::without_site_symmetry(landscape.clone(), &model.potential)?,
        false => Scene::new(landscape.clone(), &model.potential)?,
    });
    let mut engine = engine(&model, &scene, &arguments)?;
    let cost = engine.cost(&scene, &tiles[0].points)?;
    let prepare = start.elapsed().as_secs_f64();
    let count = if arguments.tiles == 0 { tiles.len() } else { arguments.tiles.min(tiles.len()) };
    let times = (0..arguments.repetitions)
        .map(|_| time(engine.as_mut(), &scene, &tiles[..count]))
        .collect::<Result<Vec<_>, _>>()?;
    let evaluated: usize = tiles.iter().map(|t| t.points.len()).sum();
    let operations: f64 = cost.steps.iter().map(|s| s.operations).sum();
    let value = serde_json::json!({
        "program": "s2dpes",
        "version": concat!(env!("CARGO_PKG_VERSION"), " (", env!("S2DPES_COMMIT"), ")"),
        "model": arguments.model,
        "structure": arguments.structure,
        "axes": arguments.axes,
        "symmetry": !arguments.no_symmetry,
        "site_symmetry": !arguments.no_site_symmetry,
        "kept_operators": cost.keeps,
        "dtype": arguments.dtype,
        "threads": arguments.threads,
        "nodes": landscape.grid.len(),
        "evaluated_points": evaluated,
        "atoms": landscape.crystal.atom_count(),
        "evaluated_atoms": scene.sites.len(),
        "mflop_per_point": micro(operations / 1e12),
        "distances_per_point": distances(&scene, &tiles[0].points, cost.keeps),
        "load_s": load,
        "prepare_s": prepare,
        "peak_memory_MiB": peak_memory(),
    });
    println!("{}", with_times(value, &times, landscape.crystal.atom_count()));
    Ok(())
}

fn engine(model: &Model, scene: &Scene, arguments: &Arguments) -> Result<Box<dyn Engine>, EngineError> {
    let mut elements: Vec<Element> = scene.sites.iter().map(|s| s.element).collect();
    elements.dedup();
    Ok(match (&model.potential.family, arguments.direct, model.precision) {
        (Family::Mace(mace), true, Precision::Single) => {
            Box::new(MaceEngine::<f32>::new(mace, &elements, 0).keeping(false))
        }
        (Family::Mace(mace), true, Precision::Double) => {
            Box::new(MaceEngine::<f64>::new(mace, &elements, 0).keeping(false))
        }
        (Family::Sevennet(sevennet), true, Precision::Single) => {
            Box::new(SevennetEngine::<f32>::new(sevennet, &elements).keeping(false))
        }
        (Family::Sevennet(sevennet), true, Precision::Double) => {
            Box::new(SevennetEngine::<f64>::new(sevennet, &elements).keeping(false))
        }
        _ => model.engine(&elements, &Place::Cpu)?,
    })
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

fn tiles_of(landscape: &Landscape, potential: &Potential, arguments: &Arguments) -> Vec<Tile> {
    let relation = (!arguments.full).then_some(Relation::Rotated);
    let proper_only = potential.invariance() == Invariance::Proper;
    let irreducible = landscape.irreducible(Equivalence { relation, proper_only });
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

/// Distances within the cutoff for which tables are read at a point, those for operators that are kept not counted.
fn distances(scene: &Scene, points: &[Point], keeps: bool) -> f64 {
    let axes = scene.landscape.axes.len();
    let pairs = || scene.pairs.iter().filter(|p| !keeps || p.axes.len() == axes);
    let within = |point: &Point| {
        let s = scene.axis_values(*point);
        pairs().flat_map(|p| &p.shells).filter(|x| x.bonds[0].at(&s).norm() < scene.cutoff).count()
    };
    points.iter().map(within).sum::<usize>() as f64 / points.len() as f64
}

fn micro(value: f64) -> f64 {
    (value * 1e8).round() / 100.0
}

fn with_times(mut value: serde_json::Value, times: &[f64], atoms: usize) -> serde_json::Value {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (median, least) = (sorted[sorted.len() / 2], sorted[0]);
    value["median_us_per_point"] = micro(median).into();
    value["min_us_per_point"] = micro(least).into();
    value["median_us_per_atom"] = micro(median / atoms as f64).into();
    value["min_us_per_atom"] = micro(least / atoms as f64).into();
    value
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
