//! `s2dpes plan`: what a campaign would compute.

use std::io::Write;
use std::path::PathBuf;

use s2dpes::campaign::prepare;
use s2dpes::config::Campaign;
use s2dpes::engine::Scene;
use s2dpes::work::{LandscapeWork, SurfaceId, Work};

use super::table::{bytes, table};
use super::{Ending, Failure};

/// Show what a campaign would compute, without computing it.
///
/// Example: s2dpes plan configs/w2n3.toml
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The campaign file.
    campaign: PathBuf,
}

/// Energy, two distances, status and irreducible index of a node.
const BYTES_PER_NODE: usize = 8 + 1 + 4;
const BYTES_PER_LANDSCAPE_NODE: usize = 16;

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let campaign = Campaign::load(&arguments.campaign).map_err(Failure::input)?;
    let work = prepare(&campaign).map_err(Failure::input)?;
    let mut out = std::io::stdout().lock();
    for structure in &work.structures {
        let crystal = &structure.crystal;
        writeln!(out, "{}: {} ({})", crystal.name, crystal.group.symbol, crystal.group.number)?;
        writeln!(out, "  orbits {}", crystal.free_coordinates())?;
    }
    write!(out, "\n{}", table(&surface_rows(&work)?))?;
    let nodes = |l: &LandscapeWork| l.landscape.grid.len();
    let size: usize = (work.structures.iter().flat_map(|s| &s.landscapes))
        .map(|l| nodes(l) * (BYTES_PER_LANDSCAPE_NODE + BYTES_PER_NODE * l.surfaces.len()))
        .sum();
    let points: usize = work.surfaces().map(|id| work.surface(id).irreducible.points.len()).sum();
    let tiles: usize = work.surfaces().map(|id| work.surface(id).tiles.len()).sum();
    writeln!(out, "\n{points} points to evaluate in {tiles} tiles")?;
    writeln!(out, "result file {}, about {}", campaign.output.display(), bytes(size))?;
    for skipped in &work.skipped {
        writeln!(out, "left out: {}: {}", skipped.what, skipped.why)?;
    }
    Ok(if work.skipped.is_empty() { Ending::Complete } else { Ending::Partial })
}

fn surface_rows(work: &Work) -> Result<Vec<Vec<String>>, Failure> {
    let heading =
        ["surface", "grid", "points", "irreducible", "tiles", "atoms", "evaluated", "pairs", "bonds"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for id in work.surfaces() {
        rows.push(surface_row(work, id)?);
    }
    Ok(rows)
}

fn surface_row(work: &Work, id: SurfaceId) -> Result<Vec<String>, Failure> {
    let (landscape, surface) = (&work.landscape(id).landscape, work.surface(id));
    let scene = Scene::new(landscape.clone(), &surface.model.potential).map_err(Failure::input)?;
    let shape: Vec<String> = landscape.grid.shape().iter().map(usize::to_string).collect();
    let bonds: usize = scene.pairs.iter().flat_map(|p| &p.shells).map(|s| s.bonds.len()).sum();
    Ok(vec![
        work.path(id),
        shape.join(" x "),
        landscape.grid.len().to_string(),
        surface.irreducible.points.len().to_string(),
        surface.tiles.len().to_string(),
        scene.atom_count.to_string(),
        scene.sites.len().to_string(),
        scene.pairs.len().to_string(),
        bonds.to_string(),
    ])
}
