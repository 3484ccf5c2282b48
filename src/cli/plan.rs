//! `s2dpes plan`: what a campaign would compute.

mod time;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use s2dpes::campaign::prepare;
use s2dpes::cluster::Stop;
use s2dpes::config::Campaign;
use s2dpes::engine::{Place, Scene, Step};
use s2dpes::store::expected_size;
use s2dpes::work::{Model, SurfaceId, Work};

use super::table::{bytes, table};
use super::{Ending, Failure};

/// Show what a campaign would compute, without computing it: points, memory, file size and time.
///
/// Example: s2dpes plan configs/w2n3.toml
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The campaign file.
    campaign: PathBuf,
    /// Count operations and bytes a point, step by step; loads every model.
    #[arg(long)]
    cost: bool,
}

/// A surface and what was counted of it.
struct Surface {
    id: SurfaceId,
    bonds: usize,
    /// Its row of the table.
    row: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let started = Instant::now();
    let campaign = Campaign::load(&arguments.campaign).map_err(Failure::input)?;
    let work = prepare(&campaign, &Stop::by_hand()).map_err(Failure::input)?;
    let surfaces = work.surfaces().map(|id| surface(&work, id)).collect::<Result<Vec<_>, _>>()?;
    let laying_out = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    for structure in &work.structures {
        let crystal = &structure.crystal;
        writeln!(out, "{}: {} ({})", crystal.name, crystal.group.symbol, crystal.group.number)?;
        writeln!(out, "  orbits {}", crystal.free_coordinates())?;
    }
    let heading =
        ["surface", "grid", "points", "irreducible", "tiles", "atoms", "evaluated", "pairs", "bonds"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    rows.extend(surfaces.iter().map(|surface| surface.row.clone()));
    write!(out, "\n{}", table(&rows))?;
    let points: usize = work.surfaces().map(|id| work.surface(id).irreducible.points.len()).sum();
    let tiles: usize = work.surfaces().map(|id| work.surface(id).tiles.len()).sum();
    writeln!(out, "\n{points} points to evaluate in {tiles} tiles")?;
    match time::estimate(&work, &surfaces) {
        Ok(estimate) => out.write_all(time::lines(&estimate, laying_out).as_bytes())?,
        Err(why) => writeln!(out, "no estimate of the time: {why}")?,
    }
    let size = expected_size(&campaign.text, &work).map_err(Failure::other)?;
    writeln!(out, "result file {}, about {}", campaign.output.display(), bytes(size))?;
    writeln!(out, "{}", memory(&work))?;
    if arguments.cost {
        for id in work.surfaces() {
            write!(out, "\n{}", cost_of(&work, id)?)?;
        }
    }
    for skipped in &work.skipped {
        writeln!(out, "left out: {skipped}")?;
    }
    Ok(if work.skipped.is_empty() { Ending::Complete } else { Ending::Partial })
}

/// What a rank keeps, apart from results that are under way.
fn memory(work: &Work) -> String {
    let mut models: Vec<&Arc<Model>> = Vec::new();
    for id in work.surfaces() {
        let model = &work.surface(id).model;
        if !models.iter().any(|m| Arc::ptr_eq(m, model)) {
            models.push(model);
        }
    }
    let size: usize = models.iter().map(|m| m.potential.bytes()).sum();
    let shared = "what the points of one surface share (--cost shows it)";
    format!("memory of a rank: {} of models at most, and {shared}", bytes(size))
}

fn surface(work: &Work, id: SurfaceId) -> Result<Surface, Failure> {
    let (landscape, surface) = (&work.landscape(id).landscape, work.surface(id));
    let scene = Scene::new(landscape.clone(), &surface.model.potential).map_err(Failure::input)?;
    let shape: Vec<String> = landscape.grid.shape().iter().map(usize::to_string).collect();
    let bonds: usize = scene.pairs.iter().flat_map(|p| &p.shells).map(|s| s.bonds.len()).sum();
    let row = vec![
        work.path(id),
        shape.join(" x "),
        landscape.grid.len().to_string(),
        surface.irreducible.points.len().to_string(),
        surface.tiles.len().to_string(),
        scene.atom_count.to_string(),
        scene.sites.len().to_string(),
        scene.pairs.len().to_string(),
        bonds.to_string(),
    ];
    Ok(Surface { id, bonds, row })
}

/// What a point of a surface takes, step by step, in a tile that is as full as any.
fn cost_of(work: &Work, id: SurfaceId) -> Result<String, Failure> {
    let (landscape, surface) = (work.landscape(id), work.surface(id));
    let scene = Scene::new(landscape.landscape.clone(), &surface.model.potential).map_err(Failure::input)?;
    let points = surface.tiles.iter().max_by_key(|t| t.points.len()).map_or(&[][..], |t| &t.points);
    let engine = surface.model.engine(&landscape.landscape.elements(), &Place::Cpu);
    let mut engine = engine.map_err(Failure::input)?;
    let scene = Arc::new(scene);
    let cost = engine.cost(&scene, points).map_err(Failure::input)?;
    let row = |name: &str, operations: f64, size: f64| {
        vec![name.to_string(), format!("{:.3}", operations / 1e6), format!("{:.1}", size / 1024.0)]
    };
    let mut rows = vec![[work.path(id).as_str(), "MFLOP a point", "kiB a point"].map(String::from).to_vec()];
    rows.extend(cost.steps.iter().map(|s| row(&s.name, s.operations, s.bytes)));
    let total = |of: fn(&Step) -> f64| cost.steps.iter().map(of).sum();
    rows.push(row("total", total(|s| s.operations), total(|s| s.bytes)));
    let kept = match cost.keeps {
        true => format!("what points share is kept: {} at once\n", bytes(cost.kept_bytes as usize)),
        false => "every point is computed on its own\n".to_string(),
    };
    Ok(table(&rows) + &kept + &on_a_gpu(&surface.model, &scene))
}

/// A line about the memory that a GPU needs for a surface.
#[cfg(feature = "cuda")]
fn on_a_gpu(model: &Model, scene: &Scene) -> String {
    match model.gpu_memory(scene) {
        Ok((all, 0)) => format!("on a GPU: {} of memory at most\n", bytes(all)),
        Ok((all, kept)) => {
            format!("on a GPU: {} of memory at most, {} of it pair operators\n", bytes(all), bytes(kept))
        }
        Err(why) => format!("on a GPU: {why}\n"),
    }
}

#[cfg(not(feature = "cuda"))]
fn on_a_gpu(_: &Model, _: &Scene) -> String {
    String::new()
}
