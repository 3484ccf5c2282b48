//! Measures what `scheduler.rs` simulates with: what surfaces of the campaign set cost, and what rank 0 spends on
//! messages and tiles. All times are CPU seconds of one thread.
//!
//! `cargo bench --bench costs -- NAME=M.model NAME=M.model ...` writes results/campaign-costs.csv and results/rank0-costs.csv

#[allow(dead_code, reason = "the files are shared with the benches and tests that simulate")]
#[path = "simulation/landscapes.rs"]
mod landscapes;
#[path = "costs/rank0.rs"]
mod rank0;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use s2dpes::crystal::Element;
use s2dpes::engine::{Engine, Place, Scene};
use s2dpes::landscape::{Equivalence, Landscape, Relation, Tile, tiles};
use s2dpes::potential::Potential;
use s2dpes::work::{Model, Precision};

#[derive(Parser)]
struct Arguments {
    /// Models, each as NAME=FILE.
    models: Vec<String>,
    /// Measure rank 0 only.
    #[arg(long)]
    rank0: bool,
    /// Every so many structures only.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Where the CSV files go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/results"))]
    folder: PathBuf,
    /// Given by cargo.
    #[arg(long)]
    bench: bool,
}

type Failure = Box<dyn std::error::Error>;

/// Nodes along each axis.
const POINTS: usize = 120;
/// Nodes of a tile.
const TILE: usize = 1024;
/// Points of the first call; most points, and most seconds, of the call that is timed.
const FIRST: usize = 16;
const SAMPLE: usize = 256;
const LONGEST: f64 = 0.1;

unsafe extern "C" {
    /// CPU time of the process in microseconds, as POSIX has it.
    safe fn clock() -> std::ffi::c_long;
}

/// CPU seconds of this process and its threads.
fn cpu_seconds() -> f64 {
    clock() as f64 * 1e-6
}

/// What something gives and how many CPU seconds it takes.
fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = cpu_seconds();
    let result = work();
    (result, cpu_seconds() - start)
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let models = arguments.models.iter().map(|m| load(m)).collect::<Result<Vec<_>, _>>()?;
    std::fs::write(arguments.folder.join("rank0-costs.csv"), rank0::measure(&models)?)?;
    if arguments.rank0 {
        return Ok(());
    }
    let mut table = String::from(
        "structure,model,orbits,atoms,irreducible_points,engine_seconds,scene_seconds,first_call_seconds,point_seconds\n",
    );
    let mut files: Vec<PathBuf> = landscapes::files().into_iter().step_by(arguments.every).collect();
    files.push(landscapes::large());
    for (number, file) in files.iter().enumerate() {
        let Some(landscape) = landscapes::landscape(file, POINTS) else {
            eprintln!("{}: no landscape", file.display());
            continue;
        };
        for model in &models {
            match row(&landscape, model) {
                Some(cells) => writeln!(table, "{},{},{cells}", landscapes::name(file), model.name)?,
                None => eprintln!("{}: not with {}", file.display(), model.name),
            }
        }
        eprintln!("{} of {}: {:.0} s", number + 1, files.len(), cpu_seconds());
    }
    std::fs::write(arguments.folder.join("campaign-costs.csv"), table)?;
    Ok(())
}

fn load(argument: &str) -> Result<Model, Failure> {
    let (name, file) = argument.split_once('=').ok_or("models are given as NAME=FILE")?;
    let potential = Arc::new(Potential::load(file)?);
    Ok(Model { name: name.into(), potential, head: 0, precision: Precision::Single })
}

/// What a surface costs, if the model knows its elements.
fn row(landscape: &Arc<Landscape>, model: &Model) -> Option<String> {
    let elements: Vec<Element> = landscape.elements();
    model.potential.check_elements(elements.iter().copied()).ok()?;
    let equivalence = Equivalence { relation: Some(Relation::Rotated), proper_only: false };
    let irreducible = landscape.irreducible(equivalence);
    let tiles: Vec<Tile> = tiles(&landscape.grid, &irreducible, TILE);
    let (engine, engine_seconds) = timed(|| model.engine(&elements, &Place::Cpu));
    let mut engine = engine.ok()?;
    let (scene, scene_seconds) = timed(|| Scene::new(landscape.clone(), &model.potential));
    let (first, point) = evaluate(engine.as_mut(), &Arc::new(scene.ok()?), &tiles[0]);
    let crystal = &landscape.crystal;
    Some(format!(
        "{},{},{},{engine_seconds:.6},{scene_seconds:.6},{first:.6},{point:.9}",
        crystal.orbits.len(),
        crystal.atom_count(),
        irreducible.points.len()
    ))
}

/// Seconds that the first call takes longer than a later one, and seconds a point.
fn evaluate(engine: &mut dyn Engine, scene: &Arc<Scene>, tile: &Tile) -> (f64, f64) {
    let mut call = |points: usize| {
        let points = &tile.points[..points.min(tile.points.len())];
        let (results, seconds) = timed(|| engine.evaluate(scene, points));
        assert_eq!(results.map_or(0, |r| r.len()), points.len());
        (seconds, points.len() as f64)
    };
    let (first, _) = call(FIRST);
    let (again, count) = call(FIRST);
    let blocks = (LONGEST / again.max(1e-6)).clamp(1.0, (SAMPLE / FIRST) as f64) as usize;
    let (seconds, points) = if blocks > 1 { call(blocks * FIRST) } else { (again, count) };
    ((first - again).max(0.0), seconds / points)
}
